"""Merges: cells of an approved change request into large tables, checked and validated, and conflicts found."""

from __future__ import annotations

import itertools
import multiprocessing
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks import dolt, governed
from benchmarks.governed import (
    AUTHOR,
    PROJECT,
    GovernedPlace,
    forget_peak,
    opened_table,
    peak_mb,
    place,
    proposed,
    spent,
)
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.governance.services.changes import merging

GOALS = {
    ("s", 1_000, 1_000_000): 3.0,
    ("s", 100_000, 10_000_000): 45.0,
    ("mb", 100_000, 10_000_000): 3_000.0,
}
DOLT, NOBODY = "dolt", "none"
"""Who does the same merges: `--peer dolt`, where the program is on the path, up to `--peer-rows`: it fills slowly."""


def figures(parameters: Parameters) -> list[Figure]:
    """Merge, conflicts and Dolt, for each size of change and table."""
    lines = []
    for size, cells in _sizes(parameters):
        said = f"{cells:,} cells into {size:,} rows"
        lines += [
            Figure(f"merge_{cells}_{size}_s", said, "s", GOALS.get(("s", cells, size))),
            Figure(f"merge_{cells}_{size}_cpu", f"{said}: processor time", "s"),
            Figure(f"merge_{cells}_{size}_mb", f"{said}: most memory, both", "MB", GOALS.get(("mb", cells, size))),
            Figure(f"conflicts_{cells}_{size}_s", f"{said}: conflicts in all of them told", "s"),
            Figure(f"conflicts_{cells}_{size}_cpu", f"{said}: conflicts, processor time", "s"),
        ]  # fmt: skip
        if parameters["peer"] == DOLT and size <= parameters["peer_rows"]:
            lines.append(Figure(f"dolt_{cells}_{size}_s", f"{said}: Dolt", "s"))
    return lines


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One dataset a size; each act in a process of its own, so that memory is its own."""
    measured: dict[str, float] = {}
    for size in parameters["rows"]:
        with place(folder / str(size)) as (lake, worker):
            lake.fill(size, seed)
            for number, cells in enumerate(parameters["cells"]):
                acts = _acts(lake, worker, size, cells, seed, number)
                measured |= {
                    f"{act}_{cells}_{size}_{what}": value
                    for act, of_act in acts.items()
                    for what, value in of_act.items()
                }
                merged = acts["merge"]
                say(f"{cells:,} into {size:,}: {merged['s']:.2f} s, {merged['mb']:.0f} MB")
    if parameters["peer"] == DOLT:
        for size in filter(lambda rows: rows <= parameters["peer_rows"], parameters["rows"]):
            repository = dolt.filled(folder / DOLT, size, seed)
            for cells in parameters["cells"]:
                seconds = dolt.merged(repository, _spread(size, cells, seed), seed)
                measured[f"dolt_{cells}_{size}_s"] = seconds
                say(f"Dolt, {cells:,} into {size:,}: {seconds:.2f} s")
    return {"figures": rounded(measured)}


def _acts(
    lake: GovernedPlace, worker: psutil.Process, size: int, cells: int, seed: int, number: int
) -> dict[str, dict[str, float]]:
    """Two changes of the same cells: the first is merged, the second then in conflict with it."""
    quantity = governed.MOST_QUANTITY + 1 + 2 * number
    first = _apart(propose, lake, size, cells, seed, quantity)
    second = _apart(propose, lake, size, cells, seed, quantity + 1)
    merged = _beside(worker, merge, lake, *first, size, seed + number)
    _require(_apart(counted, lake, quantity), cells)
    conflicts = _beside(worker, conflict, lake, second[0], cells)
    return {"merge": merged, "conflicts": {what: conflicts[what] for what in ("s", "cpu")}}


def propose(
    lake: GovernedPlace, size: int, cells: int, seed: int, quantity: int
) -> tuple[int, str]:
    """Propose a change of cells spread over the table: number and content of the request."""
    with lake.opened() as context:
        request = proposed(context, _spread(size, cells, seed), "quantity", quantity)
    return request.number, str(request.content_hash)


def merge(
    lake: GovernedPlace, number: int, content_hash: str, size: int, seed: int
) -> dict[str, float]:
    """Merge an approved request, after another one that warms the processes."""
    with lake.opened() as context:
        warm = proposed(context, _spread(size, 1, seed), "note", 1.0 + number)
        merging.merge(context, AUTHOR, PROJECT, warm.number, str(warm.content_hash))
        began, cpu = time.perf_counter(), time.process_time()
        merging.merge(context, AUTHOR, PROJECT, number, content_hash)
        return _taken(began, cpu)


def conflict(lake: GovernedPlace, number: int, cells: int) -> dict[str, float]:
    """Try a merge of which every cell was changed by others."""
    with lake.opened() as context:
        began, cpu = time.perf_counter(), time.process_time()
        shown = merging.dry_run(context, AUTHOR, PROJECT, number)
        conflicts = [one.as_json() for one in shown.merged.conflicts]
        measured = _taken(began, cpu)
        _require(len(conflicts), cells)
    return measured


def counted(lake: GovernedPlace, quantity: int) -> int:
    """Rows of that quantity."""
    with lake.opened() as context:
        rows = opened_table(context).snapshot.scan(["quantity"], [("quantity", "=", quantity)])
        return sum(len(batch) for batch in rows)


def _beside(worker: psutil.Process, work: Callable[..., Any], *arguments: Any) -> dict[str, float]:
    """What work takes in a process of its own, and the worker beside it."""
    forget_peak(worker.pid)
    before = spent(worker)
    taken: dict[str, float] = _apart(work, *arguments)
    taken["cpu"] += spent(worker) - before
    taken["mb"] += peak_mb(worker.pid)
    return taken


def _taken(began: float, cpu: float) -> dict[str, float]:
    seconds = time.perf_counter() - began
    return {"s": seconds, "cpu": time.process_time() - cpu, "mb": peak_mb("self")}


def _apart(work: Callable[..., Any], *arguments: Any) -> Any:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        return processes.submit(work, *arguments).result()


def _require(actual: int, expected: int) -> None:
    if actual != expected:
        raise RuntimeError(f"{actual:,} of {expected:,} cells")


def _spread(size: int, cells: int, seed: int) -> np.ndarray:
    """Numbers of rows all over the table."""
    chosen = np.random.default_rng([seed, cells]).choice(size, cells, replace=False)
    return np.sort(chosen)


def _sizes(parameters: Parameters) -> list[tuple[int, int]]:
    return list(itertools.product(parameters["rows"], parameters["cells"]))


BENCHMARK = Benchmark(
    name="merging",
    title="Merges of approved changes",
    defaults={
        "rows": [100_000, 1_000_000, 10_000_000],
        "cells": [10, 1_000, 100_000],
        "peer": NOBODY,
        "peer_rows": 1_000_000,
    },
    quick={"rows": [2_000], "cells": [10, 100]},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
