"""Folds: nobody learns from what was not known (docs/design/forecasting.md#model, M6)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.model.folds import FoldPlan, TooLittleHistory, rolling, usable, weeks
from lakeshelf.forecast.model.rows import days, kept, last_label_days
from tests.forecast.model import made

PLANS = st.builds(
    FoldPlan,
    folds=st.integers(1, 8),
    weeks=st.integers(1, 6),
    parts=st.integers(1, 6),
    settle_days=st.integers(0, 14),
    least_weeks=st.integers(0, 8),
    least_rows=st.integers(1, 200),
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Rows of any days and horizons."""
    size = draw(st.integers(1, 60))
    offsets = draw(st.lists(st.integers(0, 250), min_size=size, max_size=size))
    lengths = draw(st.lists(st.integers(1, 14), min_size=size, max_size=size))
    return pa.table(
        {
            "feature_date": pa.array([made.FIRST + timedelta(n) for n in offsets], pa.date32()),
            "horizon_days": lengths,
            "demand": np.ones(size),
            "weight": np.ones(size),
        }
    )


@given(tables(), PLANS)
@settings(max_examples=150, deadline=None)
def test_the_last_label_day_of_a_fold_is_before_its_first_test_day(
    rows: pa.Table, plan: FoldPlan
) -> None:
    try:
        folds, skipped = rolling(rows, plan)
    except TooLittleHistory:
        return
    assert len(folds) + len(skipped) == plan.folds
    length = (folds[-1].end - folds[-1].first).days
    assert length == 7 * plan.test_weeks(weeks(rows)) <= 7 * plan.weeks
    assert length == 7 or length * plan.parts <= 7 * weeks(rows)
    for fold in folds:
        train, test = fold.train(rows), fold.test(rows)
        known = last_label_days(train) + np.timedelta64(plan.settle_days, "D")
        assert known.max() < np.datetime64(fold.first)
        assert all(np.datetime64(fold.first) <= day < np.datetime64(fold.end) for day in days(test))
    assert all(a.end == b.first for a, b in pairwise(folds))


def test_training_rows_grow_and_the_newest_fold_ends_with_the_rows() -> None:
    rows = made.rows(weeks=40, shelves=5)
    folds, _ = rolling(rows, FoldPlan(least_rows=1))
    sizes = [fold.train(rows).num_rows for fold in folds]
    assert len(folds) == 6
    assert sizes == sorted(set(sizes))
    assert np.datetime64(folds[-1].end) == days(rows).max() + np.timedelta64(1, "D")


def test_folds_with_too_little_are_left_out_with_the_reason() -> None:
    rows = made.rows(weeks=20, shelves=5)
    folds, skipped = rolling(rows, FoldPlan(least_rows=1))
    assert [len(folds), len(skipped)] == [3, 3]
    assert "weeks of cutoff days, of at least 4" in skipped[-1].reason


def test_eight_weeks_are_enough_for_one_fold_that_is_shorter() -> None:
    rows = made.rows(weeks=9, shelves=300)
    folds, _ = rolling(rows)
    assert len(folds) == 1
    assert (folds[0].end - folds[0].first).days == 14


@pytest.mark.parametrize(
    ("weeks", "shelves", "reason"),
    [
        (8, 400, "trained: 7.* weeks of cutoff days, of at least 8"),
        (30, 20, "rows, of at least 5,000"),
    ],
)
def test_too_little_is_an_error_that_says_what_lacks(weeks: int, shelves: int, reason: str) -> None:
    with pytest.raises(TooLittleHistory, match=reason):
        rolling(made.rows(weeks, shelves))


def test_no_rows_are_too_little() -> None:
    with pytest.raises(TooLittleHistory, match="no rows with labels"):
        rolling(made.rows()[:0])


def test_rows_without_a_label_that_counts_take_no_part() -> None:
    rows = made.rows(weeks=1, shelves=2)
    weight = np.ones(rows.num_rows)
    weight[0] = 0
    labels = rows["demand"].to_pylist()
    labels[1] = None
    for name, values in (("weight", weight), ("demand", labels)):
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values))
    assert usable(rows).equals(rows[2:])


@given(st.lists(st.booleans(), max_size=20))
def test_kept_rows_are_those_of_the_mask(mask: list[bool]) -> None:
    table = pa.table({"n": range(len(mask))})
    assert kept(table, np.array(mask, bool)).equals(table.filter(pa.array(mask, pa.bool_())))


def test_rows_that_lie_behind_each_other_are_not_copied() -> None:
    """Training rows of a fold are nearly all rows; a copy of them for each fold would take a gigabyte."""
    table = pa.table({"a": np.arange(1_000_000)})
    mask = np.ones(table.num_rows, bool)
    mask[[0, -2]] = False
    before = pa.total_allocated_bytes()
    some = kept(table, mask)
    assert pa.total_allocated_bytes() - before < table.nbytes / 100
    assert some.num_rows == table.num_rows - 2
