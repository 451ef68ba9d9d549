"""Queries over pinned snapshots by each engine, `lakeshelf sql` from process start, results streamed into Delta."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.library import NAME, made, timed
from lakeshelf import query
from lakeshelf.lake import Lake
from lakeshelf.query import duck

ENGINES = ("arrow", "duckdb", "datafusion", "polars", "pandas", "ibis")
STREAMED = "curated/streamed"
SELECT = 'SELECT k, store, quantity, amount * 1.19 AS amount, "at" FROM rows'


def figures(parameters: Parameters) -> list[Figure]:
    """Each engine, then the command line, then streaming."""
    figures = []
    for rows in parameters["rows"]:
        figures += [
            Figure(f"{e}_{rows}", f"sum by store, {rows:,} rows: {e}", "ms") for e in ENGINES
        ]
        figures += [
            Figure(f"duckdb_{rows}_plain", f"the same: plain DuckDB over delta-rs, {rows:,} rows", "ms"),
            Figure(f"polars_{rows}_plain", f"the same: plain Polars scan_delta, {rows:,} rows", "ms"),
        ]  # fmt: skip
    return [
        *figures,
        Figure("import", "import of lakeshelf.lake", "ms", 300),
        Figure("import_plain", "import of pyarrow and deltalake alone", "ms"),
        Figure("sql", f"`lakeshelf sql`, first row of {parameters['sql_rows']:,}", "ms", 700),
        Figure("stream_share", "DuckDB result into Delta, ours ÷ plain", "", 0.8, higher=True),
        Figure("stream_rows", "rows a second into Delta, ours", "rows/s"),
        Figure("stream_plain", "rows a second into Delta, plain", "rows/s"),
        Figure("stream_memory", "peak memory while streaming, ours", "MiB", 1024),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One lake a size; the command line in processes of its own."""
    measured: dict[str, float] = {}
    for rows in parameters["rows"]:
        lake = filled(folder / str(rows), rows, seed)
        measured |= _engines(lake, rows, parameters["repeats"])
        say(
            ", ".join(f"{e} {measured[f'{e}_{rows}']:.0f} ms" for e in ENGINES)
            + f" of {rows:,} rows"
        )
    lake = filled(folder / "sql", parameters["sql_rows"], seed)
    measured |= _starts(lake, parameters["repeats"])
    say(f"import {measured['import']:.0f} ms, sql {measured['sql']:.0f} ms")
    measured |= _streaming(folder, parameters["streamed"], seed)
    say(
        f"streaming at {measured['stream_share']:.2f} of plain, {measured['stream_memory']:.0f} MiB"
    )
    return {"figures": rounded(measured)}


def filled(folder: Path, rows: int, seed: int) -> Lake:
    """A lake with one table, written in parts."""
    lake, random = Lake(folder), np.random.default_rng(seed)
    for part in np.array_split(np.arange(rows), max(1, rows // 1_000_000)):
        lake.append(NAME, made(random, part))
    return lake


def _engines(lake: Lake, rows: int, repeats: int) -> dict[str, float]:
    snapshot, sessions = lake.snapshot(NAME), _sessions()
    place = str(lake.root.of(NAME))

    def total(engine: str) -> Any:
        columns = ["store", "amount"]
        served = query.serve(snapshot, engine, columns=columns, session=sessions.get(engine))
        return SUMS[engine](served.value)

    measured = {f"{e}_{rows}": timed(partial(total, e), repeats) for e in ENGINES}
    return measured | {
        f"duckdb_{rows}_plain": timed(lambda: _plain_duckdb(place), repeats),
        f"polars_{rows}_plain": timed(
            lambda: _sum_polars(pl.scan_delta(place).select("store", "amount")), repeats
        ),
    }


def _sessions() -> dict[str, Any]:
    """Connections that a user keeps: to open one loads DuckDB's extension anew."""
    import ibis  # noqa: PLC0415 - one engine of many

    return {"duckdb": duck.connected(), "ibis": ibis.duckdb.from_connection(duck.connected())}


def _sum_arrow(value: Any) -> Any:
    return value.read_all().group_by("store").aggregate([("amount", "sum")])


def _sum_duckdb(value: Any) -> Any:
    return value.aggregate("store, sum(amount)").fetchall()


def _sum_datafusion(value: Any) -> Any:
    from datafusion import col  # noqa: PLC0415 - one engine of many
    from datafusion import functions as F  # noqa: PLC0415

    return value.aggregate([col("store")], [F.sum(col("amount"))]).collect()


def _sum_polars(value: Any) -> Any:
    return value.group_by("store").agg(pl.col("amount").sum()).collect()


def _sum_pandas(value: Any) -> Any:
    return value.groupby("store")["amount"].sum()


def _sum_ibis(value: Any) -> Any:
    return value.group_by("store").aggregate(total=value.amount.sum()).to_pyarrow()


SUMS: dict[str, Callable[[Any], Any]] = {
    "arrow": _sum_arrow,
    "duckdb": _sum_duckdb,
    "datafusion": _sum_datafusion,
    "polars": _sum_polars,
    "pandas": _sum_pandas,
    "ibis": _sum_ibis,
}


def _plain_duckdb(place: str) -> Any:
    rows = pa.RecordBatchReader.from_stream(DeltaTable(place).scan(columns=["store", "amount"]))  # noqa: F841 - DuckDB finds it by name
    return duckdb.sql("SELECT store, sum(amount) FROM rows GROUP BY store").fetchall()


def _starts(lake: Lake, repeats: int) -> dict[str, float]:
    statement = f"SELECT * FROM {NAME.replace('/', '.')} WHERE k = 77"
    command = [
        sys.executable,
        "-m",
        "lakeshelf.cli.main",
        "--lake",
        lake.root.uri,
        "sql",
        statement,
    ]
    ours = [sys.executable, "-c", "import lakeshelf.lake"]
    plain = [sys.executable, "-c", "import pyarrow, deltalake"]
    bare = _process([sys.executable, "-c", "pass"], repeats)
    return {
        "import": _process(ours, repeats) - bare,
        "import_plain": _process(plain, repeats) - bare,
        "sql": _process(command, repeats),
    }


def _process(command: list[str], repeats: int) -> float:
    def work() -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    work()
    return timed(work, repeats)


def _streaming(folder: Path, rows: int, seed: int) -> dict[str, float]:
    filled(folder / "source", rows, seed)
    outputs: dict[str, list[dict[str, float]]] = {"ours": [], "plain": []}
    for number in range(3):
        for way in ("ours", "plain") if number % 2 else ("plain", "ours"):
            target = folder / f"{way}{number}"
            command = [sys.executable, "-m", "benchmarks.queries", "stream", way]
            out = subprocess.run(
                [*command, str(folder / "source"), str(target)],
                check=True, capture_output=True, text=True, env=dict(os.environ),
            ).stdout  # fmt: skip
            outputs[way].append(json.loads(out))
    seconds = {
        way: statistics.median(o["seconds"] for o in of_way) for way, of_way in outputs.items()
    }
    return {
        "stream_share": seconds["plain"] / seconds["ours"],
        "stream_rows": rows / seconds["ours"],
        "stream_plain": rows / seconds["plain"],
        "stream_memory": max(o["mib"] for o in outputs["ours"]),
    }


def stream(way: str, source: str, target: str) -> None:
    """Stream a DuckDB result into a new Delta table; prints seconds and peak memory as JSON."""
    snapshot = Lake(source).snapshot(NAME)
    begun = time.perf_counter()
    if way == "ours":
        served = query.serve(snapshot, "duckdb").value
        rows = served.project('k, store, quantity, amount * 1.19 AS amount, "at"')
        Lake(target).append(STREAMED, rows)
    else:
        rows = pa.RecordBatchReader.from_stream(snapshot.handle.scan())
        result = duckdb.sql(SELECT).to_arrow_reader(131_072)
        write_deltalake(f"{target}/{STREAMED}", result)
    report = {"seconds": time.perf_counter() - begun, "mib": _peak_kib() / 1024}
    sys.stdout.write(json.dumps(report))


def _peak_kib() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


BENCHMARK = Benchmark(
    name="queries",
    title="Queries by each engine, the command line, and results streamed into Delta",
    defaults={
        "rows": [100_000, 1_000_000, 10_000_000],
        "sql_rows": 1_000_000,
        "streamed": 10_000_000,
        "repeats": 5,
    },
    quick={"rows": [1_000], "sql_rows": 1_000, "streamed": 10_000, "repeats": 1},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["stream"]:
        stream(*sys.argv[2:])
    else:
        sys.exit(main(BENCHMARK))
