"""Steps follow the calendar of suppliers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from lakeshelf.forecast.whatif.steps import Cutoff, ReplaySteps

SUNDAY = date(2017, 10, 15)


def test_a_week_of_days_has_three_cutoffs_with_windows_of_three_three_and_four_days() -> None:
    steps = ReplaySteps.of_days(SUNDAY, 7)
    assert steps.cutoffs == [Cutoff(0, 1, 3), Cutoff(2, 3, 5), Cutoff(4, 5, 8)]
    assert [s.day for s in steps.steps if s.delivers] == [1, 3, 5]
    assert all(s.begins and s.ends for s in steps.steps)
    assert (steps.days, steps.refilled) == (7, True)


def test_business_times_are_due_once_and_nothing_before_the_first_was_missed() -> None:
    noon = datetime(2017, 10, 15, 12, tzinfo=UTC)
    steps = ReplaySteps.of_moments([noon + timedelta(hours=4 * n) for n in range(13)])
    due = [(s.day, s.begins, s.ends, s.delivers, s.cutoff) for s in steps.steps]
    assert due[0] == (0, True, False, False, None)
    assert [n for n, s in enumerate(steps.steps) if s.delivers] == [5]
    assert [(n, s.cutoff) for n, s in enumerate(steps.steps) if s.cutoff] == [(12, Cutoff(2, 3, 5))]
    assert [n for n, s in enumerate(steps.steps) if s.begins] == [0, 3, 9]
    assert [n for n, s in enumerate(steps.steps) if s.ends] == [2, 8, 12]
    assert not steps.refilled
