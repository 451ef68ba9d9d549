"""A young shop is trained from the day on which its labels span eight weeks, and not before."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts.retail.features import LONGEST, SPANS
from lakeshelf.contracts.types import STRING
from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.demand.features import FEATURES, columns
from lakeshelf.forecast.frames import KEY
from lakeshelf.forecast.model.folds import PLAN, FoldPlan
from lakeshelf.forecast.model.rows import numbers
from lakeshelf.forecast.training import lessons, training, trials
from lakeshelf.forecast.training.trials import Work
from lakeshelf.forecast.versions import registered
from tests.forecast.demand.worlds import SHELVES
from tests.forecast.training import lakes, simulated

MONDAY = date(2026, 1, 5)


@given(begin=st.integers(0, 6), age=st.integers(0, 400))
def test_it_learns_from_the_weeks_that_it_has_and_warms_up_as_it_can(begin: int, age: int) -> None:
    first = MONDAY + timedelta(days=begin)
    until = first + timedelta(days=age)
    days = lessons.after_warm_up(first, until)[KEY[1]].to_pylist()
    span = (days[-1] - days[0]).days + 1 if days else 0
    assert span >= 7 * PLAN.least_weeks or age < lessons.LEAST_DAYS + 7
    assert span < 7 * PLAN.least_weeks or age >= lessons.LEAST_DAYS
    for day in days:
        assert day > first
        assert day + timedelta(days=windows.horizon(day) + 7) <= until
    waited = (days[0] - first).days if days else 0
    assert waited < lessons.WARM_UP_DAYS + 3
    assert waited <= 3 or span >= 7 * (PLAN.full_weeks - 1)


ROWS = pa.table({f.name: pa.array([], pa.string()) for f in FEATURES})
OF_CALENDAR = {"days_to_holiday"}


@given(age=st.integers(lessons.LEAST_DAYS - 7, 2 * LONGEST), older=st.integers(0, 60))
def test_windows_that_are_not_full_on_half_of_its_days_are_not_read(age: int, older: int) -> None:
    read, later = (set(columns(ROWS, days).numeric) for days in (age, age + older))
    every = {feature.name for feature in FEATURES if feature.type != STRING}
    assert read <= later <= every == set(columns(ROWS).numeric)
    assert read == every or age < LONGEST
    assert age >= LONGEST or all(2 * SPANS.get(name, 0) <= age for name in read)
    assert {"units_sold_28d", "horizon_days", "same_days_4w"} <= read


@pytest.mark.slow
def test_what_is_read_of_a_young_shop_hardly_grows_in_a_week() -> None:
    """All goods sell evenly, so only the shop's age changes what features say."""
    age = lessons.LEAST_DAYS - 7
    before, after = simulated.evenly(SHELVES, age), simulated.evenly(SHELVES, age + 7)
    read = columns(before, age).numeric
    grown = {
        name
        for name in columns(before).numeric
        if not np.allclose(numbers(before, name), numbers(after, name), rtol=0.05, equal_nan=True)
    }
    assert grown - OF_CALENDAR
    assert not grown & set(read) - OF_CALENDAR


@pytest.mark.ml
@pytest.mark.nightly
def test_the_model_of_a_young_simulated_shop_passes_every_gate() -> None:
    lesson = simulated.lesson(seed=2, stores=3, shelves=120, days=90)
    outcome = trials.outcome(lesson, {}, Work())
    assert outcome.trained.settings["relative"]
    assert [gate.name for gate in outcome.gates if not gate.passed] == []


@pytest.mark.ml
@pytest.mark.slow
def test_after_eleven_weeks_there_is_a_candidate_that_was_judged_on_two(tmp_path: Path) -> None:
    root = lakes.written(tmp_path / "lake", days=lessons.LEAST_DAYS + 7)
    lake = registered.writer(root)
    work = Work(lakes.SETTINGS, FoldPlan(least_rows=500))
    card = training.train(lake, training.TrainingRequest(lakes.ACT, work=work)).card
    assert registered.read(lake).registry.model(card.model_version).status == "candidate"
    (fold,) = card.folds
    assert (fold.last_test_day - fold.first_test_day).days + 1 == 14
    assert (fold.last_label_day - fold.first_label_day).days > 28
    assert card.gates
    assert card.settings["relative"]
