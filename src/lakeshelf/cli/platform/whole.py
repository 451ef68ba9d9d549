"""Several files below a folder: all of them are written, or none is."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp

from lakeshelf.errors import ConfigurationError

PRIVATE = "compose.env"
"""File that holds a secret."""


def existing(folder: Path, paths: Iterable[Path]) -> list[Path]:
    """What stands where files are to be, a link that leads nowhere included."""
    return [folder / path for path in paths if os.path.lexists(folder / path)]


def write(folder: Path, files: Mapping[Path, str]) -> None:
    """Write files below a folder; what holds a secret is for its owner alone."""
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.name == PRIVATE:
            file.touch(mode=0o600)
        file.write_text(content, encoding="utf-8")


def place(folder: Path, files: Mapping[Path, str], *, mode: int | None = None) -> None:
    """Put files below a folder, in the place of what is there: what cannot be written leaves nothing.

    Args:
        folder: Made where it is not.
        files: Path below it → content.
        mode: Rights of each file; None: as `write` has it.

    Raises:
        ConfigurationError: A file stands where a folder has to be, or the reverse.
    """
    _require_room(folder, files)
    with _staged(folder) as staged:
        write(staged, files)
        for path in files:
            if mode is not None:
                (staged / path).chmod(mode)
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).replace(folder / path)


def require_folder(folder: Path) -> None:
    """Refuse a place that is there and no folder.

    Raises:
        ConfigurationError: It is a file, or a link that leads nowhere.
    """
    if os.path.lexists(folder) and not folder.is_dir():
        raise _in_the_way(folder, "no folder")


def _require_room(folder: Path, paths: Iterable[Path]) -> None:
    require_folder(folder)
    for path in paths:
        for above in reversed(path.parents):
            require_folder(folder / above)
        if (folder / path).is_dir():
            raise _in_the_way(folder / path, "a folder")


def _in_the_way(place: Path, kind: str) -> ConfigurationError:
    moved = shlex.join(["mv", str(place), f"{place}.old"])
    return ConfigurationError(
        f"{place} is {kind}; nothing was written", hint=f"move it away with `{moved}`"
    )


@contextmanager
def _staged(folder: Path) -> Iterator[Path]:
    """A folder for the files until all are written; one that was made for them goes where they fail."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        staged = Path(mkdtemp(prefix=".new-", dir=folder))
        try:
            yield staged
        finally:
            shutil.rmtree(staged)
    except BaseException:
        with suppress(OSError):  # something stands in it
            for one in missing:
                one.rmdir()
        raise
