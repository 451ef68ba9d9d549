"""Growth: the time of a batch of fixed size as shelves and raw rows grow."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from benchmarks import events, stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, percentile, rounded, spread
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.streams.resume import checkpoint

CHUNK = 1_000_000
RAW, STATE = "raw/shelf_events", "cleansed/shelf_state"


@dataclass(frozen=True)
class Case:
    """One lake.

    Attributes:
        shelves: Rows of `cleansed/shelf_state`.
        raw: Rows of `raw/shelf_events` before the first batch.
        repeats: Whether one record in a hundred repeats an event from anywhere in raw.
    """

    shelves: int
    raw: int
    repeats: bool = False

    @property
    def key(self) -> str:
        """Name of its figure."""
        return f"batch_s{self.shelves}_r{self.raw}" + ("_repeats" if self.repeats else "")

    @property
    def title(self) -> str:
        """Name for people."""
        suffix = ", 1 in 100 repeats an event from anywhere in raw" if self.repeats else ""
        return f"{self.shelves:,} shelves, {self.raw:,} raw rows{suffix}"

    def shape(self, parameters: Parameters, seed: int) -> events.Shape:
        """Its events; raw holds the first ones, the topic those that follow."""
        every = 100 if self.repeats else 0
        return events.Shape(self.shelves, parameters["per_day"], seed, every, self.raw)


def cases(parameters: Parameters) -> list[Case]:
    """Shelves grow at a fixed number of raw rows, then raw rows at a fixed number of shelves."""
    middle = parameters["shelf_axis_raw"]
    raws, fixed = parameters["raws"], parameters["raw_axis_shelves"]
    cases = [Case(shelves, max(middle, shelves)) for shelves in parameters["shelves"]]
    cases += [Case(min(fixed, raw), raw) for raw in raws]
    cases += [Case(min(fixed, raw), raw, repeats=True) for raw in (raws[0], raws[-1])]
    return list(dict.fromkeys(cases))


def figures(parameters: Parameters) -> list[Figure]:
    """A batch time each case, and how much it grows with raw."""
    rows = parameters["batch_rows"]
    batch_figures = [
        Figure(c.key, f"batch of {rows:,} events: {c.title}", "ms") for c in cases(parameters)
    ]
    first, last = parameters["raws"][0], parameters["raws"][-1]
    said = f"batch time at {last:,} raw rows ÷ at {first:,}"
    return [
        *batch_figures,
        Figure("raw_growth", said, "", 1.25),
        Figure("raw_growth_repeats", f"{said}, with repeats", ""),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """All cases, on one broker."""
    reports: dict[str, Any] = {}
    with stacks.broker(folder) as client:
        for case in cases(parameters):
            lake = folder / case.key
            shape = case.shape(parameters, seed)
            base = folder / f"base_s{case.shelves}_r{case.raw}"
            if not base.exists():
                fill(base, shape, case.raw)
            # Delta never changes a file in place, so lakes can share those of their base.
            shutil.copytree(base, lake, copy_function=os.link)
            reports[case.key] = drive(lake, client, case, shape, parameters)
            shutil.rmtree(lake)
            say(f"{case.title}: {reports[case.key]['duration_ms']}")
    measured = {key: report["duration_ms"]["p50"] for key, report in reports.items()}
    for suffix in ("", "_repeats"):
        first, last = (
            next(
                c
                for c in cases(parameters)
                if c.raw == raw
                and c.repeats == bool(suffix)
                and c.shelves == min(parameters["raw_axis_shelves"], raw)
            )
            for raw in (parameters["raws"][0], parameters["raws"][-1])
        )
        measured[f"raw_growth{suffix}"] = measured[last.key] / measured[first.key]
    return {"figures": rounded(measured), "cases": reports}


def fill(lake: Path, shape: events.Shape, rows: int) -> None:
    """Put the first events into raw and what follows from them into state, without a stack."""
    tables.ensure_all(lake)
    raw = tables.open_table(lake, RAW)
    for first, last in pairwise([*range(0, rows, CHUNK), rows]):
        # Without repeats: what raw holds are events, not records.
        once = events.Shape(shape.shelves, shape.per_day, shape.seed)
        write_deltalake(raw, conformed(RAW, events.raw_rows(once, first, last)), mode="append")
        state = conformed(STATE, events.state_rows(once, rows)) if last == rows else None
    assert state is not None
    write_deltalake(tables.open_table(lake, STATE), state, mode="append")


def conformed(name: str, rows: pa.Table) -> pa.Table:
    """Rows in the shape of a table; columns that they lack are null."""
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    columns = [
        rows[f.name].cast(f.type) if f.name in rows.column_names else pa.nulls(len(rows), f.type)
        for f in schema
    ]
    return pa.table(columns, schema=schema)


def drive(
    lake: Path, client: dict[str, str], case: Case, shape: events.Shape, parameters: Parameters
) -> dict[str, Any]:
    """Batches of a fixed size through Kafka; the first ones only warm up."""
    rows, warm = parameters["batch_rows"], parameters["warm_batches"]
    count = rows * (warm + parameters["batches"])
    # The query begins where the topic ends now, so that each case reads its own records only.
    start = topics.end_offsets(client, [events.TOPIC])
    stacks.send(client, events.records(shape, case.raw, case.raw + count))
    ends = topics.end_offsets(client, [events.TOPIC])
    checkpoint.begin(lake / "_checkpoints", stacks.JOB, start)
    with stacks.driver(lake, client, max_batch_rows=rows) as driver:
        driver.wait_folded(ends)
    batches = stacks.batches_of(lake, events.TOPIC)
    check(lake, case, shape, batches, count)
    # Partitions differ in length, so the last batches of the topic may be smaller.
    full = [row for row in batches if row["rows_in"] > rows * 0.9]
    timed = [row["duration_ms"] for row in full[warm:]]
    return {
        "first_batch_ms": batches[0]["duration_ms"],
        "duration_ms": spread(timed),
        "p50": percentile(timed, 50),
        "batches": timed,
        "duplicates": sum(row["duplicate"] for row in batches),
        "files": len(tables.open_table(lake, RAW).file_uris()),
    }


def check(
    lake: Path, case: Case, shape: events.Shape, batches: list[dict[str, Any]], count: int
) -> None:
    """Raise unless every record was folded once and every repeat recognised."""
    repeats = events.repeats(shape, case.raw, case.raw + count)
    counted = tuple(sum(row[name] for row in batches) for name in ("rows_in", "valid", "duplicate"))
    held = (tables.row_count(lake, RAW), tables.row_count(lake, STATE))
    if counted != (count, count - repeats, repeats) or held != (
        case.raw + count - repeats,
        case.shelves,
    ):
        raise RuntimeError(f"{case.title}: counted {counted} with {repeats} repeats, tables {held}")


BENCHMARK = Benchmark(
    name="growth",
    title="Batch time as the lake grows (shelf-aggregator)",
    defaults={
        "shelves": [10_000, 100_000, 1_000_000],
        "shelf_axis_raw": 1_000_000,
        "raws": [100_000, 1_000_000, 10_000_000],
        "raw_axis_shelves": 100_000,
        "per_day": 27_397,
        "batch_rows": 1_000,
        "warm_batches": 40,
        "batches": 40,
    },
    quick={
        "shelves": [100],
        "shelf_axis_raw": 500,
        "raws": [500, 1_000],
        "raw_axis_shelves": 100,
        "per_day": 300,
        "batch_rows": 100,
        "warm_batches": 2,
        "batches": 4,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
