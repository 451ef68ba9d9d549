"""A training in a process of its own, which holds up nobody and ends with whoever began it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import IO, Literal

from lakeshelf.lake.place.location import Place

Kind = Literal["trained", "skipped", "failed"]
THREADS: Mapping[str, str] = MappingProxyType(
    {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
)
"""Threads of OpenMP that wait by spinning cost a busy machine more than the training."""
_MOST = 64 * 2**10


@dataclass(frozen=True)
class Ended:
    """What a training came to.

    Attributes:
        kind: Whether there is a version; skipped: nothing can be trained yet.
        reason: Why; of a version, which gates it did not pass.
        version: The version.
        status: What it is.
        again_days: Days of business time after which it can be tried again; None: when the next one is due.
    """

    kind: Kind
    reason: str = ""
    version: str | None = None
    status: str | None = None
    again_days: int | None = None


class Apart:
    """A training that goes on while others do something else.

    Args:
        root: Lake root.
        at: Business time; nothing is read from its day on.
        reason: Why it is done.
    """

    def __init__(self, root: Place, at: datetime, reason: str) -> None:
        self._answer, self._said = _file(), _file()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", f"{__package__}.child", str(root), at.isoformat(), reason],
            stdin=subprocess.PIPE,
            stdout=self._answer,
            stderr=self._said,
            env={**os.environ, **THREADS},
            start_new_session=True,
        )

    def result(self) -> Ended | None:
        """What it came to; None: it goes on."""
        code = self._process.poll()
        if code is None:
            return None
        self.close()
        with suppress(ValueError, TypeError):
            return Ended(**json.loads(_last_line(self._answer)))
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        return Ended(
            "failed", f"the training was ended {how}; {_last_line(self._said)}".strip("; ")
        )

    def close(self) -> None:
        """End it, with all that it began."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()


def _file() -> IO[bytes]:
    return tempfile.TemporaryFile()


def _last_line(file: IO[bytes]) -> str:
    """The last line of what a process wrote."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _MOST))
    lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
