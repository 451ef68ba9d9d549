"""Files below `bronze/`: which are loaded, which wait, and why. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from lakeshelf.ingestion.declared.parsed import MAX_BYTES
from lakeshelf.ingestion.domain.declaration import FILES as DECLARATIONS
from lakeshelf.ingestion.formats import formats

UPLOADS = "_uploads"
_FOLDER = re.compile(r"[a-z][a-z0-9_]{0,62}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class FoundFile:
    """A file below `bronze/`.

    Attributes:
        path: Path below `bronze/`.
        address: Path below the lake's root.
        size: Size in bytes.
        modified_at: When it last changed.
        problem: Why it is never loaded; empty: it may be.
    """

    path: str
    address: str
    size: int
    modified_at: datetime
    problem: str = ""

    @property
    def folder(self) -> str:
        """Its folder below `bronze/`, which names the dataset."""
        return self.path.partition("/")[0]

    @property
    def name(self) -> str:
        """Its own name."""
        return PurePosixPath(self.path).name

    @property
    def is_upload(self) -> bool:
        """Whether an upload put it there."""
        parts = self.path.split("/")
        return len(parts) == 4 and parts[1] == UPLOADS and bool(_DIGEST.fullmatch(parts[2]))


@dataclass(frozen=True)
class Waiting:
    """A file that is not loaded, and why.

    Attributes:
        path: Path below `bronze/`.
        why: What keeps it from being loaded.
        folder: Its folder, where that is what cannot be loaded whatever the file; empty: it is the file itself.
    """

    path: str
    why: str
    folder: str = ""


@dataclass(frozen=True)
class Look:
    """The files of one look at `bronze/`.

    Attributes:
        files: Files that are whole and can be loaded.
        growing: Files that may still grow: another look tells.
        waiting: Files that are not loaded, the growing ones among them.
    """

    files: tuple[FoundFile, ...]
    growing: tuple[FoundFile, ...]
    waiting: tuple[Waiting, ...]


def judged(
    files: Sequence[FoundFile], now: datetime, settle: timedelta, before: Mapping[str, FoundFile]
) -> Look:
    """Which files are whole and can be loaded.

    Args:
        files: Files below `bronze/`.
        now: Present time.
        settle: Age from which a file is taken for whole.
        before: Path → file of an earlier look; one that has not changed since is whole, too.
    """
    whole, growing, waiting = [], [], []
    for file in files:
        if PurePosixPath(file.path).name in DECLARATIONS and file.path.count("/") == 1:
            continue
        if why := file.problem or refusal(file):
            waiting.append(Waiting(file.path, why))
        elif now - file.modified_at >= settle or before.get(file.path) == file:
            whole.append(file)
        else:
            growing.append(file)
            waiting.append(Waiting(file.path, "it may still grow"))
    return Look(tuple(whole), tuple(growing), tuple(waiting))


def refusal(file: FoundFile) -> str:
    """Why a file is not loaded; empty: it is."""
    folder, _, rest = file.path.partition("/")
    if not rest or not _FOLDER.fullmatch(folder):
        return "it is in no folder that names a dataset: lower-case letters, digits, underscores"
    parts = rest.split("/")
    if _CONTROL.search(rest) or ".." in parts:
        return "its name holds what no name may"
    hidden = parts[2:] if file.is_upload else parts
    if any(formats.is_temporary(part) for part in hidden):
        return "its name says that it is hidden or temporary"
    if formats.format_of(file.name) is None:
        return f"its format is none of {', '.join(formats.FORMATS)}{formats.way_of(file.name)}"
    if not file.size:
        return "it is empty"
    return f"it is larger than {MAX_BYTES:,} bytes; split it" if file.size > MAX_BYTES else ""
