"""A record that no try to process survives: it is found, isolated and told of, and everything else goes on."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from lakeshelf.lake import tables
from lakeshelf.streams import quarantine
from lakeshelf.streams.publisher import Publisher
from lakeshelf.streams.recovery import rebuild
from tests.faults.rig import Rig, red
from tests.support import eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow]

POISON_ID = "poison-1"
FOUND_S = 600.0
POINTS = ("before_raw", "after_raw", "between_tables", "before_publish", "after_publish")


def send_poison(rig: Rig, event_id: str = POISON_ID) -> None:
    """An adjustment of a shelf that is in the receipts."""
    shelf = tables.rows(rig.settings.lake_root, "cleansed/shelf_state").to_pylist()
    named = shelf[0]["shelf_id"] if shelf else "S1-1"
    event = {
        "event_id": event_id,
        "event_type": "adjustment",
        "event_time": "2017-01-02T12:00:00.000Z",
        "store_id": "S1",
        "schema_version": 1,
        "shelf_id": named,
        "item_id": "I1",
        "quantity": 3,
    }
    publisher = Publisher(rig.client)
    publisher.records("shelf_events", [named.encode()], [json.dumps(event).encode()])
    publisher.flush()


def isolated(rig: Rig) -> list[dict[str, Any]]:
    return quarantine.listed(rig.settings.lake_root, reason="unprocessable")


def run_until_folded(rig: Rig, **environment: str) -> int:
    """Start the driver whenever it has ended, as the supervisor does; how often it ended."""
    deaths = 0
    rig.start(**environment)
    deadline = time.monotonic() + FOUND_S

    def folded() -> bool:
        nonlocal deaths
        assert rig.driver is not None
        if rig.driver.poll() is not None:
            deaths += 1
            rig.start(**environment)
        return rig._folded()

    eventually(folded, "everything is folded", deadline - time.monotonic())
    rig.stop()
    return deaths


@pytest.mark.parametrize("point", POINTS)
def test_an_event_that_kills_the_process_is_isolated_and_all_others_count_once(
    rig: Rig, undisturbed: dict[str, list[tuple[Any, ...]]], point: str
) -> None:
    rig.send()
    send_poison(rig)
    deaths = run_until_folded(rig, LAKESHELF_POISON=f"{point}@{POISON_ID}")
    assert deaths <= 6
    (found,) = isolated(rig)
    assert json.loads(found["value"])["event_id"] == POISON_ID
    rebuild(rig.settings, rig.jobs.values())
    assert red(rig.reconcile()) == []
    assert rig.contents() == undisturbed
