"""Memory of a process and everything that it started."""

from __future__ import annotations

import os
import threading
from pathlib import Path

INTERVAL_S = 1.0
_PROC = Path("/proc")


class PeakMemory:
    """Watches this process and its descendants while it is entered.

    Attributes:
        peak: Most bytes at once; shared pages count once (PSS). 0 where there is no /proc.
    """

    def __init__(self) -> None:
        self.peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(INTERVAL_S):
            self.peak = max(self.peak, sum(resident(pid) for pid in family(os.getpid())))


def family(root: int) -> set[int]:
    """A process and all its descendants."""
    parents = {int(folder.name): _parent(folder) for folder in _PROC.glob("[0-9]*")}
    members, added = {root}, {root}
    while added:
        added = {pid for pid, parent in parents.items() if parent in added} - members
        members |= added
    return members


def resident(pid: int) -> int:
    """Bytes of memory of a process, its part of what is shared; 0 when it has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _parent(folder: Path) -> int:
    try:
        return int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
