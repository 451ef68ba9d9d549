"""Open alerts, and how long it takes from an event to the alert that it causes."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.contracts.lives import ALERT_KINDS, OPEN_ALERT, AlertKind
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import reading, tables, versions

COLUMNS = ("alert_id", "event_type", "shelf_id", "created_at")
MOST = 50
"""New alerts of a commit that are looked at."""
CAUSED_WITHIN = timedelta(hours=1)
"""Business time before an alert within which an event counts as its cause; an older one did not open it."""


@dataclass(frozen=True)
class AlertFigures:
    """What people watch of alerts.

    Attributes:
        open: Kind → open ones.
        oldest: Kind of which some are open → `alert_id` and `created_at` of the oldest.
        delay_ms: From the last event of a shelf, as the broker had it, to the commit that showed its request to
            refill, in the middle of those that the latest such commit showed; None: none was seen to be opened.
    """

    open: Mapping[str, int]
    oldest: Mapping[str, Mapping[str, Any]]
    delay_ms: int | None


class AlertFigure:
    """Open alerts of each version of `ops/alerts`, and how long those took that are new in it.

    Args:
        root: Lake root.
    """

    def __init__(self, root: Place) -> None:
        self._root = root
        self._known: frozenset[str] | None = None
        self._delay_ms: int | None = None

    def __call__(self, handle: DeltaTable) -> AlertFigures:
        """The figures at the version of the handle."""
        rows = reading.rows(handle, Ops.ALERTS, COLUMNS, [("status", "in", OPEN_ALERT)]).to_pylist()
        counts = Counter(row["event_type"] for row in rows)
        asked = [row for row in rows if row["event_type"] == AlertKind.REFILL_REQUEST]
        new = [row for row in asked if row["alert_id"] not in (self._known or ())]
        if self._known is not None and new:
            self._delay_ms = self._delay(handle, new[:MOST]) or self._delay_ms
        self._known = frozenset(row["alert_id"] for row in asked)
        open_ = {kind: counts[kind] for kind in ALERT_KINDS}
        return AlertFigures(open_, _oldest(rows), self._delay_ms)

    def _delay(self, handle: DeltaTable, opened: list[dict[str, Any]]) -> int | None:
        try:
            events = self._events(opened)
        except NotFound:
            return None
        shown = versions.committed_at(handle)
        if shown is None:
            return None
        delays = [
            (shown - arrived).total_seconds() * 1000
            for alert in opened
            if (arrived := _last(events, alert)) is not None
        ]
        return max(0, round(statistics.median(delays))) if delays else None

    def _events(self, opened: list[dict[str, Any]]) -> pa.Table:
        """Events of shelves around the time at which their alerts were opened."""
        first = min(row["created_at"] for row in opened) - CAUSED_WITHIN
        last = max(row["created_at"] for row in opened)
        where = [
            ("shelf_id", "in", tuple({row["shelf_id"] for row in opened})),
            ("event_date", ">=", first.date()),
            ("event_time", ">=", first),
            ("event_time", "<=", last),
        ]
        columns = ("shelf_id", "event_time", "kafka_timestamp")
        return tables.rows(self._root, Raw.SHELF_EVENTS, columns, where)


def _oldest(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Kind → the alert that was opened first."""
    newest_first = sorted(rows, key=lambda row: (row["created_at"], row["alert_id"]), reverse=True)
    names = ("alert_id", "created_at")
    return {row["event_type"]: {name: row[name] for name in names} for row in newest_first}


def _last(events: pa.Table, alert: Mapping[str, Any]) -> datetime | None:
    """When the broker had the last event of a shelf before its alert."""
    times = [
        (row["event_time"], row["kafka_timestamp"])
        for row in events.to_pylist()
        if row["shelf_id"] == alert["shelf_id"]
        and alert["created_at"] - CAUSED_WITHIN <= row["event_time"] <= alert["created_at"]
        and row["kafka_timestamp"] is not None
    ]
    return max(times)[1] if times else None
