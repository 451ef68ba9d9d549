"""Where versions are kept: a folder each, below `models/<model>/` of the lake, local or in a bucket.

Readers see a version that is whole or none. A local one is put together beside its place and moved there in one step;
in a bucket the last file makes it one, on condition that it is not there yet.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lakeshelf import crash
from lakeshelf.errors import LakeshelfError
from lakeshelf.files import write_atomically
from lakeshelf.forecast.versions.errors import WAY, VersionDamaged
from lakeshelf.lake.place.errors import Conflict, StorageError, explained, translated
from lakeshelf.lake.place.location import Place, Root

if TYPE_CHECKING:
    from lakeshelf.lake.place.folders import BucketFolder

MODELS = "models"
"""Folder of the models, below the root of a lake."""
_DAMAGE = {
    errno.ENOENT: "is missing",
    errno.ELOOP: "is a link",
    errno.ENOTDIR: "is no folder",
    errno.EISDIR: "is no plain file",
    errno.ENXIO: "is no plain file",
}
_OCCUPIED = frozenset({errno.EEXIST, errno.ENOTEMPTY})


class VersionFolder(Protocol):
    """The folder of one version."""

    def __str__(self) -> str: ...

    def names(self) -> frozenset[str]:
        """Names of what it holds; none where it is not there.

        Raises:
            VersionDamaged: It is a link, or no folder.
            StorageError: It cannot be listed.
        """
        ...

    def content(self, name: str, most: int) -> bytes:
        """What a file holds.

        Args:
            name: One of `names`.
            most: Bytes that it may have.

        Raises:
            VersionDamaged: It is missing, larger, a link or a device.
            StorageError: It cannot be read.
        """
        ...

    def publish(self, files: Mapping[str, bytes]) -> None:
        """Make a version of files, of which the last is its card.

        Raises:
            Conflict: Another made it meanwhile.
            StorageError: Disk, permissions or network; nothing there looks like a version.
        """
        ...


def at(root: Place, model_name: str, model_version: str) -> VersionFolder:
    """The folder of a version in a lake.

    Raises:
        StorageError: A lake of a kind that no files can be kept in.
    """
    place = Root.at(root)
    path = f"{MODELS}/{model_name}/{model_version}"
    if place.folder is not None:
        return LocalVersion(place.folder / path)
    if not place.uri.startswith(("s3://", "s3a://")):
        raise StorageError(f"no models can be kept at {place}", hint="use a folder or s3://")
    from lakeshelf.lake.place.folders import BucketFolder  # noqa: PLC0415 - of the extra spark

    return BucketVersion(BucketFolder(place, path))


class LocalVersion:
    """A version in a local folder.

    Args:
        path: The folder.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __str__(self) -> str:
        return str(self._path)

    def names(self) -> frozenset[str]:
        """As `VersionFolder` has it."""
        if self._path.is_symlink():
            raise _damaged(self._path, "is a link")
        try:
            return frozenset(os.listdir(self._path))
        except FileNotFoundError:
            return frozenset()
        except OSError as error:
            raise _refused(self._path, error) from error

    def content(self, name: str, most: int) -> bytes:
        """As `VersionFolder` has it."""
        path = self._path / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as file:
                is_plain = stat.S_ISREG(os.fstat(descriptor).st_mode)
                content = file.read(most + 1) if is_plain else b""
        except OSError as error:
            raise _refused(path, error) from error
        if not is_plain:
            raise _damaged(path, "is no plain file")
        return _bounded(content, most, path)

    def publish(self, files: Mapping[str, bytes]) -> None:
        """As `VersionFolder` has it."""
        with explained(f"{self} cannot be written", StorageError), self._stage() as stage:
            for number, (name, content) in enumerate(files.items()):
                write_atomically(stage / name, content)
                crash.point("version_after_file", number)
            try:
                stage.rename(self._path)
            except OSError as error:
                if error.errno in _OCCUPIED:
                    raise _taken(self) from error
                raise

    @contextmanager
    def _stage(self) -> Iterator[Path]:
        """A folder beside the version's, whose name is no version; gone afterwards."""
        above = self._path.parent
        above.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=above, prefix=f".{self._path.name}."))
        try:
            stage.chmod(0o755)
            yield stage
        finally:
            shutil.rmtree(stage, ignore_errors=True)


class BucketVersion:
    """A version in a bucket.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: BucketFolder) -> None:
        self._folder = folder

    def __str__(self) -> str:
        return str(self._folder)

    def names(self) -> frozenset[str]:
        """As `VersionFolder` has it."""
        return frozenset(self._folder.children())

    def content(self, name: str, most: int) -> bytes:
        """As `VersionFolder` has it."""
        file = self._folder / name
        try:
            if file.size() > most:
                raise _too_large(file, most)
            return _bounded(file.tagged()[0], most, file)
        except FileNotFoundError:
            raise _damaged(file, "is missing") from None

    def publish(self, files: Mapping[str, bytes]) -> None:
        """As `VersionFolder` has it."""
        *others, card = files
        for number, name in enumerate(others):
            (self._folder / name).put(files[name])
            crash.point("version_after_file", number)
        with suppress(Conflict):
            (self._folder / card).swap(files[card], None)
            return
        raise _taken(self)


def _refused(path: Path, error: OSError) -> LakeshelfError:
    """Damage where the system's answer shows some, else that the disk or its permissions are in the way."""
    if (what := _DAMAGE.get(error.errno or 0)) is not None:
        return _damaged(path, what)
    return translated(error, f"{path} cannot be read", StorageError)


def _bounded(content: bytes, most: int, place: object) -> bytes:
    if len(content) > most:
        raise _too_large(place, most)
    return content


def _too_large(place: object, most: int) -> VersionDamaged:
    return _damaged(place, f"is larger than {most:,} bytes")


def _damaged(place: object, what: str) -> VersionDamaged:
    return VersionDamaged(f"{place} {what}", hint=WAY)


def _taken(place: object) -> Conflict:
    return Conflict(f"{place} was written by another meanwhile", hint="read what is there")
