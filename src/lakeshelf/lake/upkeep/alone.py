"""One at a time rewrites the files of a table.

delta-rs finds no conflict between two that merge the same files: both commits stand, and so does every row twice
(docs/design/pitfalls.md#trap-57).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deltalake import DeltaTable

from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import Conflict


@contextmanager
def rewriting(handle: DeltaTable, name: str) -> Iterator[None]:
    """Be the only one on this machine that rewrites files of a table, from its newest version on.

    The operating system lets go of it when a process dies. A bucket cannot be held: see `compacting`.

    Raises:
        Conflict: Somebody else does it.
    """
    root, path = storage.place_of(handle)
    if root.folder is None:
        handle.update_incremental()
        yield
        return
    with _held(root.folder / path / "_delta_log", name):
        handle.update_incremental()
        yield


@contextmanager
def _held(folder: Path, name: str) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _lock(descriptor, name)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, name: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(
            f"another process rewrites files of {name}", hint="try again when it has ended"
        ) from None
