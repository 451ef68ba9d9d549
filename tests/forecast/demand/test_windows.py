"""Cutoff days, their windows, and which rows are made of them."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.demand.chosen import Sample, every, of_stored, sampled
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.demand.segments import SEGMENTS, segment
from lakeshelf.forecast.demand.windows import cutoffs, horizon

from .worlds import BEGIN, SHELVES, Row, day, known, sales, sold

CUTOFFS = cutoffs(BEGIN, day(600))


def test_a_window_ends_with_the_delivery_of_the_next_cutoff() -> None:
    """A week that begins on a Sunday: Wednesday, Friday, and Monday after."""
    week = cutoffs(date(2026, 3, 1), date(2026, 3, 8)).to_pylist()
    assert [(r["feature_date"].strftime("%a"), r["horizon_days"]) for r in week] == [
        ("Sun", 3),
        ("Tue", 3),
        ("Thu", 4),
    ]


def test_windows_follow_the_calendar_of_suppliers(monkeypatch: pytest.MonkeyPatch) -> None:
    """With Thursdays alone, the next delivery is on Friday of the week after."""
    monkeypatch.setattr(windows, "CUTOFF_DAYS", frozenset({3}))
    assert horizon(date(2026, 3, 5)) == 8
    assert windows.lengths() == {8}


def test_the_lengths_are_those_of_all_windows() -> None:
    assert set(CUTOFFS["horizon_days"].to_pylist()) == windows.lengths()


def test_a_stored_row_whose_window_is_unknown_is_read_by_nobody() -> None:
    """Of a Sunday, whose window has three days."""
    days = [None, 0, -3, 4, 9, 3]
    shelves = [f"S1-I{number}" for number in range(len(days))]
    row = dict.fromkeys(SCHEMA.names) | {"feature_date": date(2026, 3, 1), "lines_91d": 9}
    stored = pa.Table.from_pylist(
        [row | {"shelf_id": s, "horizon_days": h} for s, h in zip(shelves, days, strict=True)],
        SCHEMA,
    )
    begun = pa.table({"shelf_id": shelves, "day": [BEGIN] * len(days)})
    assert of_store(stored)["shelf_id"].to_pylist() == shelves[-1:]
    assert of_stored(stored, begun)["shelf_id"].to_pylist() == shelves[-1:]


def test_a_calendar_without_cutoffs_has_no_rows() -> None:
    none = cutoffs(date(2026, 3, 2), date(2026, 3, 3))
    assert len(none) == 0
    assert len(every(known().shelves, none)) == len(sampled(known().demand, none)) == 0


def test_a_prediction_has_a_row_for_every_shelf() -> None:
    week = cutoffs(date(2026, 3, 1), date(2026, 3, 8))
    rows = every(known().shelves, week).to_pylist()
    assert [(r["feature_date"], r["shelf_id"]) for r in rows] == sorted(
        (d, shelf) for d in week["feature_date"].to_pylist() for shelf in SHELVES
    )


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(demand=sales(), of=st.sampled_from([1, 3]), seed=st.integers(0, 9))
def test_training_has_all_active_shelves_and_some_of_the_tail(
    demand: list[Row], of: int, seed: int
) -> None:
    """In plain Python, for every shelf and cutoff day; the sample of all is all that sold before."""
    rows = {
        (row["shelf_id"], row["feature_date"]): row["weight"]
        for row in sampled(known(demand=demand).demand, CUTOFFS, Sample(of, seed)).to_pylist()
    }
    for shelf in SHELVES:
        lines = {r["day"]: r["lines"] for r in demand if r["shelf_id"] == shelf and r["lines"]}
        for d in CUTOFFS["feature_date"].to_pylist():
            recent = sum(n for at, n in lines.items() if d - timedelta(days=91) <= at < d)
            weight = rows.pop((shelf, d), None)
            if recent >= 2:
                assert weight == 1
            elif any(at < d for at in lines):
                assert weight == of if of == 1 else weight in {of, None}
            else:
                assert weight is None, "nobody knows of it"
    assert not rows


def test_a_sample_is_that_of_its_seed_and_stands_for_the_tail() -> None:
    shelves = [f"S1-I{n}" for n in range(300)]
    demand = known(demand=[sold(shelf, 0) for shelf in shelves]).demand
    cuts = CUTOFFS.slice(10, 50)
    rows = sampled(demand, cuts, Sample(20, seed=1))
    assert rows.equals(sampled(demand.take(list(reversed(range(300)))), cuts, Sample(20, seed=1)))
    assert not rows.equals(sampled(demand, cuts, Sample(20, seed=2)))
    assert len(rows) * 20 == pytest.approx(300 * 50, rel=0.15)
    by_day = Counter(rows["feature_date"].to_pylist())
    assert max(by_day.values()) < 40, "spread over the days"


def test_segments_go_by_receipt_lines() -> None:
    lines = pa.table({"lines_91d": [0, 1, 2, 3, 4, 12, 13, 900]})
    rows = {name: np.flatnonzero(segment(lines, name)).tolist() for name in SEGMENTS}
    assert rows == {
        "all": list(range(8)),
        "active": [2, 3, 4, 5, 6, 7],
        "4+ lines": [4, 5, 6, 7],
        "13+ lines": [6, 7],
        "tail": [0, 1],
    }
