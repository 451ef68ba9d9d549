"""Alerts of expired lots: one a lot and location, open until the lot is gone."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from lakeshelf.contracts.lives import OPEN_ALERT, AlertKind
from lakeshelf.contracts.messages import derived_id

if TYPE_CHECKING:
    from removal_scheduler import Lot

TIMES = ("created_at", "updated_at")
Key = tuple[str, str, str]
Row = dict[str, Any]


class RemovalAlerts:
    """The alerts of the removal scheduler that are open, or held closed by a person."""

    def __init__(self, rows: Mapping[Key, Row] | None = None) -> None:
        self._rows: dict[Key, Row] = dict(rows or {})

    @classmethod
    def restored(cls, kept: Iterable[Mapping[str, Any]]) -> RemovalAlerts:
        """The alerts that `kept` gave, from plain JSON."""
        rows = [{**row, **{t: datetime.fromisoformat(row[t]) for t in TIMES}} for row in kept]
        for row in rows:
            row["expiry_date"] = date.fromisoformat(str(row["expiry_date"]))
        return cls({_key(row): row for row in rows})

    def kept(self) -> list[Row]:
        """What a later process has to know, as plain JSON."""
        return [
            {
                **row,
                **{t: row[t].isoformat() for t in TIMES},
                "expiry_date": str(row["expiry_date"]),
            }
            for row in self._rows.values()
        ]

    def copy(self) -> RemovalAlerts:
        """An independent copy."""
        return RemovalAlerts(copy.deepcopy(self._rows))

    @property
    def waiting(self) -> bool:
        """Whether an alert waits for its lot to be gone."""
        return bool(self._rows)

    def open(self, lots: Iterable[Lot], stores: Mapping[str, str], now: datetime) -> list[Row]:
        """Open an alert for each lot that has none; the messages.

        Args:
            lots: Expired lots that have units.
            stores: Shelf → its store; a lot of another shelf waits.
            now: Time of the latest tick.
        """
        new = [lot for lot in lots if lot.key not in self._rows and lot.shelf_id in stores]
        for lot in new:
            self._rows[lot.key] = {
                "alert_id": derived_id(
                    ":".join(
                        (AlertKind.EXPIRED_REMOVAL, *lot.key, str(round(now.timestamp() * 1000)))
                    )
                ),
                "event_type": AlertKind.EXPIRED_REMOVAL,
                "store_id": stores[lot.shelf_id],
                "shelf_id": lot.shelf_id,
                "batch_code": lot.batch_code,
                "expiry_date": lot.expiry_date,
                "location": lot.location,
                "status": "open",
                "current_stock": lot.units,
                "actor": None,
                "created_at": now,
                "updated_at": now,
                "version": 1,
            }
        return [_message(self._rows[lot.key]) for lot in new]

    def follow(self, lots: Iterable[Lot], now: datetime) -> list[Row]:
        """Resolve alerts whose lot is gone, and tell the latest units of others; the messages."""
        units = {lot.key: lot.units for lot in lots}
        messages = []
        for key, row in list(self._rows.items()):
            current = units.get(key, 0)
            if row["status"] in OPEN_ALERT and current != row["current_stock"]:
                status = row["status"] if current else "resolved"
                _change(row, now, status=status, current_stock=current)
                messages.append(_message(row))
            if not current:
                del self._rows[key]
        return messages

    def obey(self, command: Mapping[str, Any], now: datetime) -> list[Row]:
        """Acknowledge or dismiss; no message if that cannot be."""
        after = {"ack": "ack", "dismiss": "dismissed"}.get(command["command"])
        for row in self._rows.values():
            if row["alert_id"] == command["target_id"] and row["status"] in OPEN_ALERT and after:
                _change(row, now, status=after, actor=command["actor"])
                return [_message(row)]
        return []


def _key(row: Row) -> Key:
    return row["location"], row["shelf_id"], row["batch_code"]


def _change(row: Row, now: datetime, **values: Any) -> None:
    row.update(values, updated_at=now, version=row["version"] + 1)


def _message(row: Row) -> Row:
    event_id = derived_id(f"{row['alert_id']}:{row['version']}")
    return {**row, "event_id": event_id, "event_time": row["updated_at"], "schema_version": 1}
