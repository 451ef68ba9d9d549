"""What a tree of processes uses: cores and memory, by part."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping

import psutil

from lakeshelf.stack.machine.memory import family, resident

WATCH_S = 1.0
"""Seconds between two looks."""


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Processor seconds of each process so far, those of its ended children included."""
    seconds = {}
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        seconds[pid] = times.user + times.system + times.children_user + times.children_system
    return seconds


def cores(before: Mapping[int, float], after: Mapping[int, float], seconds: float) -> float:
    """Cores that the processes kept busy between two looks."""
    return sum(value - before.get(pid, 0.0) for pid, value in after.items()) / seconds


def tree(root: int) -> set[int]:
    """A process and its descendants."""
    return family(root)


def memory(pids: Iterable[int]) -> dict[int, int]:
    """Bytes of each process; of shared pages its part (PSS)."""
    return {pid: resident(pid) for pid in pids}


def named(root: int, parts: Mapping[str, int]) -> dict[int, str]:
    """What each process of a stack is: supervisor, broker, streams driver, its JVM."""
    names = {root: "supervisor", **{pid: name for name, pid in parts.items()}}
    return {pid: names.get(pid) or _by_command(pid) for pid in tree(root)}


def by_name(values: Mapping[int, float], names: Mapping[int, str]) -> dict[str, float]:
    """Values summed by the name of their process."""
    totals: dict[str, float] = {}
    for pid, value in values.items():
        name = names.get(pid, "other")
        totals[name] = totals.get(name, 0) + value
    return totals


def _by_command(pid: int) -> str:
    try:
        return "streams JVM" if "java" in psutil.Process(pid).name() else "other"
    except psutil.NoSuchProcess:
        return "other"


class WatchedProcess:
    """Looks at a process and its descendants every second, for as long as the block takes.

    Args:
        root: The process.

    Attributes:
        memory: Most bytes that all of them had.
    """

    def __init__(self, root: int) -> None:
        self.memory = 0
        self._looks: list[tuple[float, float]] = []
        self._root = root
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> WatchedProcess:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()
        self._look()

    def cpu_until(self, moment: float) -> float:
        """Processor seconds up to the first look behind a moment, seconds since 1970."""
        behind = (cpu for at, cpu in self._looks if at >= moment)
        return next(behind, max((cpu for _, cpu in self._looks), default=0.0))

    def _watch(self) -> None:
        while not self._enough.wait(WATCH_S):
            self._look()

    def _look(self) -> None:
        pids = tree(self._root)
        self._looks.append((time.time(), sum(cpu_seconds(pids).values())))
        self.memory = max(self.memory, sum(memory(pids).values()))
