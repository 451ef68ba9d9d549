"""What a tree of processes uses: cores and memory, by part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psutil

from lakeshelf.stack.machine.memory import family, resident


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
