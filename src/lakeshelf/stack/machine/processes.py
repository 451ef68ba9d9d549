"""Processes that outlive the command which started them: recognised, watched, ended."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from lakeshelf.files import NO_JSON, content_of, write_atomically

_POLL_S = 0.02


@dataclass(frozen=True)
class ProcessId:
    """A process, told apart from a later one with the same number.

    Attributes:
        pid: Number of the process.
        started: When it started, in the words of the operating system.
    """

    pid: int
    started: str

    @property
    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return self.started != "" and started_at(self.pid) == self.started

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens if the process has ended."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait_gone(self, timeout: float) -> bool:
        """Wait until it has ended; False if it still runs after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.is_alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True


def identify(pid: int) -> ProcessId:
    """The process that has the number now."""
    return ProcessId(pid, started_at(pid))


def started_at(pid: int) -> str:
    """When the process started, empty if there is none; a zombie is none."""
    if Path("/proc/self/stat").exists():
        return _started_in_proc(pid)
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    state, _, started = (
        subprocess.run(command, capture_output=True, text=True, check=False)
        .stdout.strip()
        .partition(" ")
    )
    return "" if state.startswith("Z") else started.strip()


def _started_in_proc(pid: int) -> str:
    """Field 22 of `/proc/<pid>/stat`, in clock ticks since boot (proc(5))."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]


def write_pid_file(file: Path, process: ProcessId) -> None:
    """Remember the process for later commands."""
    write_atomically(file, json.dumps(asdict(process)).encode())


def read_pid_file(file: Path) -> ProcessId | None:
    """The remembered process if it still runs, else None."""
    try:
        process = ProcessId(**json.loads(content_of(file)))
    except (OSError, TypeError, *NO_JSON):
        return None
    return process if process.is_alive else None
