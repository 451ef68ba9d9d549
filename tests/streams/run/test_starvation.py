"""A busy store does not keep a quiet one waiting: both are looked at in the batch that brings them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import orjson
import pytest
from pyspark.sql import SparkSession

from lakeshelf.settings import Settings
from tests.streams import harness
from tests.streams.bench import START, message
from tests.streams.pipeline import Pipeline, Record, record, send
from tests.streams.strategies import event

pytestmark = pytest.mark.slow
BUSY, QUIET = "BUSY-1", "QUIET-1"
FLOOD = 20_000


def moved(number: int, shelf: str, kind: str, quantity: int, reason: str | None = None) -> Record:
    """A movement on a shelf."""
    at = START + timedelta(milliseconds=number)
    told = {"store_id": shelf[:4], "shelf_id": shelf, "item_id": "item", "quantity": quantity}
    return record(
        "shelf_events", event("shelf_events", number, at, event_type=kind, reason=reason, **told)
    )


def profile(shelf: str) -> Record:
    """A shelf that holds ten units."""
    told = {"store_id": shelf[:4], "item_id": "item", "name": "Item", "max_stock": 10}
    priced = {"unit_price": Decimal("1.00"), "standard_batch_size": 5}
    return record(*message("shelf_profiles", shelf_id=shelf, version=1, **told, **priced))


def tick(seq: int) -> Record:
    """Business time."""
    now = START + timedelta(seconds=seq)
    told = {"now": now, "today": now.date(), "kind": "stepped", "speed": 1.0, "seq": seq}
    return record(*message("clock", version=seq, **told))


def alerted(running: Pipeline) -> set[str]:
    """Shelves for which a refill was requested."""
    values = (orjson.loads(sent.value or b"") for sent in running.published("alerts"))
    return {value["shelf_id"] for value in values if value["event_type"] == "refill_request"}


def test_a_flood_of_one_store_and_a_pickup_of_another_are_decided_in_one_batch(
    settings: Settings, spark: SparkSession, client: dict[str, str]
) -> None:
    running = Pipeline(settings, spark, client, harness.deciding())
    opening = [moved(1, QUIET, "restock", 10, "opening_balance")]
    send(client, [profile(QUIET), profile(BUSY), *opening, tick(1)])
    running.take("driver")
    assert alerted(running) == {BUSY}, "a shelf without stock is low"

    flood = [moved(n + 2, BUSY, "restock" if n % 2 else "pickup", 1) for n in range(FLOOD)]
    send(client, [*flood, moved(FLOOD + 2, QUIET, "pickup", 9), tick(2)])
    running.take("driver")
    assert alerted(running) == {BUSY, QUIET}
    assert running.counts("shelf_events")["valid"] == FLOOD + 2
