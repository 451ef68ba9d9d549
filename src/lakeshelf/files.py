"""Files that are either whole or absent."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file that is written in one step; empty when there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, *NO_JSON):
        return {}
    return content if isinstance(content, dict) else {}
