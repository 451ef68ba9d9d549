"""The shop is trained on its days, once, and waits for nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf import extras
from lakeshelf.components.component import Tick
from lakeshelf.forecast.model.folds import TooLittleHistory
from lakeshelf.forecast.training.apart import Apart, Ended
from lakeshelf.forecast.training.child import ended
from lakeshelf.forecast.training.lessons import LEAST_DAYS
from lakeshelf.forecast.training.stored import DEMAND, TABLES
from lakeshelf.forecast.versions.errors import ActRefused
from lakeshelf.settings import load_settings
from tests.components.bench import Tables, Worker, module
from tests.forecast.training import lakes
from tests.support import eventually

NAME = "training-service"
BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
ENDED = datetime(2099, 1, 1, tzinfo=UTC)
EVERY = load_settings().train_every_days


class Process:
    """A training that ends when the test says so."""

    begun: list[datetime]
    answer: Ended | None

    def __init__(self, root: Any, at: datetime) -> None:
        self.begun.append(at)

    def result(self) -> Ended | None:
        return self.answer

    def close(self) -> None:
        self.begun.append(ENDED)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> type[Process]:
    Process.begun, Process.answer = [], None
    monkeypatch.setattr(module(NAME), "Apart", Process)
    return Process


def shop(days: int = LEAST_DAYS) -> Tables:
    """A lake whose first receipt is so many days before `BEGIN`."""
    lake = Tables()
    lake.keep(DEMAND, {"shelf_id": "A", "day": (BEGIN - timedelta(days=days)).date()})
    return lake


def at(days: float = 0) -> datetime:
    return BEGIN + timedelta(days=days)


def tick(days: float) -> Tick:
    return Tick(at(days), at(days).date(), None, 1)


def outcomes(worker: Worker) -> list[str]:
    return [entry.decision.memory["kind"] for entry in worker.journal.entries]


def test_no_tick_waits_and_the_decision_is_made_once_the_process_has_ended(process: Any) -> None:
    worker = Worker(NAME, shop())
    for days in (0, 0.1, 5, 40):
        worker.tick(at(days))
    assert process.begun == [datetime(2026, 3, 2, tzinfo=UTC)]
    assert outcomes(worker) == []
    process.answer = Ended("trained", "", "20260301-0123456789ab", "challenger")
    worker.tick(at(40.1))
    assert outcomes(worker) == ["trained"]
    worker.tick(at(41))
    assert len(process.begun) == 1


@given(steps=st.lists(st.floats(0, 400), min_size=1, max_size=12))
def test_however_the_clock_jumps_there_is_one_training_in_each_span(steps: list[float]) -> None:
    known = module(NAME)
    service = known.TrainingService.__new__(known.TrainingService)
    service._wait = timedelta(days=EVERY)
    after, now = None, 0.0
    for step in steps:
        now += step
        dues = service.dues(after, tick(now))
        assert len(dues) <= 1
        if after is not None:
            assert bool(dues) == (at(now) - after >= timedelta(days=EVERY))
            assert all((due - after) % timedelta(days=EVERY) == timedelta(0) for due in dues)
        assert all(at(now) - due < timedelta(days=EVERY) for due in dues)
        after = dues[-1] if dues else after


def test_a_short_history_is_skipped_with_its_reason_until_it_is_long_enough(process: Any) -> None:
    for lake, days in ((Tables(), 0), (shop(3), 3)):
        process.begun.clear()
        worker = Worker(NAME, lake)
        worker.tick(at())
        (entry,) = worker.journal.entries
        assert entry.decision.memory["kind"] == "skipped"
        assert entry.decision.memory["reason"].startswith(f"{days} days since the first receipt")
        worker.tick(at(LEAST_DAYS - days - 1))
        assert process.begun == []
        worker.tick(at(LEAST_DAYS - days))
        assert len(process.begun) == (days > 0)
        assert len(worker.journal.entries) == 1 + (days == 0)


def test_too_few_rows_are_asked_for_again_the_next_day(process: Any) -> None:
    worker = Worker(NAME, shop())
    process.answer = ended(short)
    for days in (0, 0.5, 1, 1.5):
        worker.tick(at(days))
    assert outcomes(worker) == ["skipped", "skipped"]


def test_without_the_extra_the_shop_goes_on(process: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "lightgbm" else name)
    worker = Worker(NAME, shop())
    worker.tick(at())
    assert "pip install 'lakeshelf[ml]'" in worker.journal.entries[0].decision.memory["reason"]
    assert process.begun == []


def test_engines_that_no_forecast_uses_are_not_asked_for(
    process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image has DuckDB alone of them."""
    absent = {"datafusion", "matplotlib", "polars"}
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name in absent else name)
    worker = Worker(NAME, shop(3))
    worker.tick(at())
    assert "days since" in worker.journal.entries[0].decision.memory["reason"]


def test_what_failed_is_tried_again_the_next_day(process: Any) -> None:
    worker = Worker(NAME, shop())
    process.answer = Ended("failed", "disk full")
    for days in (0, 0.5, 1, 1.5):
        worker.tick(at(days))
    assert outcomes(worker) == ["failed", "failed"]
    process.answer = Ended("trained", "", "x", "candidate")
    for days in (2, 3, 4):
        worker.tick(at(days))
    assert outcomes(worker) == ["failed", "failed", "trained"]


def test_a_service_that_stops_ends_its_process_and_begins_anew(process: Any) -> None:
    worker = Worker(NAME, shop())
    worker.tick(at())
    worker.service._component.close()
    assert process.begun[-1] == ENDED
    worker.restart()
    worker.tick(at(0.5))
    assert process.begun[-1] == datetime(2026, 3, 2, tzinfo=UTC)


def test_the_service_declares_what_a_training_reads() -> None:
    assert set(module(NAME).READ) == set(TABLES)


def short() -> Ended:
    raise TooLittleHistory("nothing is trained: 7 rows", hint="wait")


def refused() -> Ended:
    raise ActRefused("no", hint="yes")


def full() -> Ended:
    raise MemoryError


def test_what_stops_a_training_is_one_line() -> None:
    assert ended(refused) == Ended("failed", "no; yes")
    assert "GB of memory" in ended(full).reason


def came_to(process: Apart) -> Ended:
    eventually(lambda: process.result() is not None, "the training ends")
    result = process.result()
    assert result is not None
    return result


@pytest.mark.slow
def test_a_process_says_what_it_came_to_or_how_it_was_ended(tmp_path: Path) -> None:
    root = lakes.written(tmp_path / "lake", days=0)
    short = came_to(Apart(root, BEGIN))
    assert short.kind == "skipped"
    assert "`lakeshelf features backfill`" in short.reason
    killed = Apart(root, BEGIN)
    killed._process.kill()
    assert came_to(killed).reason == "the training was ended by SIGKILL"
    ending = Apart(root, BEGIN)
    ending.close()
    assert ending._process.returncode is not None
