"""Folders of small files that are written in one step, local or in a bucket: checkpoints, leases."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from lakeshelf.addresses import is_address
from lakeshelf.files import write_atomically
from lakeshelf.lake.place import object_stores
from lakeshelf.lake.place.errors import Conflict, StorageError, explained
from lakeshelf.lake.place.location import Root


class BucketFolder:
    """A folder or a file in a bucket, with those words of `pathlib.Path` that checkpoints need.

    Args:
        root: Where it is.
        path: Path below it.
        patience_s: How long a request is tried at most, and tried again; None: as elsewhere.
    """

    def __init__(self, root: Root, path: str = "", patience_s: float | None = None) -> None:
        self._root = root
        self._path = path
        self._patience_s = patience_s

    def __truediv__(self, name: str) -> BucketFolder:
        return BucketFolder(self._root, f"{self._path}/{name}".strip("/"), self._patience_s)

    def __str__(self) -> str:
        return self._root.for_spark(self._path).rstrip("/")

    def __repr__(self) -> str:
        return f"BucketFolder({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BucketFolder) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @property
    def name(self) -> str:
        """Last part of its path."""
        return str(self).rpartition("/")[2]

    def exists(self) -> bool:
        """Whether it is a file, or a folder that holds one."""
        with self._explained("looked for"):
            listed = obstore.list(self._store, self._key, chunk_size=1)
            return self._is_file() or any(True for _ in listed)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """What it holds.

        Raises:
            FileNotFoundError: It is not there.
            StorageError: The bucket does not answer, or refuses.
        """
        return self.tagged()[0].decode(encoding, errors)

    def tagged(self) -> tuple[bytes, str]:
        """What it holds, and the store's tag of exactly that; errors as for `read_text`."""
        with self._explained("read"):
            answer = obstore.get(self._store, self._key)
            return bytes(answer.bytes()), str(answer.meta["e_tag"])

    def size(self) -> int:
        """Bytes that it holds; errors as for `read_text`."""
        with self._explained("looked at"):
            return int(obstore.head(self._store, self._key)["size"])

    def put(self, content: bytes) -> None:
        """Replace what it holds.

        Raises:
            StorageError: The bucket is not there, does not answer, or refuses.
        """
        self._put(content, "overwrite")

    def swap(self, content: bytes, tag: str | None) -> str:
        """Replace what it holds if that is still what carries a tag; the new tag.

        A lost answer is settled by reading what is there, so contents have to differ each time.

        Args:
            content: What it shall hold.
            tag: Of what it holds; None: it is not there yet.

        Raises:
            Conflict: It holds something else.
            StorageError: The bucket is not there, does not answer, or refuses.
        """
        try:
            return self._put(content, "create" if tag is None else {"e_tag": tag})
        except Conflict:
            with suppress(FileNotFoundError):
                held, now = self.tagged()
                if held == content:
                    return now
            raise

    def children(self) -> set[str]:
        """Names of what it holds."""
        with self._explained("listed"):
            listed = obstore.list_with_delimiter(self._store, self._key)
            paths = [*listed["common_prefixes"], *(entry["path"] for entry in listed["objects"])]
            return {path.rstrip("/").rpartition("/")[2] for path in paths}

    def unlink(self) -> None:
        """Remove the file."""
        with self._explained("removed"):
            obstore.delete(self._store, self._key)

    def remove(self) -> None:
        """Remove the folder and what it holds."""
        with self._explained("removed"):
            for entries in obstore.list(self._store, self._key):
                obstore.delete(self._store, [entry["path"] for entry in entries])

    def _put(self, content: bytes, mode: Any) -> str:
        with self._explained("written"):
            try:
                return str(obstore.put(self._store, self._key, content, mode=mode)["e_tag"])
            except (AlreadyExistsError, PreconditionError) as error:
                raise Conflict(f"{self} was written by another meanwhile") from error
            except FileNotFoundError as error:
                if isinstance(mode, dict):
                    raise Conflict(f"{self} was removed meanwhile") from error
                bucket = urlsplit(str(self)).netloc
                raise StorageError(
                    f"there is no bucket {bucket}", hint="create it, or correct the address"
                ) from error

    def _is_file(self) -> bool:
        try:
            obstore.head(self._store, self._key)
        except FileNotFoundError:
            return False
        return True

    @property
    def _store(self) -> S3Store:
        access = object_stores.access(self._root.options or {})
        bucket = urlsplit(self._root.uri).netloc
        return _store(bucket, tuple(sorted(access.items())), self._patience_s)

    @property
    def _key(self) -> str:
        return f"{urlsplit(self._root.uri).path}/{self._path}".strip("/")

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            with explained(f"{self} cannot be {what}", StorageError):
                try:
                    yield
                except FileNotFoundError as error:
                    raise _AbsentError from error
        except _AbsentError:
            raise FileNotFoundError(str(self)) from None


class _AbsentError(LookupError):
    """What is missing is no fault of the store."""


Folder = Path | BucketFolder
"""A folder of small files."""


def at(place: Path | str) -> Folder:
    """The folder at a path or at an address in a bucket.

    Raises:
        StorageError: An address of a kind that is not supported.
    """
    if not is_address(place):
        return Path(place)
    root = Root.at(place)
    if not root.uri.startswith(("s3://", "s3a://")):
        raise StorageError(f"no files can be kept at {root}", hint="use a folder or s3://")
    return BucketFolder(root)


def names(folder: Folder) -> set[str]:
    """Names of what a folder holds; none where it is not there."""
    if isinstance(folder, BucketFolder):
        return folder.children()
    return {file.name for file in folder.glob("*")}


def write(file: Folder, content: bytes) -> None:
    """Put content in a file in one step; folders above it are made."""
    if isinstance(file, BucketFolder):
        file.put(content)
    else:
        write_atomically(file, content)


@lru_cache(maxsize=8)
def _store(
    bucket: str, access: tuple[tuple[str, str], ...], patience_s: float | None = None
) -> S3Store:
    """The store of a bucket; connections are kept."""
    reached = dict(access)
    options = {
        name: reached[argument]
        for name, argument in (
            ("access_key_id", "access_key"),
            ("secret_access_key", "secret_key"),
            ("session_token", "session_token"),
            ("region", "region"),
            ("endpoint", "endpoint_override"),
        )
        if argument in reached
    }
    retries: dict[str, Any] = {"max_retries": object_stores.ATTEMPTS}
    if patience_s is not None:
        retries["retry_timeout"] = timedelta(seconds=patience_s)
    request_s = min(object_stores.REQUEST_S, patience_s or object_stores.REQUEST_S)
    connect_s = min(object_stores.CONNECT_S, request_s)
    return S3Store(
        bucket,
        config=options,  # type: ignore[arg-type]
        client_options={
            "allow_http": "scheme" in reached,
            "connect_timeout": timedelta(seconds=connect_s),
            "timeout": timedelta(seconds=request_s),
        },
        retry_config=retries,  # type: ignore[arg-type]
    )
