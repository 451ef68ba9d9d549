"""What tests of several rooms need."""

from __future__ import annotations

import fcntl
import os
import pickle
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import BrokerError
from lakeshelf.kafka import topics
from lakeshelf.log_lines import LogLine, Tail

Made = TypeVar("Made")

_LOOK_AGAIN_S, _AT_LATEST_S = 0.05, 3.0
_REST = 4.0
"""Times what a look took: who looks without rest takes the processor from what is waited for."""


def eventually(condition: Callable[[], object], what: str, seconds: float = 180.0) -> None:
    """Wait until a condition holds.

    Args:
        condition: Looked at again and again.
        what: What is waited for, for the failure.
        seconds: Deadline.
    """
    pause = threading.Event()
    begun = time.monotonic()
    deadline = begun + seconds
    while not condition():
        looked = time.monotonic()
        assert looked < deadline, f"{what}: not within {seconds:.0f} s"
        pause.wait(min(max(_LOOK_AGAIN_S, _REST * (looked - begun)), _AT_LATEST_S))
        begun = time.monotonic()


def once(folders: pytest.TempPathFactory, name: str, make: Callable[[], Made]) -> Made:
    """What the processes of a run share: the first that asks makes it, the others wait for it.

    Args:
        folders: Of the run.
        name: Of what is made.
        make: Makes it.
    """
    own = folders.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    kept = shared / f"{name}.pickle"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(pickle.dumps(make()))
    found: Made = pickle.loads(kept.read_bytes())
    return found


def logged(folder: Path, *names: str) -> Iterator[LogLine]:
    """Lines of the logs of a folder, the oldest first; of parts of these names, else of all."""
    return Tail(folder, names).lines(unfinished=True)


def make_topics(client: Mapping[str, str]) -> None:
    """Make every topic that is not there, and wait until each can be asked for its ends.

    Args:
        client: librdkafka settings that reach a broker.
    """
    topics.ensure_all(client)

    def answered() -> bool:
        try:
            topics.end_offsets(client, CATALOG.topics)
        except BrokerError:
            return False
        return True

    eventually(answered, "every topic has a leader")


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Path]:
    """A small file system at a folder that is not there yet; what needs it is skipped where it cannot be had."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], check=False).returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
