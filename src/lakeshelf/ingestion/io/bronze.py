"""Files below `bronze/`: what is there, what it says, and uploads that are put there.

A link is never followed: it could lead out of the lake.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from lakeshelf.contracts.layers import BRONZE
from lakeshelf.errors import first_line
from lakeshelf.files import write_atomically
from lakeshelf.ingestion.domain import declaration
from lakeshelf.ingestion.domain.declaration import Declaration
from lakeshelf.ingestion.domain.found import UPLOADS, FoundFile, Look, judged
from lakeshelf.ingestion.domain.manifest import File
from lakeshelf.ingestion.errors import DeclarationError, FileRefused
from lakeshelf.lake.place.errors import StorageError, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.place.storage import filesystem

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK = 1 << 20


class Bronze:
    """The files of a lake that are to be loaded.

    Args:
        root: Root of the lake.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._files, self._base = filesystem(root)
        self._hashes: dict[FoundFile, str] = {}

    def discover(
        self, now: datetime, settle: timedelta, before: Mapping[str, FoundFile] | None = None
    ) -> Look:
        """What is there, in the order of the paths.

        Args:
            now: Present time.
            settle: Age from which a file is taken for whole.
            before: Path → file of an earlier look; a younger file that has not changed since is whole, too.
        """
        with explained(f"{BRONZE}/ of {self._root} cannot be listed", StorageError):
            entries = sorted(self._listed(), key=lambda entry: entry.path)
        return judged(entries, now, settle, before or {})

    def declarations(self, folders: set[str]) -> dict[str, Declaration]:
        """Folder below `bronze/` → what is declared of its files.

        Raises:
            DeclarationError: A declaration that cannot be.
        """
        return {folder: self._declaration(folder) for folder in sorted(folders)}

    def hash_of(self, file: FoundFile) -> str:
        """Hash of a file's content.

        Raises:
            OSError: It is gone or cannot be read.
        """
        if file not in self._hashes:
            digest = hashlib.sha256()
            with self._files.open_input_stream(
                self._path(file.address), compression=None
            ) as stream:
                while chunk := stream.read(_CHUNK):
                    digest.update(chunk)
            self._hashes[file] = digest.hexdigest()
        return self._hashes[file]

    def read(self, file: File) -> bytes:
        """Content of a file of the manifest.

        Raises:
            FileRefused: It is gone, cannot be read, or is no longer what was registered.
        """
        address = file.address or f"{BRONZE}/{file.path}"
        try:
            with self._files.open_input_stream(self._path(address), compression=None) as stream:
                content: bytes = stream.read()
        except FileNotFoundError as error:
            raise FileRefused(f"{address} is gone") from error
        except OSError as error:
            raise FileRefused(f"{address} cannot be read: {first_line(error)}") from error
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise FileRefused(f"{address} was changed after it was found")
        return content

    def put(self, folder: str, name: str, content: bytes) -> str:
        """Keep an upload; its address.

        Raises:
            StorageError: It cannot be written.
        """
        digest = hashlib.sha256(content).hexdigest()
        address = f"{BRONZE}/{folder}/{UPLOADS}/{digest}/{name}"
        with explained(f"upload {name} was not kept", StorageError):
            if self._root.folder is not None:
                write_atomically(self._root.folder / address, content)
            else:
                with self._files.open_output_stream(
                    self._path(address), compression=None
                ) as stream:
                    stream.write(content)
        return address

    def _path(self, address: str) -> str:
        return f"{self._base}/{address}"

    def _declaration(self, folder: str) -> Declaration:
        declared = [one for name in declaration.FILES if (one := self._declared(folder, name))]
        if len(declared) > 1:
            raise DeclarationError(
                f"{BRONZE}/{folder} has {' and '.join(declaration.FILES)}", hint="remove one"
            )
        return declared[0] if declared else declaration.of_folder(folder)

    def _declared(self, folder: str, name: str) -> Declaration | None:
        address = f"{BRONZE}/{folder}/{name}"
        try:
            with self._files.open_input_stream(self._path(address), compression=None) as stream:
                content = stream.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StorageError(f"{address} cannot be read: {first_line(error)}") from error
        return declaration.parsed(content, address, folder)

    def _listed(self) -> Iterator[FoundFile]:
        if self._root.folder is not None:
            yield from _files_below(self._root.folder)
            return
        from pyarrow import fs  # noqa: PLC0415 - slow to import

        selector = fs.FileSelector(self._path(BRONZE), recursive=True, allow_not_found=True)
        for entry in self._files.get_file_info(selector):
            if entry.type == fs.FileType.File:
                yield _bronze_file(entry, entry.path.removeprefix(f"{self._base}/"))


def _bronze_file(entry: Any, address: str) -> FoundFile:
    modified = _EPOCH + timedelta(microseconds=(entry.mtime_ns or 0) // 1_000)
    return FoundFile(address.removeprefix(f"{BRONZE}/"), address, entry.size, modified)


def _files_below(root: Path) -> Iterator[FoundFile]:
    folder = root / BRONZE
    if folder.is_symlink():
        raise StorageError(f"{folder} is a link, which is not followed", hint="mount or move it")
    if folder.exists():
        yield from _walked(folder, root)


def _walked(folder: Path, root: Path) -> Iterator[FoundFile]:
    """Files below a folder; what is no file with a name, or cannot be looked at, is told as such."""
    for entry in os.scandir(folder):
        address = Path(entry.path).relative_to(root).as_posix()
        shown = address.encode("utf-8", "replace").decode()
        path = shown.removeprefix(f"{BRONZE}/")
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _walked(Path(entry.path), root)
            elif entry.is_symlink():
                yield FoundFile(path, shown, 0, _EPOCH, problem="it is a link")
            elif shown != address:
                yield FoundFile(path, shown, 0, _EPOCH, problem="its name is no UTF-8")
            elif entry.is_file(follow_symlinks=False):
                status = entry.stat(follow_symlinks=False)
                modified = _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1_000)
                yield FoundFile(path, address, status.st_size, modified)
        except FileNotFoundError:
            continue  # it went away in between
        except OSError as error:
            why = f"it cannot be looked at: {error.strerror}"
            yield FoundFile(path, shown, 0, _EPOCH, problem=why)
