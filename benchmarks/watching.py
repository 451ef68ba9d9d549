"""Watching: what a scrape and the measuring of a batch cost, with as many series as a process may have."""

from __future__ import annotations

import statistics
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.settings import load_settings
from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.declare.plan import QueryPlan, plan
from lakeshelf.streams.declare.registry import discover
from lakeshelf.streams.run import measuring
from lakeshelf.telemetry import metrics
from lakeshelf.telemetry.metrics import METRICS
from lakeshelf.telemetry.serving import Telemetry, served

WAITS = ("commits", "broker")
OF_API = {metrics.HTTP_DURATION, metrics.CHANGE_REQUESTS}
"""Metrics that a driver does not have."""


def figures(_: Parameters) -> list[Figure]:
    """A page as large as it can be, and a batch of the query with the most tables."""
    return [
        Figure("scrape_ms", "`/metrics`, every metric at its bound: asked → answered", "ms", 20.0),
        Figure("scrape_cpu_ms", "the same: processor time, caller included", "ms"),
        Figure("series", "series of that page", "", 2_000),
        Figure("batch_ms", "all that a batch of the largest query measures: 1 % of a batch of 300 ms", "ms", 3.0),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Fill every metric, ask for the page, and measure batches."""
    settings = load_settings(lake_root=folder / "lake")
    queries = plan(discover(settings.home).values())
    largest = max(queries, key=lambda query: len(query.tables))
    with served(settings, "streams") as telemetry:
        batch_ms = _batches(largest, parameters["batches"])
        _fill()
        wall, cpu, page = _scrapes(telemetry, parameters["scrapes"])
    series = sum(not line.startswith("#") for line in page.splitlines())
    say(f"{series:,} series, {len(page):,} bytes, a scrape {wall:.1f} ms")
    if f'query="{largest.name}"' not in page:
        raise RuntimeError(f"the page says nothing of {largest.name}")
    measured = {"scrape_ms": wall, "scrape_cpu_ms": cpu, "series": series, "batch_ms": batch_ms}
    return {"figures": rounded(measured), "query": largest.name, "tables": len(largest.tables)}


def _fill() -> None:
    for metric in set(METRICS.values()) - OF_API:
        for number in range(metric.most + 1):
            metric.take(1, **dict.fromkeys(metric.labels, f"label-as-long-as-names-{number}"))


def _scrapes(telemetry: Telemetry, count: int) -> tuple[float, float, str]:
    """Median milliseconds of a scrape, its processor time, and the page."""
    seconds, page, cpu = [], "", time.process_time()
    for _ in range(count):
        began = time.perf_counter()
        with urllib.request.urlopen(f"{telemetry.address}/metrics") as answer:
            page = answer.read().decode()
        seconds.append(time.perf_counter() - began)
    spent = (time.process_time() - cpu) / count
    return 1000 * statistics.median(seconds), 1000 * spent, page


def _batches(query: QueryPlan, count: int) -> float:
    """Processor milliseconds of what a batch measures, and what is told of its lag."""
    cpu = time.process_time()
    for number in range(count):
        _batch(query, number)
    return 1000 * (time.process_time() - cpu) / count


def _batch(query: QueryPlan, number: int) -> None:
    """All that is measured on the way of a batch that touches every table and topic."""
    for name in metrics.BATCH_STEPS:
        with measuring.step(query.name, name):
            pass
    for wait in WAITS:
        with measuring.waiting(query.name, wait):
            pass
    for update in query.updates:
        metrics.STATEMENT_DURATION.take(0.1, query=query.name, statement=update.table)
    for table in query.tables:
        metrics.COMMIT_WORK.take(0.1, table=table)
        metrics.COMMIT_DURATION.take(0.1, table=table, committer="driver", operation="append")
        metrics.COMMIT_CONFLICTS.add(0, table=table)
        metrics.TABLE_VERSION.take(number, table=table)
        metrics.UNMAINTAINED.take(number, table=table)
    for topic in query.published:
        metrics.PUBLISHED.add(1, topic=topic)
        metrics.PUBLISH_ERRORS.add(0, topic=topic)
    topics = [topic.name for topic in query.topics]
    measuring.records(query.name, {topic: Counts(rows_in=1, valid=1) for topic in topics}, ())
    metrics.BATCHES.add(query=query.name, outcome="done")
    metrics.BATCH_DONE.take(time.time(), query=query.name)
    ends = {topic: {str(partition): number for partition in range(4)} for topic in topics}
    measuring.lag(query, ends, ends, dict.fromkeys(topics, datetime.now(UTC)))


BENCHMARK = Benchmark(
    name="watching",
    title="What watching costs",
    defaults={"scrapes": 200, "batches": 1_000},
    quick={"scrapes": 3, "batches": 3},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
