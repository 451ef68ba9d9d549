"""Catch-up: how fast `shelf-aggregator` gets through a topic that was filled before."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import events, stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables

TABLES = ("raw/shelf_events", "cleansed/shelf_state")
VARIANTS = ("driver", "spark")
RATIO_GOAL = 0.75
GOALS = {
    "driver_warm": 100_000.0,
    "driver_with_start": 50_000.0,
    "spark_warm": 40_000.0,
}
"""Events a second, of a million events or more."""
WAYS = {
    "driver": "raw + state + topic, duplicates recognised, delta-rs commits",
    "spark": "the same job, Spark's Delta writer and MERGE commit",
    "plain": "plain loop confluent-kafka + pyarrow.json + delta-rs, raw only",
}

PASSES = {
    "cold": "first pass",
    "warm": "second pass",
    "with_start": "first pass, with the start of the process",
}


def figures(parameters: Parameters) -> list[Figure]:
    """Rates of the three ways, cold, warm and with the start."""
    figures = []
    goals = GOALS if parameters["records"] >= 1_000_000 else {}
    for way in parameters["ways"]:
        title = WAYS[way]
        figures += [
            Figure(f"{way}_{key}", f"{title}: {end}", "events/s", goals.get(f"{way}_{key}"), higher=True)
            for key, end in PASSES.items()
        ]  # fmt: skip
    if {"driver", "plain"} <= set(parameters["ways"]):
        title = "raw + state + topic ÷ plain loop, second pass"
        figures.append(Figure("driver_to_plain", title, "", RATIO_GOAL, higher=True))
    return figures


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Fill the topic once, then go through it in each of the three ways, on an empty lake each."""
    total = 2 * parameters["records"]
    shape = events.Shape(
        shelves=parameters["shelves"],
        per_day=max(1, parameters["records"] // parameters["days"]),
        seed=seed,
        repeat_every=parameters["repeat_every"],
    )
    with stacks.broker(folder) as client:
        seconds = stacks.send(client, events.records(shape, 0, total))
        say(f"{total:,} records sent in {seconds:.1f} s")
        ends = topics.end_offsets(client, [events.TOPIC])
        reports: dict[str, Any] = {}
        if "plain" in parameters["ways"]:
            reports["plain"] = plain(folder / "plain", client, ends[events.TOPIC], parameters)
        for committer in (way for way in VARIANTS if way in parameters["ways"]):
            lake = folder / committer
            reports[committer] = ours(lake, client, ends, committer, parameters["batch_rows"])
            repeats = events.repeats(shape, 0, total)
            check(reports[committer], total, repeats)
    measured = {}
    for way, report in reports.items():
        measured.update(rates(way, report, parameters["records"]))
        say(f"{way}: " + ", ".join(f"{k} {v:,.0f}" for k, v in measured.items() if way in k))
    if {"driver_warm", "plain_warm"} <= measured.keys():
        measured["driver_to_plain"] = measured["driver_warm"] / measured["plain_warm"]
    return {"figures": rounded(measured), "send_seconds": round(seconds, 2), **reports}


def ours(
    lake: Path, client: dict[str, str], ends: topics.Offsets, committer: str, batch_rows: int
) -> dict[str, Any]:
    """The job with one committer."""
    with stacks.driver(lake, client, committer=committer, max_batch_rows=batch_rows) as driver:
        driver.wait_folded(ends)
        launched = driver.launched
    rows = stacks.batches_of(lake, events.TOPIC)
    names = ("rows_in", "valid", "duplicate", "quarantined")
    return {
        "launched": launched,
        "batches": [{"rows": r["rows_in"], "began": stacks.began(r), "ended": stacks.ended(r)} for r in rows],
        "counts": {name: sum(r[name] for r in rows) for name in names},
        "table_rows": {name: tables.row_count(lake, name) for name in TABLES},
    }  # fmt: skip


def plain(
    lake: Path, client: dict[str, str], ends: dict[str, int], parameters: Parameters
) -> dict[str, Any]:
    """The plain loop, in a process of its own like ours."""
    tables.ensure_all(lake)
    module = "benchmarks.plain_loop"
    command = [sys.executable, "-m", module, str(lake), client["bootstrap.servers"]]
    command += [json.dumps(ends), str(parameters["batch_rows"])]
    launched = time.time()
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return {
        "launched": launched,
        "batches": json.loads(printed),
        "table_rows": {"raw/shelf_events": tables.row_count(lake, "raw/shelf_events")},
    }


def rates(way: str, report: dict[str, Any], records: int) -> dict[str, float]:
    """Events a second of both passes; a pass is so many records, in whole batches."""
    batches: Sequence[dict[str, Any]] = report["batches"]
    done, cut = 0, 0
    while done < records:
        done += batches[cut]["rows"]
        cut += 1
    first, second = batches[:cut], batches[cut:]
    middle = first[-1]["ended"]
    measured = {
        f"{way}_cold": done / (middle - first[0]["began"]),
        f"{way}_with_start": done / (middle - report["launched"]),
    }
    if second:
        rows = sum(batch["rows"] for batch in second)
        measured[f"{way}_warm"] = rows / (second[-1]["ended"] - middle)
    return measured


def check(report: dict[str, Any], total: int, repeats: int) -> None:
    """Raise unless every record was folded once: a fast wrong answer is no result."""
    counts, rows = report["counts"], report["table_rows"]
    expected = {"rows_in": total, "valid": total - repeats, "duplicate": repeats, "quarantined": 0}
    if counts != expected or rows["raw/shelf_events"] != total - repeats:
        raise RuntimeError(f"counted {counts}, tables {rows}; should be {expected}")


BENCHMARK = Benchmark(
    name="catchup",
    title="Catch-up from a topic that was filled before",
    defaults={
        "records": 1_000_000,
        "shelves": 93_419,
        "days": 365,
        "batch_rows": 200_000,
        "repeat_every": 1_000,
        "ways": list(WAYS),
    },
    quick={"records": 5_000, "shelves": 500, "days": 4, "batch_rows": 2_500, "repeat_every": 100},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
