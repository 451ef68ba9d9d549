"""The shop is trained on its days, once, and waits for nothing."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf import extras
from lakeshelf.components.component import Tick
from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.model.folds import TooLittleHistory
from lakeshelf.forecast.training.apart import Apart, Ended
from lakeshelf.forecast.training.child import ended
from lakeshelf.forecast.training.lessons import LEAST_DAYS
from lakeshelf.forecast.training.stored import DEMAND, TABLES
from lakeshelf.forecast.versions.errors import ActRefused
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.forecast.versions.registry import Attribution
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
    reasons: list[str]
    answer: Ended | None

    def __init__(self, root: Any, at: datetime, reason: str) -> None:
        self.begun.append(at)
        self.reasons.append(reason)

    def result(self) -> Ended | None:
        return self.answer

    def close(self) -> None:
        self.begun.append(ENDED)


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> type[Process]:
    Process.begun, Process.reasons, Process.answer = [], [], None
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


@pytest.mark.ml
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
    after, now = None, 0.0
    for step in steps:
        now += step
        dues = module(NAME).LatestTraining(after, timedelta(days=EVERY), {}).dues(tick(now))
        assert len(dues) <= 1
        if after is not None:
            assert bool(dues) == (at(now) - after >= timedelta(days=EVERY))
            assert all((due - after) % timedelta(days=EVERY) == timedelta(0) for due in dues)
        assert all(at(now) - due < timedelta(days=EVERY) for due in dues)
        after = dues[-1] if dues else after


@pytest.mark.ml
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


@pytest.mark.ml
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


@pytest.mark.ml
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


@pytest.mark.ml
def test_a_service_that_stops_ends_its_process_and_begins_anew(process: Any) -> None:
    worker = Worker(NAME, shop())
    worker.tick(at())
    worker.service._component.close()
    assert process.begun[-1] == ENDED
    worker.restart()
    worker.tick(at(0.5))
    assert process.begun[-1] == datetime(2026, 3, 2, tzinfo=UTC)


PASSED = json.dumps([{"name": "pinball", "value": 0.1, "bound": 0.05, "passed": True}])
TRAINED = Ended("trained", "", "20260301-0123456789ab", "candidate")


def in_use(lake: Tables, version: str, status: str) -> Tables:
    """A lake with a version."""
    midnight = datetime(2026, 1, 1, tzinfo=UTC)
    times = {"created_at": midnight, "updated_at": midnight, "trained_until": midnight.date()}
    texts = {"run_id": "r", "card_sha256": "c", "gates": PASSED, "actor": "ada", "reason": ""}
    names = {"model_name": MODEL, "model_version": version}
    lake.keep(
        Ops.MODELS, {**names, "status": status, "version": 1, "replaced": None, **times, **texts}
    )
    return lake


def red(lake: Tables, version: str, *days: int, store: str = "") -> Tables:
    """A lake in which a version was red on days."""
    for n in days:
        about = {"model_version": version, "day": at(n).date(), "store_id": store}
        lake.keep(
            Ops.MODEL_HEALTH,
            about | {"metric": "psi", "value": 1.0, "bound": 0.2, "verdict": "red"},
        )
    return lake


@pytest.mark.ml
@pytest.mark.parametrize(
    ("days", "begun"),
    [([3, 4], [5]), ([3], []), ([2, 4], []), ([*range(3, 27)], [5]), ([3, 4, 8, 9], [5, 10])],
)
def test_a_champion_that_is_red_for_two_days_trains_another_once(
    process: Any, days: list[int], begun: list[int]
) -> None:
    process.answer = TRAINED
    lake = in_use(shop(), "V1", "champion")
    worker = Worker(NAME, lake)
    worker.tick(at())
    for now in range(1, EVERY):
        worker.tick(at(now))
        red(lake, "V1", *(n for n in days if n == now), store="S1")
    dues = [datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=n) for n in (0, *begun)]
    assert process.begun == dues
    assert process.reasons == ["trained on its day", *["red for 2 days"] * len(begun)]


@pytest.mark.ml
def test_a_red_champion_trains_once_where_the_clock_jumps_and_never_beside_a_challenger(
    process: Any,
) -> None:
    process.answer = TRAINED
    for challenger, trainings in (False, 2), (True, 1):
        process.begun.clear()
        lake = in_use(shop(), "V1", "champion")
        worker = Worker(NAME, in_use(lake, "V2", "challenger") if challenger else lake)
        worker.tick(at())
        red(lake, "V1", *range(2, EVERY))
        for days in (EVERY - 1, EVERY - 0.9, EVERY - 0.5):
            worker.tick(at(days))
        assert len(process.begun) == trainings


def predicted(lake: Tables, version: str, *days: int) -> None:
    """A challenger has said something of a shelf on those of the days that are cutoff days."""
    for day in cutoffs(at(min(days)).date(), at(max(days) + 1).date())["feature_date"].to_pylist():
        own = {"model_version": version, "role": "challenger", "shelf_id": "A"}
        lake.keep(Curated.PREDICTIONS, own | {"feature_date": day, "model_name": MODEL})


def promoting(monkeypatch: pytest.MonkeyPatch, lake: Tables) -> list[Attribution]:
    """Acts by which the service promotes a version of a lake in memory."""
    acts: list[Attribution] = []

    def promote(root: Any, version: str, act: Attribution) -> bool:
        acts.append(act)
        in_use(lake, version, "champion")
        return True

    monkeypatch.setattr(module(NAME), "promote", promote)
    return acts


@pytest.mark.ml
def test_a_challenger_decides_once_it_has_predicted_for_two_weeks_without_a_gap(
    process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.answer = TRAINED
    lake = in_use(shop(), "V2", "challenger")
    promotions, worker = promoting(monkeypatch, lake), Worker(NAME, lake)
    thursday = 3
    for now in range(thursday + 20):
        worker.tick(at(now))
        if now != thursday:
            predicted(lake, "V2", now)
    (act,) = promotions
    assert (act.actor, act.reason) == (NAME, "14 days as challenger")
    assert act.at == datetime(2026, 3, 2, tzinfo=UTC) + timedelta(days=thursday + 15)
    worker.restart()
    worker.tick(at(EVERY - 0.5))
    assert len(promotions) == 1
    worker.tick(at(EVERY))
    assert len(process.begun) == 2


def test_where_the_clock_jumps_a_challenger_is_promoted_once_and_what_does_badly_is_not(
    process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.answer = TRAINED
    for metric, count in ("psi", 1), ("bias_28d", 0):
        lake = in_use(shop(), "V2", "challenger")
        promotions, worker = promoting(monkeypatch, lake), Worker(NAME, lake)
        worker.tick(at())
        predicted(lake, "V2", 0, EVERY)
        for n in range(EVERY):
            about = {"model_version": "V2", "day": at(n).date(), "store_id": "", "metric": metric}
            lake.keep(Ops.MODEL_HEALTH, about | {"value": 1.0, "bound": 0.1, "verdict": "red"})
        for days in (EVERY - 1, EVERY - 0.9, EVERY - 0.8):
            worker.tick(at(days))
        assert len(promotions) == count


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


@pytest.mark.ml
@pytest.mark.slow
def test_a_process_says_what_it_came_to_or_how_it_was_ended(tmp_path: Path) -> None:
    root = lakes.written(tmp_path / "lake", days=0)
    short = came_to(Apart(root, BEGIN, "a test"))
    assert short.kind == "skipped"
    assert "`lakeshelf features backfill`" in short.reason
    killed = Apart(root, BEGIN, "a test")
    killed._process.kill()
    assert came_to(killed).reason == "the training was ended by SIGKILL"
    ending = Apart(root, BEGIN, "a test")
    ending.close()
    assert ending._process.returncode is not None
