"""What became of what people asked for: done by its owner, refused, or not yet known."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.contracts.lives import AlertKind
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.shop.acts import Message

COMMANDS = (Ops.SHELF_COMMANDS, Ops.WH_COMMANDS)
"""Tables in which engines keep what was asked of them, with why it was refused."""
EVENTS = {"shelf_events": Raw.SHELF_EVENTS, "wh_events": Raw.WH_EVENTS}
"""Topic of adjustments → its mirror."""
ENDS = {"ack": ("ack",), "dismiss": ("dismissed",)}
"""Command → states of an alert that obeyed it."""
Outcomes = dict[str, str | None]
"""Event id → why it was refused; None: it was done."""


def outcomes(root: Place, messages: Sequence[Message], since: datetime) -> Outcomes:
    """What became of messages of `lakeshelf.shop.acts`; those of which nothing is known yet are left out.

    Args:
        root: Lake root.
        messages: Topic and values of each.
        since: When the first was sent, by the time of day.
    """
    values = {str(message["event_id"]): (topic, message) for topic, message in messages}
    known = _judged(root, [one for one, (topic, _) in values.items() if topic == "commands"])
    for adjusted, mirror in EVENTS.items():
        known |= _booked(root, mirror, [o for o, (topic, _) in values.items() if topic == adjusted])
    rest = {one: values[one] for one in values.keys() - known.keys()}
    if rest:
        known |= _refused(root, rest.keys(), sorted({topic for topic, _ in rest.values()}), since)
        known |= _obeyed(root, [m for one, (_, m) in rest.items() if one not in known])
    return known


def _judged(root: Place, ids: Sequence[str]) -> Outcomes:
    if not ids:
        return {}
    where = [("event_id", "in", tuple(ids))]
    rows = [tables.rows(root, name, ["event_id", "refusal"], where) for name in COMMANDS]
    return {row["event_id"]: row["refusal"] for part in rows for row in part.to_pylist()}


def _booked(root: Place, mirror: str, ids: Sequence[str]) -> Outcomes:
    if not ids:
        return {}
    rows = tables.rows(root, mirror, ["event_id"], [("event_id", "in", tuple(ids))])
    return dict.fromkeys(rows["event_id"].to_pylist())


def _refused(root: Place, ids: Iterable[str], topics: Sequence[str], since: datetime) -> Outcomes:
    where = [("topic", "in", tuple(topics)), ("kafka_timestamp", ">=", since)]
    rows = tables.rows(root, Raw.QUARANTINE, ["value", "reason", "detail"], where).to_pylist()
    reasons = {_event_id(row["value"]): f"{row['reason']}: {row['detail']}" for row in rows}
    return {one: reasons[one] for one in ids if one in reasons}


def _event_id(value: bytes | None) -> str | None:
    try:
        message = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    return message.get("event_id") if isinstance(message, dict) else None


def _obeyed(root: Place, commands: Sequence[Mapping[str, Any]]) -> Outcomes:
    """Of alerts whose owner keeps no table of commands: the alert itself has become what was asked."""
    own = [m for m in commands if str(m.get("target_id")).startswith(AlertKind.EXPIRED_REMOVAL)]
    if not own:
        return {}
    where = [("alert_id", "in", tuple({m["target_id"] for m in own}))]
    rows = tables.rows(root, Ops.ALERTS, ["alert_id", "status", "actor"], where).to_pylist()
    stands = {row["alert_id"]: (row["status"], row["actor"]) for row in rows}
    return {
        m["event_id"]: None
        for m in own
        if stands.get(m["target_id"], ("", ""))[0] in ENDS[m["command"]]
        and stands[m["target_id"]][1] == m["actor"]
    }
