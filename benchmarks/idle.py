"""Idle: what the whole stack with all jobs and components uses while hardly anything happens, and its start."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import stacks, usage
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.machine import GIB
from lakeshelf.stack.supervision.parts import GOVERNED


def figures(_: Parameters) -> list[Figure]:
    """Start, cores and memory."""
    return [
        Figure("up_empty", "`lakeshelf up` → ready, empty lake: topics and tables are made", "s", 30.0),
        Figure("up_again", "`lakeshelf up` → ready, existing lake", "s", 30.0),
        Figure("cores", "all processes, idle", "cores", 0.15),
        Figure("memory", "all processes, idle (PSS, most)", "GiB", 1.2),
        Figure("governed", "service of governed datasets, idle, adoption and publication included", "cores", 0.03),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Up, idle, down, up, down."""
    lake = folder / "lake"
    with stacks.stack(lake, simulation=True) as stack:
        up_empty = stack.up_seconds
        say(f"up in {up_empty:.1f} s")
        time.sleep(parameters["settle_seconds"])
        names = usage.named(stack.pid, stack.parts)
        before, began = usage.cpu_seconds(names), time.monotonic()
        most: dict[str, float] = {}
        while (left := parameters["seconds"] - (time.monotonic() - began)) > 0:
            held = usage.by_name(usage.memory(names), names)
            most = max(most, held, key=lambda parts: sum(parts.values()))
            time.sleep(min(left, parameters["look_seconds"]))
        seconds = time.monotonic() - began
        after = usage.cpu_seconds(names)
        busy = {pid: (value - before.get(pid, 0.0)) / seconds for pid, value in after.items()}
    with stacks.stack(lake, simulation=True) as again:
        up_again = again.up_seconds
    memory = {name: value / GIB for name, value in most.items()}
    cores = usage.by_name(busy, names)
    say(
        f"up again in {up_again:.1f} s, {sum(cores.values()):.3f} cores, {sum(memory.values()):.2f} GiB"
    )
    measured = {
        "up_empty": up_empty,
        "up_again": up_again,
        "cores": sum(cores.values()),
        "memory": sum(memory.values()),
        "governed": sum(cores.get(part.name, 0.0) for part in GOVERNED),
    }
    parts = {"cores_by_part": rounded(cores), "memory_gib_by_part": rounded(memory)}
    return {"figures": rounded(measured), **parts}


BENCHMARK = Benchmark(
    name="idle",
    title="The idle stack",
    defaults={"seconds": 60, "settle_seconds": 15, "look_seconds": 5.0},
    quick={"seconds": 3, "settle_seconds": 0, "look_seconds": 1.0},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
