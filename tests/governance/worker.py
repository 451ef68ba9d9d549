"""The process that judges rows, started once for all tests."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.governance.validation.remote import Worker
from tests.support import eventually


class Process:
    """A worker's process on a socket; its folder has a short name, as sockets need."""

    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "worker.sock")
        self._log = folder / "worker.log"
        self.start()

    @property
    def worker(self) -> Worker:
        return Worker(self.address)

    def start(self) -> None:
        Path(self.address).unlink(missing_ok=True)
        command = [sys.executable, "-m", "lakeshelf.governance.validation.worker", self.address]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        eventually(self._answers, "the worker listens")

    def _answers(self) -> bool:
        assert self.process.poll() is None, self._log.read_text()
        return Path(self.address).is_socket()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="session")
def process() -> Iterator[Process]:
    folder = Path(tempfile.mkdtemp(prefix="lakeshelf-"))
    running = Process(folder)
    yield running
    running.kill()
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def worker(process: Process) -> Worker:
    return process.worker
