"""A young shop is trained from the day on which its labels span eight weeks, and not before."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.frames import KEY
from lakeshelf.forecast.model.folds import PLAN, Plan
from lakeshelf.forecast.training import lessons, training
from lakeshelf.forecast.training.trials import Work
from lakeshelf.forecast.versions import registered
from tests.forecast.training import lakes

MONDAY = date(2026, 1, 5)


@given(begin=st.integers(0, 6), age=st.integers(0, 400))
def test_it_learns_from_the_weeks_that_it_has_and_warms_up_as_it_can(begin: int, age: int) -> None:
    first = MONDAY + timedelta(days=begin)
    until = first + timedelta(days=age)
    days = lessons._after_warm_up(first, until)[KEY[1]].to_pylist()
    span = (days[-1] - days[0]).days + 1 if days else 0
    assert span >= 7 * PLAN.least_weeks or age < lessons.LEAST_DAYS + 7
    assert span < 7 * PLAN.least_weeks or age >= lessons.LEAST_DAYS
    for day in days:
        assert day > first
        assert day + timedelta(days=windows.horizon(day) + 7) <= until
    waited = (days[0] - first).days if days else 0
    assert waited < lessons.WARM_UP_DAYS + 3
    assert waited <= 3 or span >= 7 * (PLAN.full_weeks - 1)


@pytest.mark.slow
def test_after_eleven_weeks_there_is_a_candidate_that_was_judged_on_two(tmp_path: Path) -> None:
    pytest.importorskip("lightgbm")
    root = lakes.written(tmp_path / "lake", days=lessons.LEAST_DAYS + 7)
    lake = registered.writer(root)
    work = Work(lakes.SETTINGS, Plan(least_rows=500))
    card = training.train(lake, training.Request(lakes.ACT, work=work)).card
    assert registered.read(lake).registry.model(card.model_version).status == "candidate"
    (fold,) = card.folds
    assert (fold.last_test_day - fold.first_test_day).days + 1 == 14
    assert (fold.last_label_day - fold.first_label_day).days > 28
    assert card.gates
