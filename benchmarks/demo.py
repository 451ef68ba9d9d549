"""The demo: real receipts through everything, ten stores and all stores, reconciled."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.machine import GIB

GOALS = {"10": (40.0, 4.0), "all": (180.0, 6.0)}
LONGEST_S = 3_600.0


def figures(parameters: Parameters) -> list[Figure]:
    """Time, rate and memory of each size; 1 where all checks agree."""
    figures = []
    for stores in parameters["stores"]:
        seconds, memory = (
            GOALS.get(stores, (None, None)) if not parameters["baskets"] else (None,) * 2
        )
        name = f"{stores} stores"
        figures += [
            Figure(f"seconds_{stores}", f"{name}: the whole command", "s", seconds),
            Figure(f"rate_{stores}", f"{name}: from the first record sent to the last folded", "events/s", higher=True),
            Figure(f"memory_{stores}", f"{name}: all processes (PSS, most)", "GiB", memory),
            Figure(f"reconciled_{stores}", f"{name}: tables agree with the receipts", "1 = yes", 1.0, higher=True),
        ]  # fmt: skip
    return figures


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """`lakeshelf demo --json` for each size, on an empty lake each."""
    measured: dict[str, float] = {}
    reports: dict[str, Any] = {}
    for stores in parameters["stores"]:
        began = time.monotonic()
        arguments = ["demo", "--json", "--stores", stores, "--lake", str(folder / stores)]
        if parameters["baskets"]:
            arguments += ["--baskets", str(parameters["baskets"])]
        report = stacks.cli({}, *arguments, timeout=LONGEST_S)
        seconds = time.monotonic() - began
        say(f"{stores} stores: {seconds:.1f} s, {report['events']:,} events, ok {report['ok']}")
        measured |= {
            f"seconds_{stores}": seconds,
            f"rate_{stores}": report["events_per_second"],
            f"memory_{stores}": report["peak_memory_bytes"] / GIB,
            f"reconciled_{stores}": float(report["ok"]),
        }
        reports[stores] = {
            name: report[name]
            for name in ("ok", "events", "seconds", "peak_memory_bytes", "tables")
        }
        reports[stores]["checks"] = {c["name"]: c["differences"] for c in report["checks"]}
    return {"figures": rounded(measured), "reports": reports}


BENCHMARK = Benchmark(
    name="demo",
    title="The demo on a year of real receipts",
    defaults={"stores": ["10", "all"], "baskets": 0},
    quick={"stores": ["1"], "baskets": 30},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
