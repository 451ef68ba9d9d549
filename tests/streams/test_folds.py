"""State is a function of the set of events (I6): any order, any batching, any duplication."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.lake.form import commits
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.declare.job import Fold
from lakeshelf.streams.declare.plan import QueryPlan

from . import harness, model
from .strategies import (
    TIMES,
    Arrival,
    Record,
    arrivals,
    catalog_message,
    event,
    facts,
    receipt,
    records,
)

SHELF, WH = "shelf_events", "wh_events"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with empty tables, to be copied."""
    root = tmp_path_factory.mktemp("folds") / "template"
    return harness.make(root, harness.folding())


@contextmanager
def lake(template: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=template.parent) as folder:
        yield Path(shutil.copytree(template, Path(folder) / "lake"))


def run(root: Path, arrival: Arrival, found: QueryPlan | None = None) -> None:
    """Process the batches; after each, no version may be smaller than before."""
    runner = harness.Runner(root, found)
    seen: dict[tuple[str, ...], int] = {}
    for number, batch in enumerate(arrival.batches):
        runner.run(number, batch, crash_after=arrival.crash_after(number))
        now = harness.versions(root)
        fallen = {key: (seen[key], v) for key, v in now.items() if v < seen.get(key, 0)}
        assert not fallen, f"versions fell: {fallen}"
        seen.update(now)


@pytest.mark.slow
@pytest.mark.parametrize(
    "examples", [50, pytest.param(300, marks=pytest.mark.nightly)], ids=["by day", "by night"]
)
def test_tables_equal_the_model_however_the_events_arrive(template: Path, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(data=st.data())
    def hold(data: st.DataObject) -> None:
        known = data.draw(records())
        arrival = data.draw(arrivals(known))
        with lake(template) as root:
            run(root, arrival)
            assert harness.state(root) == model.tables(facts(known))

    hold()


def pickup(number: int, hour: int, **values: object) -> Record:
    fields = {"event_type": "pickup", "shelf_id": "S1-I1", "item_id": "I1", "quantity": 1}
    return SHELF, event(SHELF, number, TIMES[hour], **{**fields, **values})


def wh_out(number: int, lot: str, quantity: int, **values: object) -> Record:
    fields = {"event_type": "wh_out", "shelf_id": "S1-I1", "item_id": "I1", "batch_code": lot}
    return WH, event(WH, number, TIMES[number], **{**fields, "quantity": quantity, **values})


def sale(number: int, quantity: int, lot: str | None = None) -> Record:
    line = {"shelf_id": "S1-I1", "quantity": quantity, "batch_code": lot}
    return "pos_transactions", receipt(number, TIMES[number], [line])


def differs(template: Path, known: list[Record], arrival: Arrival, **spoiled: object) -> bool:
    """Whether the tables differ from the model when the fold of shelves is spoiled."""

    def change(fold: Fold) -> Fold:
        return replace(fold, **spoiled)

    found = (
        harness.with_fold(harness.folding(), "cleansed/shelf_state", change) if spoiled else None
    )
    with lake(template) as root:
        runner = harness.Runner(root, found)
        for number, batch in enumerate(arrival.batches):
            runner.run(number, batch, crash_after=arrival.crash_after(number))
        return harness.state(root) != model.tables(facts(known))


LATE_FIRST = [pickup(2, 4, store_id="S9", quantity=5), pickup(1, 0, quantity=2)]
APART = Arrival((tuple(LATE_FIRST[:1]), tuple(LATE_FIRST[1:])))


def test_a_fold_that_keeps_the_last_value_instead_of_the_sum_is_noticed(template: Path) -> None:
    last = {"balance": "max", "last_event_time": "max", "version": "sum"}
    assert not differs(template, LATE_FIRST, APART)
    assert differs(template, LATE_FIRST, APART, combine=last)


def test_a_fold_that_forgets_who_came_first_is_noticed(template: Path) -> None:
    spoiled: dict[str, object] = {"first_by": ("first_event_id", "first_event_time")}
    known = [pickup(1, 4, store_id="S9"), pickup(2, 0)]
    known[0][1]["event_id"], known[1][1]["event_id"] = "a", "b"  # type: ignore[index]
    arrival = Arrival((tuple(known),))
    assert not differs(template, known, arrival)
    assert differs(template, known, arrival, **spoiled)


def test_processing_duplicates_as_new_is_noticed(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [pickup(1, 0)]
    twice = Arrival((tuple(known), tuple(known)))
    assert not differs(template, known, twice)
    monkeypatch.setattr(harness.BatchProcessor, "_fates", lambda *_: None)
    assert differs(template, known, twice)


@pytest.mark.slow
def test_a_repeat_that_does_not_know_what_is_committed_is_noticed(
    template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [pickup(1, 0)]
    again = Arrival((tuple(known),), (0, 99))
    assert not differs(template, known, again)
    monkeypatch.setattr(commits, "is_committed", lambda *_: False)
    monkeypatch.setattr(DriverCommitter, "is_committed", lambda *_: False)
    assert differs(template, known, again)


@pytest.mark.slow
@pytest.mark.parametrize("commits_before", range(11))
def test_a_crash_between_any_two_commits_is_made_good(template: Path, commits_before: int) -> None:
    """After raw alone, the repeat finds its own rows there and counts them, and so on."""
    first = [pickup(1, 0), wh_out(1, "L1", 3), sale(2, 5)]
    again = [first[0], wh_out(2, "L2", 9), ("batch_catalog", catalog_message("L2", 1))]
    with lake(template) as root:
        runner = harness.Runner(root)
        runner.run(0, first)
        runner.run(1, again, crash_after=commits_before)
        assert harness.state(root) == model.tables(facts([*first, *again[1:]]))


def test_a_late_catalogue_message_moves_what_was_allotted(template: Path) -> None:
    known = [wh_out(1, "L1", 3), wh_out(2, "L2", 3), sale(3, 2)]
    early = catalog_message("L2", 1, expiry_date=model.date(2017, 1, 2))
    known_with = [*known, ("batch_catalog", early)]
    with lake(template) as root:
        runner = harness.Runner(root)
        runner.run(0, known)
        assert harness.read(root, "cleansed/shelf_batch_state")["S1-I1", "L1"]["balance"] == 1
        runner.run(1, [known_with[-1]])
        assert harness.read(root, "cleansed/shelf_batch_state")["S1-I1", "L1"]["balance"] == 3
        assert harness.state(root) == model.tables(facts(known_with))
