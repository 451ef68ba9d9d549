"""Latency: from a shelf event to the state table and the state message, with all jobs running."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import live, stacks, usage
from benchmarks.events import TOPIC
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, spread
from lakeshelf.kafka import topics
from lakeshelf.streams.resume import checkpoint

PERCENTS = (50, 95, 99)
GOALS = {(1000, "table", 50): 250.0, (1000, "table", 95): 900.0}
TRIGGER_GOALS = {"spark": 1_500.0}
TARGETS = {"table": "commit of cleansed/shelf_state", "message": "shelf_state message"}
WATCH_S = 1.0


def figures(parameters: Parameters) -> list[Figure]:
    """Percentiles for each rate, and triggers of both committers."""
    figures = [
        Figure(f"{target}_{rate}_p{p}", f"{rate:,} events/s: event → {title}, p{p}", "ms", GOALS.get((rate, target, p)))
        for rate in parameters["rates"]
        for target, title in TARGETS.items()
        for p in PERCENTS
    ]  # fmt: skip
    figures += [
        Figure(f"cores_{r}", f"{r:,} events/s: all processes of the stack", "cores")
        for r in parameters["rates"]
    ]
    rate = parameters["trigger_rate"]
    for committer in ("driver", "spark"):
        said = f"shelf-aggregator at {rate:,} events/s, committer {committer}"
        figures += [
            Figure(
                f"trigger_{committer}",
                f"{said}: whole trigger, median",
                "ms",
                TRIGGER_GOALS.get(committer),
            ),
            Figure(f"batch_{committer}", f"{said}: batch function, median", "ms"),
        ]
    return [*figures, Figure("trigger_ratio", "trigger of driver ÷ trigger of spark", "", 0.2)]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One stack for all rates; then one driver a committer."""
    measured: dict[str, float] = {}
    detail: dict[str, Any] = {"rates": {}, "triggers": {}}
    with stacks.stack(folder / "stack") as stack:
        say(f"up in {stack.up_seconds:.1f} s")
        source = live.EventSource(stack.client, parameters["shelves"], seed)
        source.open_shelves()
        stack.wait_folded()
        for rate in parameters["rates"]:
            report = steady(stack, source, rate, parameters)
            detail["rates"][str(rate)] = report
            for target in TARGETS:
                measured |= {f"{target}_{rate}_p{p}": report[target][f"p{p}"] for p in PERCENTS}
            measured[f"cores_{rate}"] = report["cores"]
            say(f"{rate:,} events/s: table {report['table']}, message {report['message']}")
    for committer in ("driver", "spark"):
        report = triggers(folder / committer, committer, parameters, seed)
        detail["triggers"][committer] = report
        measured[f"trigger_{committer}"] = report["trigger_ms"]["p50"]
        measured[f"batch_{committer}"] = report["batch_ms"]["p50"]
        say(f"{committer}: trigger {report['trigger_ms']}")
    measured["trigger_ratio"] = measured["trigger_driver"] / measured["trigger_spark"]
    return {"figures": rounded(measured), **detail}


def steady(
    stack: stacks.BenchmarkedStack, source: live.EventSource, rate: int, parameters: Parameters
) -> dict[str, Any]:
    """Events at a rate; those of the first seconds only warm up."""
    since = topics.end_offsets(stack.client, [live.STATE_TOPIC])[live.STATE_TOPIC]
    warm, seconds = parameters["warm_seconds"], parameters["seconds"]
    names = usage.named(stack.pid, stack.parts)
    before, began = usage.cpu_seconds(names), time.monotonic()
    sent, worst = source.drive(rate, warm + seconds)
    passed = time.monotonic() - began
    used = usage.cores(before, usage.cpu_seconds(names), passed)
    behind = time.monotonic()
    stack.wait_folded()
    catching_up = time.monotonic() - behind
    counted = [event for event in sent if event.at >= sent[0].at + warm]
    lake = stack.settings.lake_root
    rows = [r for r in stacks.batches_of(lake, TOPIC) if stacks.began(r) >= sent[0].at + warm]
    return {
        "table": spread(live.table_delays(lake, counted)),
        "message": spread(live.message_delays(stack.client, since, counted)),
        "batch_ms": spread([row["duration_ms"] for row in rows]),
        "batch_rows": spread([row["rows_in"] for row in rows]),
        "cores": round(used, 3),
        "sender_late_ms": round(worst * 1000, 1),
        "folded_after_end_s": round(catching_up, 2),
    }


def triggers(lake: Path, committer: str, parameters: Parameters, seed: int) -> dict[str, Any]:
    """Trigger and batch times of `shelf-aggregator` alone, with one committer."""
    rate, warm = parameters["trigger_rate"], parameters["warm_seconds"]
    with (
        stacks.broker(lake.with_name(f"{lake.name}-kafka")) as client,
        stacks.driver(lake, client, committer=committer) as driver,
    ):
        source = live.EventSource(client, parameters["shelves"], seed)
        source.open_shelves()
        driver.wait_folded(topics.end_offsets(client, [TOPIC]))
        held = checkpoint.current(driver.settings.checkpoint_dir, stacks.JOB)
        log = live.TriggerLog(Path(str(held.path)))
        log.look()
        done = threading.Event()
        watcher = threading.Thread(target=live.watched, args=(log, WATCH_S, done.is_set))
        watcher.start()
        try:
            sent, _ = source.drive(rate, warm + parameters["trigger_seconds"])
            driver.wait_folded(topics.end_offsets(client, [TOPIC]))
        finally:
            done.set()
            watcher.join()
    since, until = sent[0].at + warm, sent[-1].at
    every = stacks.batches_of(lake, TOPIC)
    # A trigger can be longer than the whole window; then its last batch speaks.
    rows = [r for r in every if since <= stacks.began(r) <= until] or every[-1:]
    whole = [log.durations[r["batch_id"]] for r in rows if r["batch_id"] in log.durations]
    return {
        "trigger_ms": spread(whole),
        "batch_ms": spread([row["duration_ms"] for row in rows]),
        "batch_rows": spread([row["rows_in"] for row in rows]),
    }


BENCHMARK = Benchmark(
    name="latency",
    title="Latency with all jobs running, and trigger time of both committers",
    defaults={
        "rates": [1000, 5000],
        "seconds": 60,
        "warm_seconds": 20,
        "shelves": 93_419,
        "trigger_rate": 1000,
        "trigger_seconds": 40,
    },
    quick={
        "rates": [50],
        "seconds": 4,
        "warm_seconds": 2,
        "shelves": 200,
        "trigger_rate": 50,
        "trigger_seconds": 6,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
