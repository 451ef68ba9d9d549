"""What ran for a minute starts again at once; what fails soon after its start waits longer and longer."""

from __future__ import annotations

import pytest

from lakeshelf.backoff import MOST_AT_ONCE, STEADY_S, Backoff
from lakeshelf.settings import load_settings


@pytest.fixture
def backoff() -> Backoff:
    return Backoff(first=1.0, longest=30.0)


def pause(backoff: Backoff, run_s: float) -> float:
    """The pause after a run of so many seconds, which starts when the one before is over."""
    began = 5.0 if backoff.due is None else backoff.due
    backoff.start(began)
    ended = began + run_s
    assert not backoff.is_due(ended)
    backoff.end(ended)
    assert backoff.due is not None
    assert backoff.is_due(backoff.due)
    assert backoff.is_due(ended) == (backoff.due == ended)
    return backoff.due - ended


def test_what_ran_for_a_minute_starts_again_at_once(backoff: Backoff) -> None:
    assert [pause(backoff, run_s) for run_s in (STEADY_S, 3600.0, STEADY_S)] == [0.0, 0.0, 0.0]


def test_what_fails_soon_after_its_start_waits_longer_and_longer(backoff: Backoff) -> None:
    runs = (0.0, 0.1, 3.0, 20.0, STEADY_S - 1, 0.0, 0.0)
    assert [pause(backoff, run_s) for run_s in runs] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


def test_pauses_begin_anew_after_a_run_of_a_minute(backoff: Backoff) -> None:
    runs = (0.0, 0.0, STEADY_S, 0.0, 0.0)
    assert [pause(backoff, run_s) for run_s in runs] == [1.0, 2.0, 0.0, 1.0, 2.0]


def test_a_run_that_is_needed_to_find_a_cause_follows_at_once_but_not_for_ever() -> None:
    pauses = Backoff(1, 30)
    for _ in range(MOST_AT_ONCE):
        pauses.start(0)
        pauses.end(1, at_once=True)
        assert pauses.due == 1
    pauses.start(1)
    pauses.end(2, at_once=True)
    assert pauses.due == 3


def test_processes_queries_and_components_follow_the_settings() -> None:
    found = load_settings(restart_backoff_s=0.5, restart_backoff_max_s=4).backoff()
    assert [pause(found, 0.0) for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
