"""The page says what the result files say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import events, harness, report, trend
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
        "versions": {"lakeshelf": "0.1.0", "python": "3.11"},
        "figures": [{**vars(figure), **numbers}],
        "runs": [{"load_before": 0.1}],
    }


def test_the_page_of_the_checkout_shows_the_results_of_the_checkout() -> None:
    assert report.main(["--check"]) == 0, "run `python -m benchmarks.report`"


def test_a_result_replaces_what_stood_between_its_markers(tmp_path: Path) -> None:
    page = (project_home() / report.PAGE).read_text()
    for median in (61_000.0, 59_000.0):
        (tmp_path / "idle.json").write_text(json.dumps(result("idle", median)))
        page = report.rendered(page, tmp_path, {})
    assert "| rate of work | events/s | ≥ 60,000 | 59,000 | 58,999 | 59,001 | no |  |" in page
    assert "61,000" not in page


def reported(folder: Path, *arguments: str) -> int:
    """Make the report of a folder, whose page stands in it."""
    page = folder / "page.md"
    if not page.exists():
        page.write_text((project_home() / report.PAGE).read_text())
    return report.main(["--results", str(folder), "--page", str(page), *arguments])


def test_a_result_shows_the_one_of_the_day_before_and_each_is_kept(tmp_path: Path) -> None:
    """A second one of a day takes the place of the first."""
    for day, median in (("01", 50_000.0), ("02", 55_000.0), ("02", 61_000.0)):
        one = result("idle", median) | {"made_at": f"2026-01-{day}T03:04:05+00:00"}
        (tmp_path / "idle.json").write_text(json.dumps(one))
        assert reported(tmp_path, "--check") == 1
        assert reported(tmp_path) == 0
        assert reported(tmp_path, "--check") == 0
    page = (tmp_path / "page.md").read_text()
    assert "| 61,000 | 60,999 | 61,001 | yes | 50,000 |" in page
    assert "Before: version 0.1.0 on 2026-01-01, a cpu." in page
    points = trend.read(tmp_path)["idle"]
    assert [point["figures"]["rate"] for point in points] == [50_000.0, 61_000.0]


def test_what_was_measured_with_other_numbers_is_not_compared(tmp_path: Path) -> None:
    """Ways that were left out are no other numbers."""
    for day, parameters in (
        ("01", {"records": 99, "ways": ["a"]}),
        ("02", {"records": 10, "ways": ["b"]}),
    ):
        one = {"made_at": f"2026-01-{day}T03:04:05+00:00", "parameters": parameters}
        (tmp_path / "idle.json").write_text(json.dumps(result("idle", 1.0) | one))
        assert reported(tmp_path) == 0
    assert "Before:" not in (tmp_path / "page.md").read_text()
    points = trend.read(tmp_path)
    again = result("idle", 2.0) | one | {"made_at": "2026-01-03T00:00:00+00:00"}
    again["parameters"] = {"records": 10, "ways": ["a", "b"]}
    assert trend.before(points, again) == points["idle"][1]


def test_a_figure_is_held_against_the_goal_of_today(tmp_path: Path) -> None:
    """A goal that was raised counts for what was measured before; a figure that is no longer declared keeps its own."""
    soak = next(one for one in report.BENCHMARKS if one.name == "soak")
    growth = next(one for one in soak.figures(soak.defaults) if one.key == "growth")
    assert growth.goal is not None
    median = growth.goal + 0.05
    numbers = {"median": median, "min": median, "max": median}
    kept = result("soak", 61_000.0)
    kept["figures"].append({**vars(growth), "goal": growth.goal + 0.1, **numbers})
    table = report.section(soak, kept, None)
    assert f"| ≤ {harness.text(growth.goal)} | {harness.text(median)} |" in table
    assert "| no |" in table
    assert "≥ 60,000 | 61,000" in table


@pytest.mark.parametrize(("load", "is_said"), [(4.0, False), (4.1, True)])
def test_a_machine_that_did_other_work_is_told_of(load: float, is_said: bool) -> None:
    """Of a later run the load is that of the runs before it."""
    busy = result("idle", 1.0) | {"runs": [{"load_before": load}, {"load_before": 9.0}]}
    assert (report.BUSY in report.origin(busy)) is is_said


def test_a_benchmark_without_a_result_is_not_measured(tmp_path: Path) -> None:
    page = report.rendered((project_home() / report.PAGE).read_text(), tmp_path, {})
    figures = sum(len(b.figures(b.defaults)) for b in report.BENCHMARKS)
    assert page.count("| not measured |") == figures


def test_a_page_without_a_marker_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="catchup: begin"):
        report.rendered("# Benchmarks\n", tmp_path, {})


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
