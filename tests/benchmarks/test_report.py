"""The page says what the result files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import events, harness, report
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.settings import project_home


def result(name: str, median: float) -> dict[str, Any]:
    figure = harness.Figure("rate", "rate of work", "events/s", 60_000.0, higher=True)
    numbers = {"median": median, "min": median - 1, "max": median + 1}
    return {
        "benchmark": name,
        "made_at": "2026-01-02T03:04:05+00:00",
        "seed": 1,
        "parameters": {"records": 10},
        "machine": {
            "cpu": "a cpu",
            "cores": 2,
            "memory_gib": 24.0,
            "kernel": "Linux",
            "file_system": "ext4",
        },
        "versions": {"python": "3.11"},
        "figures": [{**vars(figure), **numbers}],
        "runs": [{"load_before": 0.1}],
    }


def test_the_page_of_the_checkout_shows_the_results_of_the_checkout() -> None:
    assert report.main(["--check"]) == 0, "run `python -m benchmarks.report`"


def test_a_result_replaces_what_stood_between_its_markers(tmp_path: Path) -> None:
    page = (project_home() / report.PAGE).read_text()
    for median in (61_000.0, 59_000.0):
        (tmp_path / "idle.json").write_text(json.dumps(result("idle", median)))
        page = report.rendered(page, tmp_path)
    assert "| rate of work | events/s | ≥ 60,000 | 59,000 | 58,999 | 59,001 | no |" in page
    assert "61,000" not in page


def test_a_benchmark_without_a_result_is_not_measured(tmp_path: Path) -> None:
    page = report.rendered((project_home() / report.PAGE).read_text(), tmp_path)
    figures = sum(len(b.figures(b.defaults)) for b in report.BENCHMARKS)
    assert page.count("| not measured |") == figures


def test_a_page_without_a_marker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="catchup: begin"):
        report.rendered("# Benchmarks\n", tmp_path)


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (95, 95), (99, 99), (100, 100)])
def test_a_percentile_is_a_value_that_occurred(percent: float, expected: float) -> None:
    assert harness.percentile([float(v) for v in range(100, 0, -1)], percent) == expected


def test_generated_records_are_valid_and_repeats_are_exact() -> None:
    shape = events.Shape(shelves=20, per_day=1_000, seed=3, repeat_every=7, repeat_back=50)
    values = [v for batch in events.records(shape, 0, 200) for v in batch["value"].to_pylist()]
    assert [refusal for v in values if (refusal := check(CATALOG.topics[events.TOPIC], v))] == []
    assert len(values) - len(set(values)) == events.repeats(shape, 0, 200) == 28
    ids = [json.loads(v)["event_id"] for v in values]
    assert len(set(ids)) == len(set(values))


def test_prefilled_state_is_that_of_the_prefilled_events() -> None:
    shape = events.Shape(shelves=5, per_day=1_000, seed=3)
    rows = events.raw_rows(shape, 0, 60).to_pylist()
    balances: dict[str, int] = {}
    for row in rows:
        sign = -1 if row["event_type"] == "pickup" else 1
        balances[row["shelf_id"]] = balances.get(row["shelf_id"], 0) + sign * row["quantity"]
    state = events.state_rows(shape, 60).to_pylist()
    assert {row["shelf_id"]: row["balance"] for row in state} == balances
    assert sum(row["version"] for row in state) == len(rows)
