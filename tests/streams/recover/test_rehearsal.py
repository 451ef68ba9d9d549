"""What would be refused again is known before it is sent, and nothing is written to find out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.messages import encode
from lakeshelf.lake.rows import tables
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.recover import rehearsal
from lakeshelf.streams.recover.rehearsal import Candidate
from tests.streams import harness
from tests.streams.bench import SHELF, START, Bench, lake, policy, stocked
from tests.streams.strategies import event

pytestmark = pytest.mark.slow


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root)


def candidate(topic: str, number: int, **values: Any) -> Candidate:
    told = event(topic, number, START, **values)
    fields = [f.name for f in CATALOG.topics[topic].fields]
    body = {name: told[name] for name in fields if told[name] is not None}
    return Candidate(
        topic, CATALOG.topics[topic].key_of(told).encode(), encode(CATALOG.topics[topic], body)
    )


def rehearse(bench: Bench, *candidates: Candidate) -> list[tuple[int, str]]:
    """Places of the candidates that would be refused, and why; the lake stays as it is."""
    names = tables.existing(bench.root)
    before = {name: tables.open_table(bench.root, name).version() for name in names}
    found = rehearsal.refusals(bench.root, plan(harness.jobs().values()), candidates)
    after = {name: tables.open_table(bench.root, name).version() for name in names}
    assert after == before
    return sorted((n, refused.reason) for n, refused in found)


def taken(number: int, quantity: int) -> Candidate:
    stock = {"shelf_id": SHELF, "item_id": "I1", "quantity": quantity}
    return candidate("shelf_events", number, event_type="pickup", **stock)


def test_an_id_that_raw_holds_with_other_content_would_be_refused(bench: Bench) -> None:
    stock = {"shelf_id": SHELF, "item_id": "I1", "quantity": 1}
    bench.runner.run(
        0, [("shelf_events", event("shelf_events", 1, START, event_type="pickup", **stock))]
    )
    assert rehearse(bench, taken(1, 2), taken(1, 1), taken(2, 1)) == [(0, "conflicting_duplicate")]


def test_two_corrections_of_one_id_contradict_each_other(bench: Bench) -> None:
    assert rehearse(bench, taken(2, 1), taken(2, 1), taken(2, 5)) == [(2, "conflicting_duplicate")]


def test_a_command_on_what_is_closed_or_unknown_would_be_refused(bench: Bench) -> None:
    stocked(bench, 1)
    policy(bench)
    bench.tick(timedelta(minutes=1))
    bench.process()
    (alert,) = bench.shop.alerts["shelf"]

    def asked(number: int, word: str, target: str) -> Candidate:
        told = {"command": word, "target_id": target, "actor": "ada", "event_type": word}
        return candidate("commands", number, **told)

    wanted = [asked(1, "ack", alert), asked(2, "ack", "door"), asked(3, "cancel", alert)]
    found = rehearse(bench, *wanted)
    assert found == [(1, "refused_command"), (2, "refused_command")]


def test_a_lake_that_never_ran_refuses_nothing(tmp_path: Any) -> None:
    assert rehearsal.refusals(tmp_path, plan(harness.jobs().values()), [taken(1, 1)]) == []
