"""Locks: one process owns a lake, and a dead one owns nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import lakeshelf
from lakeshelf.errors import LakeError
from lakeshelf.files import read_json
from lakeshelf.lake.place.locks import FileLock, is_held

HOLD = """
import sys
from pathlib import Path
from lakeshelf.files import read_json
from lakeshelf.lake.place.locks import FileLock
lock = FileLock(Path(sys.argv[1]), "another driver").acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "locks" / "streams.lock"


@pytest.fixture
def other(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock."""
    environ = {**os.environ, "PYTHONPATH": str(Path(lakeshelf.__file__).parents[1])}
    command = [sys.executable, "-c", HOLD, str(path)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environ, stdin=pipe, stdout=pipe, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    with process:
        yield process
        process.kill()


def test_a_second_process_is_refused_and_told_who_holds_the_lease(
    path: Path, other: subprocess.Popen[str]
) -> None:
    before = path.read_bytes()
    with pytest.raises(LakeError, match=f"another driver \\(process {other.pid}\\)"):
        FileLock(path, "me").acquire()
    assert path.read_bytes() == before
    assert is_held(path)


def test_a_killed_process_holds_nothing(path: Path, other: subprocess.Popen[str]) -> None:
    other.kill()
    other.wait()
    assert not is_held(path)
    with FileLock(path, "me"):
        assert read_json(path) == {"holder": "me", "pid": os.getpid()}


def test_a_lease_is_exclusive_within_a_process_too(path: Path) -> None:
    with FileLock(path, "one"), pytest.raises(LakeError, match="one"):
        FileLock(path, "two").acquire()


def test_whoever_looks_is_in_nobodys_way(path: Path) -> None:
    """A look shares the lock for a moment: who takes the lock just then is not told that somebody has it."""
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_held(path)

    with ThreadPoolExecutor(2) as pool:
        looks = [pool.submit(look) for _ in range(2)]
        try:
            for _ in range(500):
                FileLock(path, "me").acquire().release()
        finally:
            over.set()
        for one in looks:
            one.result()


def test_release_gives_the_lease_back_and_may_be_repeated(path: Path) -> None:
    lock = FileLock(path, "one").acquire()
    lock.release()
    lock.release()
    assert not is_held(path)
    FileLock(path, "two").acquire().release()


def test_nobody_holds_a_lease_that_was_never_taken(path: Path) -> None:
    assert not is_held(path)
    assert read_json(path) == {}


@pytest.mark.parametrize("content", ["", "{", "[]", "\0"])
def test_a_damaged_lock_file_does_not_hinder_its_next_owner(path: Path, content: str) -> None:
    path.parent.mkdir()
    path.write_text(content)
    assert read_json(path) == {}
    with FileLock(path, "one"):
        assert read_json(path)["holder"] == "one"
