"""How long it takes from an event to the alert that it causes is measured where it can be seen, and nowhere else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakeshelf.cli.console.terminal import Terminal
from lakeshelf.cli.platform.observing import watch
from lakeshelf.settings import Settings
from lakeshelf.stack.observing.live import Numbers
from tests.cli.platform.test_watch import NOW, bare, write

__all__ = ["bare"]


@pytest.mark.slow
def test_from_event_to_alert_is_as_long_as_it_took_from_the_broker_to_the_commit(bare: Settings):
    lake, arrived = bare.lake_root, datetime.now(UTC) - timedelta(seconds=7)
    day = {"event_date": NOW.date(), "event_type": "pickup", "quantity": 1, "schema_version": 1}

    def event(number: int, minutes: int, at: datetime) -> dict[str, Any]:
        origin = {"kafka_partition": 0, "kafka_offset": number, "ingested_at": at}
        stamps = {"event_time": NOW - timedelta(minutes=minutes), "kafka_timestamp": at}
        return {**day, **stamps, "event_id": f"e{number}", **origin}

    early = arrived - timedelta(hours=1)
    write(lake, "raw/shelf_events", event(1, 9, early), event(2, 5, arrived), event(3, -5, early))
    alert = {"location": "store", "event_type": "refill_request", "status": "open"}
    write(lake, "ops/alerts", {**alert, "alert_id": "a1"})
    closed = {"alert_id": "a0", "status": "resolved", "created_at": NOW - timedelta(days=1)}
    write(lake, "ops/alerts", {**alert, **closed})
    numbers = Numbers(bare)
    assert numbers.look()["event_to_alert_ms"] is None, "nobody saw when it was opened"
    write(lake, "ops/alerts", {**alert, "alert_id": "a2"})
    measured = numbers.look()["event_to_alert_ms"]
    assert 7_000 <= measured < 120_000
    never = {"shelf_id": "S1-I2", "alert_id": "a3"}  # no event opened it
    write(lake, "ops/alerts", {**alert, **never}, {**alert, "alert_id": "a4", "status": "ack"})
    seen = numbers.look()
    assert seen["alerts"]["refill_request"] == 4
    assert seen["oldest_alerts"] == {"refill_request": {"alert_id": "a1", "created_at": NOW}}
    assert 7_000 <= seen["event_to_alert_ms"] < 120_000
    assert "event to alert, ms" in render(watch._figures(seen))


def render(shown: Any) -> str:
    console = Terminal(width=200)
    with console.capture() as captured:
        console.print(shown)
    return captured.get()
