"""Metrics are declared once; what is measured stays bounded, and costs nothing where nobody asks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lakeshelf.telemetry import metrics
from lakeshelf.telemetry.metrics import METRICS, OTHER, Metric
from lakeshelf.telemetry.serving import Values
from tests.telemetry import page

HOME = Path(__file__).parents[2]
UNITS = (
    "_seconds",
    "_records",
    "_bytes",
    "_files",
    "_differences",
    "_total",
    "_up",
    "_info",
    "_version",
    "_versions",
    "_term",
    "_ratio",
    "_stores",
)


OF_OTHERS = {
    *(metrics.HTTP_DURATION, metrics.CHANGE_REQUESTS, metrics.PREDICTIONS, metrics.TRAININGS),
    *(metric for metric in METRICS.values() if metric.name.startswith("model_")),
}
"""Metrics that no driver has: they are those of the API, of what looks after datasets, and of forecasts."""


@pytest.fixture
def values() -> Iterator[Values]:
    """A process that serves its metrics."""
    taken = Values()
    metrics.begin(taken)
    yield taken
    metrics.end(taken)


def samples(values: Values, name: str) -> dict[tuple[str, ...], float]:
    """Labels → value of a metric as it is scraped."""
    families = text_string_to_metric_families(generate_latest(values.registry).decode())
    return {
        tuple(sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
    }


def test_the_page_lists_the_metrics() -> None:
    """What is documented is what is declared: `python -m tests.telemetry.page` writes it."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.written(text) == text


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda m: m.name)
def test_a_metric_is_named_as_the_field_does(metric: Metric) -> None:
    """The name ends with the unit, that of a counter with `_total`; no label would take data."""
    assert re.fullmatch(r"[a-z][a-z_]*", metric.name)
    assert metric.name.endswith(UNITS) or metric is metrics.CHANGE_REQUESTS
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.help.endswith(".")
    assert not set(metric.labels) & {"store_id", "item_id", "shelf_id", "event_id", "error", "user"}


def test_every_metric_is_measured_somewhere() -> None:
    """A declaration without a place that takes it would be a promise that nobody keeps."""
    files = (file for folder in ("src", "ml-model") for file in (HOME / folder).rglob("*.py"))
    source = "".join(file.read_text() for file in files)
    for name, value in vars(metrics).items():
        if isinstance(value, Metric):
            assert re.search(rf"metrics\.{name}\.(take|add)\(|metrics\.{name},", source), name


def test_what_is_measured_is_scraped(values: Values) -> None:
    """Counters add up, gauges stand, histograms count."""
    for _ in range(2):
        metrics.BATCHES.add(query="wh", outcome="done")
        metrics.QUERY_UP.take(1, query="wh")
        metrics.BATCH_DURATION.take(0.2, query="wh", step="whole")
    assert samples(values, "lakeshelf_batches_total") == {("done", "wh"): 2}
    assert samples(values, "lakeshelf_query_up") == {("wh",): 1}
    assert samples(values, "lakeshelf_batch_duration_seconds_count") == {("wh", "whole"): 2}


def test_labels_without_end_are_one(values: Values) -> None:
    """However many tables somebody makes, a scrape stays as large as it is."""
    most = metrics.COMMIT_CONFLICTS.most
    for number in range(10 * most):
        metrics.COMMIT_CONFLICTS.add(table=f"mine/t{number}")
    counted = samples(values, "lakeshelf_commit_conflicts_total")
    assert len(counted) == most + 1
    assert counted[(OTHER,)] == 9 * most
    assert sum(counted.values()) == 10 * most


def test_a_process_has_few_series_whatever_it_does(values: Values) -> None:
    """Every metric that a driver could have, with labels without end."""
    for metric in set(METRICS.values()) - OF_OTHERS:
        for number in range(3 * metric.most):
            metric.take(1, **dict.fromkeys(metric.labels, f"{number}"))
    lines = generate_latest(values.registry).decode().splitlines()
    assert sum(not line.startswith("#") for line in lines) <= 2_000


def test_a_value_whose_labels_are_not_those_declared_is_refused(values: Values) -> None:
    """A label that is forgotten would make another series."""
    with pytest.raises(KeyError):
        metrics.BATCHES.add(query="wh")


def test_nothing_is_kept_where_nobody_serves(values: Values) -> None:
    """A command measures nothing; only the process that serves does."""
    metrics.end(values)
    metrics.BATCHES.add(query="wh", outcome="done")
    metrics.begin(values)
    assert samples(values, "lakeshelf_batches_total") == {}
