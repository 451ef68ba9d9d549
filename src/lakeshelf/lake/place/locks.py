"""Locks: one process owns a table (or a lake) for as long as it lives.

The operating system releases the lock of a process that dies, also of one that was killed, so a lock
never has to be broken by hand.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO

from lakeshelf.errors import LakeError
from lakeshelf.files import named, read_json


class FileLock:
    """An exclusive lock on a file, held by this process until `release`.

    Args:
        path: The lock file; its content tells who holds it.
        holder: What holds it, shown to whoever is refused.
    """

    def __init__(self, path: Path, holder: str) -> None:
        self.path = path
        self.holder = holder
        self._file: IO[str] | None = None

    def acquire(self) -> FileLock:
        """Take the lock.

        Raises:
            LakeError: Another process holds it; nothing was written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = self.path.open("a+", encoding="utf-8")
        if not _takes(file):
            owner = read_json(self.path)
            file.close()
            raise LakeError(
                f"{self.path} is held by {owner.get('holder', 'another process')} (process {owner.get('pid', '?')})",
                hint="stop it with `lakeshelf down`, or use another LAKESHELF_LAKE_ROOT",
            )
        with named(self.path):
            file.seek(0)
            file.truncate()
            file.write(json.dumps({"holder": self.holder, "pid": os.getpid()}))
            file.flush()
        self._file = file
        return self

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> FileLock:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock at `path`."""
    if not path.exists():
        return False
    with path.open("a+", encoding="utf-8") as file:
        return not _locks(file, fcntl.LOCK_SH)


def _takes(file: IO[str]) -> bool:
    """Lock a file unless a process holds it; those who only look share it for a moment, and are in nobody's way."""
    while not _locks(file, fcntl.LOCK_EX):
        if not _locks(file, fcntl.LOCK_SH):
            return False
    return True


def _locks(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
