"""The loop demo: business days a minute."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks import stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.machine import GIB

LONGEST_S = 3_600.0


def figures(parameters: Parameters) -> list[Figure]:
    """Pace, memory, and whether it reconciles."""
    said = f"`demo --loop`, one store of {parameters['shelves']} shelves, {parameters['days']} days"
    return [
        Figure("pace", said, "days/min", 1.0, higher=True),
        Figure("memory", f"{said}: all processes (PSS, most)", "GiB"),
        Figure("differences", f"{said}: differences found", "", 0.0),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One demo."""
    options = ("--days", parameters["days"], "--shelves", parameters["shelves"], "--seed", seed)
    settings = {"lake_root": folder / "lake"}
    report = stacks.cli(settings, "demo", "--loop", *map(str, options), "--json", timeout=LONGEST_S)
    say(f"{report['days_per_minute']} days a minute, ok {report['ok']}")
    measured = {
        "pace": report["days_per_minute"],
        "memory": report["peak_memory_bytes"] / GIB,
        "differences": sum(check["differences"] for check in report["checks"]),
    }
    return {
        "figures": rounded(measured),
        "seconds": report["seconds"],
        "achieved": report["achieved"],
    }


BENCHMARK = Benchmark(
    name="loop",
    title="The loop demo",
    defaults={"days": 3, "shelves": 500},
    quick={"days": 1, "shelves": 20},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
