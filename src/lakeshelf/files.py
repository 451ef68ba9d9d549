"""Files that are either whole or absent."""

from __future__ import annotations

import errno
import json
import logging
import os
import shlex
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

_log = logging.getLogger(__name__)
LARGEST = 8 * 2**20
"""Bytes of a file that tells of a process; offsets of 30 topics of a thousand partitions take less than a tenth."""
TOO_LARGE = f"larger than {LARGEST:,} bytes, and is not read"
NO_JSON = (ValueError, RecursionError)
"""What a text that is no JSON, or nested without end, leads to."""


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Have what the system refuses within name `path`: of what is written, it names no file."""
    try:
        yield
    except OSError as error:
        if error.errno and error.filename is None:
            error.filename = str(path)
        raise


def replace_content(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step, in a tenth of the time: a crash of the machine may leave the old file."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with named(path):
        try:
            part.write_bytes(content)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
    part.replace(path)


def write_atomically(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put `content` at `path` in one step, so that a crash leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with named(path), os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.chmod(mode)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def content_of(path: Path) -> bytes:
    """What a file holds that is written in one step; of what is too large a warning tells, once.

    Raises:
        OSError: It is missing, larger than any that we write, or no plain file, which might never end.
    """
    with named(path), open(path, "rb", opener=_without_waiting) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "is no plain file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        _warn_of(path)
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def is_too_large(path: Path) -> bool:
    """Whether there is a file that `content_of` refuses for its size."""
    try:
        return path.stat().st_size > LARGEST
    except OSError:
        return False


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; of a pipe, nobody has to be at the other end."""
    return os.open(path, flags | os.O_NONBLOCK)


@cache
def _warn_of(path: Path) -> None:
    way = f"remove it with `{shlex.join(['rm', str(path)])}`"
    _log.warning("%s is %s; %s", path, TOO_LARGE, way)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that is written in one step; empty when there is none."""
    try:
        content = json.loads(content_of(path))
    except (OSError, *NO_JSON):
        return {}
    return content if isinstance(content, dict) else {}
