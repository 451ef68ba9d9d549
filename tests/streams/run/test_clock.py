"""Business time: when a query may decide, and what it knows of ticks when it starts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Producer

from lakeshelf.contracts import CATALOG
from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import reader
from lakeshelf.streams.declare import intake
from lakeshelf.streams.run.clock import BusinessTime, latest, tick_before
from tests.streams.pipeline import record, send

START = datetime(2026, 3, 1, 9, tzinfo=UTC)


def tick(version: int, time: datetime = START) -> dict[str, Any]:
    told = {"now": time, "today": time.date(), "kind": "stepped", "speed": 1.0, "phase": None}
    return {**told, "seq": version, "version": version, "updated_at": time, "deleted": False}


def ticks(*found: dict[str, Any]) -> pa.Table:
    place = {"kafka_partition": 0, "kafka_offset": 0, "kafka_timestamp": START}
    rows = [{**row, **place} for row in found]
    return pa.Table.from_pylist(rows, schema=intake.schema(CATALOG.topics["clock"]))


def until(offset: int) -> dict[str, dict[str, tuple[int, int]]]:
    return {"shelf_events": {"0": (0, offset)}}


def test_nothing_is_decided_before_the_first_tick() -> None:
    time = BusinessTime(None, {})
    time.advance(ticks(), until(5))
    assert not time.decides
    assert time.relation().num_rows == 0
    time.advance(ticks(tick(1)), until(5))
    assert time.decides


def test_nothing_is_decided_before_everything_is_read_that_was_there_at_the_start() -> None:
    time = BusinessTime(tick(1), {"shelf_events": {"0": 7}})
    for end, decides in ((3, False), (6, False), (7, True), (2, True)):
        time.advance(ticks(), until(end))
        assert time.decides is decides


def test_the_first_decision_looks_at_everything_and_later_ones_do_not() -> None:
    time = BusinessTime(None, {})
    seen = []
    for found in ((), (tick(1),), (), (tick(2),)):
        time.advance(ticks(*found), until(1))
        seen.append((time.moved, *(row["fresh"] for row in time.relation().to_pylist())))
        time.decided()
    assert seen == [(False,), (True, True), (False, False), (True, False)]


def test_the_latest_tick_counts_and_another_day_is_noticed() -> None:
    time = BusinessTime(tick(1), {})
    tomorrow = START + timedelta(days=1)
    for found, now, rolled in (
        ((tick(3, START + timedelta(hours=2)), tick(2, START)), START + timedelta(hours=2), False),
        ((tick(4, tomorrow),), tomorrow, True),
        ((), tomorrow, False),
    ):
        time.advance(ticks(*found), until(1))
        (row,) = time.relation().to_pylist()
        assert (row["now"], row["rolled"], row["ticked"]) == (now, rolled, bool(found))


def state(client: dict[str, str]) -> tuple[int, int]:
    """Where the clock of the shared broker ends, and the version of its latest tick."""
    last = tick_before(client)
    return topics.end_offsets(client, ["clock"])["clock"]["0"], last["version"] if last else 0


@pytest.mark.slow
def test_at_its_start_a_query_knows_the_tick_before_its_first_batch(client: dict[str, str]) -> None:
    begun, before = state(client)
    assert tick_before(client, 0) is None
    sent = [tick(before + n, START + timedelta(minutes=n)) for n in (1, 2, 3)]
    send(client, [record("clock", one) for one in sent])
    for offset, last in ((1, sent[0]), (2, sent[1]), (3, sent[2]), (99, sent[2])):
        found = tick_before(client, begun + offset)
        assert found is not None
        assert (found["version"], found["now"]) == (last["version"], last["now"])


@pytest.mark.slow
def test_the_latest_tick_is_found_behind_what_is_none(client: dict[str, str]) -> None:
    """A tick that another than the clock sent, one whose header lies, an aborted one and its marker."""
    begun, before = state(client)
    good = record("clock", tick(before + 1, START))
    ahead = str(before + 99).encode()
    foreign = replace(good, headers=(("version", ahead), ("producer", b"somebody")))
    lying = replace(good, headers=(("version", ahead), ("producer", b"clock")))
    send(client, [good, *[foreign, lying] * 100])
    producer = Producer({**client, "transactional.id": "clock"})
    producer.init_transactions()
    producer.begin_transaction()
    aborted = record("clock", tick(before + 2, START))
    producer.produce("clock", aborted.value, aborted.key, headers=list(aborted.headers))
    producer.flush()
    producer.abort_transaction()
    consumer = reader(client, "tests")
    found = latest(consumer)
    consumer.close()
    assert found is not None
    assert (found[0], found[1]["version"]) == (begun, before + 1)
