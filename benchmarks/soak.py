"""Soak: batch time over thousands of batches, with the files and log entries of each table."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import live, stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, spread, wait_for
from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit import ledger


def figures(parameters: Parameters) -> list[Figure]:
    """Batch time early and late."""
    some = parameters["compared"]
    return [
        Figure("early", f"median batch, batches {some} to {2 * some}", "ms"),
        Figure("late", f"median batch, the last {some}", "ms"),
        Figure("growth", "late ÷ early", "", 1.1),
        Figure("most_files", "most files of a table at the end", "files"),
        Figure("most_log", "most entries of a table's log at the end", "files"),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """A stack under light load, the same all the time, until its busiest query has done so many batches."""
    lake = folder / "lake"
    with stacks.stack(lake, clock_speed=60) as stack:
        source = live.EventSource(stack.client, parameters["shelves"], seed)
        source.open_shelves()
        stack.wait_folded()
        done = threading.Event()

        def load() -> None:
            while not done.is_set():
                source.drive(parameters["rate"], 10)

        thread = threading.Thread(target=load)
        thread.start()
        try:
            wait_for("the batches", lambda: _batches(lake) >= parameters["batches"], 7200, 5.0)
        finally:
            done.set()
            thread.join()
    by_query = _durations(lake)
    busiest = by_query[stacks.JOB]
    some = parameters["compared"]
    early, late = spread(busiest[some : 2 * some])["p50"], spread(busiest[-some:])["p50"]
    sizes = {name: _size(lake, name) for name in CATALOG.tables}
    say(f"batch {early} ms early, {late} ms late")
    measured = {
        "early": early,
        "late": late,
        "growth": late / early,
        "most_files": max(size["files"] for size in sizes.values()),
        "most_log": max(size["log"] for size in sizes.values()),
    }
    spans = {
        query: [spread(times[n : n + 500]) for n in range(0, len(times), 500)]
        for query, times in by_query.items()
    }
    return {"figures": rounded(measured), "batch_ms": spans, "tables": sizes}


def _batches(lake: Path) -> int:
    return len(_durations(lake).get(stacks.JOB, []))


def _durations(lake: Path) -> dict[str, list[int]]:
    durations: dict[str, list[tuple[int, int]]] = {}
    for row in ledger.entries(lake):
        durations.setdefault(row["query"], []).append((row["batch_id"], row["duration_ms"]))
    return {query: [ms for _, ms in sorted(rows)] for query, rows in durations.items()}


def _size(lake: Path, name: str) -> dict[str, Any]:
    table = tables.open_table(lake, name)
    log = tables.location(lake, name) / "_delta_log"
    return {
        "version": table.version(),
        "files": len(table.file_uris()),
        "log": sum(1 for _ in log.glob("*.json")),
    }


BENCHMARK = Benchmark(
    name="soak",
    title="Batch time over thousands of batches",
    defaults={"batches": 5000, "rate": 200, "shelves": 20_000, "compared": 100},
    quick={"batches": 20, "rate": 50, "shelves": 200, "compared": 5},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
