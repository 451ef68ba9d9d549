"""The Delta library beside plain delta-rs: append, read, merge, change feed, compaction at several sizes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.lake import Consumer, Lake
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.write import merging

NAME, LOG = "curated/bench", "curated/appended"
KEY = ("k",)
ACTS = ("append", "read", "merge")
MARGIN_PERCENT, MARGIN_MS = 3.0, 3.0


def figures(parameters: Parameters) -> list[Figure]:
    """Ours and plain delta-rs, in milliseconds, and what ours costs more."""
    figures = []
    for rows in parameters["rows"]:
        for act in ACTS:
            what = f"{act}, {rows:,} rows"
            figures += [
                Figure(f"{act}_{rows}_ours", f"{what}: ours", "ms"),
                Figure(f"{act}_{rows}_plain", f"{what}: plain delta-rs", "ms"),
                Figure(f"{act}_{rows}_over", f"{what}: overhead", "%"),
                Figure(f"{act}_{rows}_excess", f"{what}: overhead beyond 3 % or 3 ms", "ms", 0),
            ]
        figures += [
            Figure(f"dedup_{rows}", f"de-duplication of {rows // 10:,} rows, on its own", "ms"),
            Figure(f"feed_{rows}", f"changes of a merge, {rows:,} rows", "ms"),
            Figure(f"feed_{rows}_plain", f"the same by plain load_cdf, {rows:,} rows", "ms"),
            Figure(
                f"feed_{rows}_times",
                f"changes of a merge beside plain load_cdf, {rows:,} rows",
                "times",
                3,
            ),
            Figure(f"feed_{rows}_peak", f"memory of the changes, {rows:,} rows", "MB", 1_000),
            Figure(f"compaction_{rows}", f"compaction of 100 files, {rows:,} rows", "ms"),
            Figure(f"compaction_{rows}_plain", f"the same by plain delta-rs, {rows:,} rows", "ms"),
        ]
    return figures


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Each act some times in turn, ours and plain, on tables of their own."""
    measured: dict[str, float] = {}
    for rows in parameters["rows"]:
        bench = Bench(folder / str(rows), rows, np.random.default_rng(seed), parameters["repeats"])
        measured |= bench.figures()
        shown = ", ".join(f"{act} {measured[f'{act}_{rows}_over']:.1f} %" for act in ACTS)
        say(f"{rows:,} rows: overhead of {shown}")
    return {"figures": rounded(measured)}


@dataclass
class Bench:
    """Two tables with the same rows: one written by us, one by plain delta-rs.

    Attributes:
        folder: Folder of the lake.
        rows: Rows of a table.
        random: Gives the values.
        repeats: How often an act is timed.
    """

    folder: Path
    rows: int
    random: np.random.Generator
    repeats: int

    def figures(self) -> dict[str, float]:
        """What was measured."""
        table = made(self.random, np.arange(self.rows))
        lake, plain = Lake(self.folder / "lake"), str(self.folder / "plain")
        lake.create(NAME, table.schema, key=KEY)
        lake.append(NAME, table)
        write_deltalake(plain, table, configuration=properties(lake))
        measured = self._paired("append", self._appends(lake, table))
        measured |= self._paired("read", self._reads(lake, plain))
        changed = made(self.random, self._some_keys())
        dedup = timed(lambda: merging.newest(changed, list(KEY), [], NAME), self.repeats)
        measured |= self._paired("merge", self._merges(lake, plain, changed), dedup)
        measured[f"dedup_{self.rows}"] = dedup
        return measured | self._feed(lake) | self._compaction()

    def _some_keys(self) -> Any:
        return self.random.choice(self.rows, self.rows // 10, replace=False)

    def _paired(
        self, act: str, ways: Mapping[str, Callable[[], Any]], apart: float = 0.0
    ) -> dict[str, float]:
        """Times of both ways in turn; `apart` is a part of ours that is told on its own."""
        times: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(self.repeats):
            turns = list(ways.items())
            for way, work in turns if number % 2 else reversed(turns):
                times[way].append(timed(work, 1))
        ours, plain = (statistics.median(times[way]) for way in ("ours", "plain"))
        ours -= apart
        allowed = max(plain * MARGIN_PERCENT / 100, MARGIN_MS)
        return {
            f"{act}_{self.rows}_ours": ours,
            f"{act}_{self.rows}_plain": plain,
            f"{act}_{self.rows}_over": 100 * (ours - plain) / plain,
            f"{act}_{self.rows}_excess": max(0.0, ours - plain - allowed),
        }

    def _appends(self, lake: Lake, table: pa.Table) -> dict[str, Callable[[], Any]]:
        place = str(self.folder / "appended")
        lake.create(LOG, table.schema, key=KEY)
        write_deltalake(place, table.slice(0, 0), configuration=properties(lake))
        return {
            "ours": lambda: lake.append(LOG, table),
            "plain": lambda: write_deltalake(place, table, mode="append"),
        }

    def _reads(self, lake: Lake, plain: str) -> dict[str, Callable[[], Any]]:
        schema = lake.snapshot(NAME).schema

        def theirs() -> pa.Table:
            reader = pa.RecordBatchReader.from_stream(DeltaTable(plain).scan())
            return reader.cast(schema).read_all()

        return {"ours": lambda: lake.read(NAME).read_all(), "plain": theirs}

    def _merges(self, lake: Lake, plain: str, changed: pa.Table) -> dict[str, Callable[[], Any]]:
        turns = [with_amount(changed, n + 0.5) for n in range(2 * self.repeats + 2)]
        queue = {"ours": list(turns), "plain": list(turns)}
        return {
            "ours": lambda: lake.merge(NAME, queue["ours"].pop()),
            "plain": lambda: plain_merge(DeltaTable(plain), queue["plain"].pop()),
        }

    def _feed(self, lake: Lake) -> dict[str, float]:
        consumer = Consumer("bench", "curated/follower")
        lake.create(consumer.output, lake.snapshot(NAME).schema, key=KEY)
        first = lake.changes(NAME, consumer)
        lake.merge(consumer.output, first.rows, txn=first.txns)
        lake.merge(NAME, with_amount(made(self.random, self._some_keys()), -1.0))
        version = lake.snapshot(NAME).version
        measured = self._paired(
            "feed",
            {
                "ours": lambda: _read(lake, consumer),
                "plain": lambda: self._plain_feed(version),
            },
        )
        ours, plain = (measured[f"feed_{self.rows}_{way}"] for way in ("ours", "plain"))
        return {
            f"feed_{self.rows}": ours,
            f"feed_{self.rows}_plain": plain,
            f"feed_{self.rows}_times": ours / plain,
            f"feed_{self.rows}_peak": peak_of_changes(self.folder / "lake"),
        }

    def _plain_feed(self, version: int) -> pa.Table:
        table = DeltaTable(str(self.folder / "lake" / NAME))
        return pa.RecordBatchReader.from_stream(table.load_cdf(version)).read_all()

    def _compaction(self) -> dict[str, float]:
        ours, plain = [], []
        for number in range(max(1, self.repeats // 3)):
            lake = Lake(self.folder / f"small{number}")
            place = str(self.folder / f"plain{number}")
            part = made(self.random, np.arange(self.rows // 100))
            for _ in range(100):
                lake.append(NAME, part)
                write_deltalake(place, part, mode="append")
            ours.append(timed(partial(maintenance.optimize, lake.snapshot(NAME).handle), 1))
            plain.append(timed(DeltaTable(place).optimize.compact, 1))
        return {
            f"compaction_{self.rows}": statistics.median(ours),
            f"compaction_{self.rows}_plain": statistics.median(plain),
        }


def properties(lake: Lake) -> dict[str, str]:
    """Properties of our table, for a plain one."""
    configuration = lake.snapshot(NAME).handle.metadata().configuration
    return {name: value for name, value in configuration.items() if name.startswith("delta.")}


def _read(lake: Lake, consumer: Consumer) -> pa.Table:
    return lake.changes(NAME, consumer).rows.read_all()


def peak_of_changes(root: Path) -> float:
    """Megabytes that a process of its own takes at most to go through the changes of `_feed`.

    `ru_maxrss` would tell the most that this process ever took: it is inherited.
    """
    program = (
        "import sys; from lakeshelf.lake import Consumer, Lake;"
        f"changes = Lake(sys.argv[1]).changes({NAME!r}, Consumer('bench', 'curated/follower'));"
        "sum(batch.num_rows for batch in changes.rows);"
        "lines = open('/proc/self/status').read().splitlines();"
        "print(next(line.split()[1] for line in lines if line.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(root)], capture_output=True, check=True
    )
    return float(done.stdout) / 1024


def made(random: np.random.Generator, keys: Any) -> pa.Table:
    """Rows of a plausible table: key, text, numbers, a time."""
    count = len(keys)
    return pa.table(
        {
            "k": pa.array(keys, pa.int64()),
            "store": pa.array([f"store-{n}" for n in range(50)]).take(
                pa.array(random.integers(0, 50, count))
            ),
            "quantity": pa.array(random.integers(0, 1000, count), pa.int64()),
            "amount": pa.array(random.random(count) * 100),
            "at": pa.array(
                1_700_000_000_000_000 + random.integers(0, 10**12, count),
                pa.timestamp("us", tz="UTC"),
            ),
        }
    )


def with_amount(rows: pa.Table, amount: float) -> pa.Table:
    """The same rows with another amount."""
    values = pa.array(np.full(rows.num_rows, amount))
    return rows.set_column(rows.column_names.index("amount"), "amount", values)


def plain_merge(table: DeltaTable, rows: pa.Table) -> None:
    """The same merge by delta-rs alone: source without duplicates, equal rows left as they are."""
    columns = {name: f"s.`{name}`" for name in rows.column_names}
    others = [name for name in rows.column_names if name not in KEY]
    differs = " OR ".join(f"(t.`{name}` IS DISTINCT FROM s.`{name}`)" for name in others)
    merge = table.merge(rows, "t.`k` = s.`k`", source_alias="s", target_alias="t")
    merge.when_matched_update(columns, f"({differs})").when_not_matched_insert(columns).execute()


def timed(work: Callable[[], Any], times: int) -> float:
    """Median milliseconds of some work."""
    milliseconds = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        milliseconds.append(1000 * (time.perf_counter() - begun))
    return statistics.median(milliseconds)


BENCHMARK = Benchmark(
    name="library",
    title="The Delta library beside plain delta-rs",
    defaults={"rows": [100_000, 1_000_000, 10_000_000], "repeats": 7},
    quick={"rows": [1_000], "repeats": 3},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
