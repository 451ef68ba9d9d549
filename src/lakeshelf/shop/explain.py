"""Why an alert was opened: the policy in force, and the figures that broke it (docs/design/retail.md#alerts)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.lives import OPEN_ALERT, AlertKind
from lakeshelf.contracts.retail import topics_reference
from lakeshelf.counts import count_is, count_of
from lakeshelf.shop.decisions import GLOBAL, policy_in_force, policy_joins
from lakeshelf.shop.history import History, StoryLine, equal
from lakeshelf.streams.declare.duck import Duck

POLICIES = {"store": "shelf_policies", "warehouse": "wh_policies"}
"""Location of an alert → topic of the policies that it follows."""


def explanation(history: History, alert: StoryLine) -> dict[str, Any]:
    """Why an alert was opened, and how it ended, as `explanations` gives it."""
    (explained,) = explanations(history, [alert.row])
    return explained


def explanations(history: History, alerts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Why alerts were opened, and how they ended.

    Args:
        history: The lake.
        alerts: Rows of a table of alerts.

    Returns:
        For each `why` (a sentence for each limit that was broken), `figures` (the alert's own, which follow the
        stock while it is open), `policy` (as `policy` gives it), `end` (`status`, `at`, `actor`; None while it is
        open).
    """
    by_topic: dict[str, set[str]] = {}
    for row in alerts:
        by_topic.setdefault(POLICIES[row["location"]], set()).add(row["shelf_id"])
    known = {topic: policies(history, topic, shelves) for topic, shelves in by_topic.items()}
    return [_explained(row, known[POLICIES[row["location"]]][row["shelf_id"]]) for row in alerts]


def _explained(alert: Mapping[str, Any], current_policy: dict[str, Any]) -> dict[str, Any]:
    held = {name: field["value"] for name, field in current_policy["fields"].items()}
    return {
        "why": broken(alert, held),
        "figures": {name: alert[name] for name in FIGURES},
        "policy": current_policy,
        "end": _end(alert),
    }


FIGURES = (
    "current_stock",
    "max_stock",
    "min_qty",
    "threshold_pct",
    "stock_pct",
    "suggested_qty",
    "batch_code",
    "expiry_date",
)


def policy(history: History, topic: str, shelf: str) -> dict[str, Any]:
    """The policy of a shelf that is in force now, as `policies` gives it."""
    return policies(history, topic, [shelf])[shelf]


def policies(history: History, topic: str, shelves: Collection[str]) -> dict[str, dict[str, Any]]:
    """The policies of shelves that are in force now.

    Args:
        history: The lake.
        topic: `shelf_policies` or `wh_policies`.
        shelves: The shelves.

    Returns:
        Shelf → `table`, `table_version` and `fields`: field → `value` and `from` (`shelf`, `__GLOBAL__` or `default`).
    """
    name = f"staging/{topic}"
    rows = history.rows(name, equal("shelf_id", *shelves, GLOBAL))
    place = {"table": name, "table_version": history.version(name)}
    fields = all_in_force(topic, rows, shelves)
    return {shelf: {**place, "fields": fields[shelf]} for shelf in shelves}


def in_force(topic: str, rows: pa.Table, shelf: str) -> dict[str, dict[str, Any]]:
    """What holds for a shelf by some policies: field → `value` and `from`, as `policies` gives them."""
    return all_in_force(topic, rows, [shelf])[shelf]


def all_in_force(
    topic: str, rows: pa.Table, shelves: Collection[str]
) -> dict[str, dict[str, dict[str, Any]]]:
    """What holds for shelves by some policies: shelf → field → `value` and `from`, as `policies` gives them."""
    asked = pa.array(list(shelves), pa.string())
    held = policies_held(topic, rows, asked).to_pylist()
    return {
        row["shelf_id"]: {n: {"value": row[n], "from": row[f"{n}_from"]} for n in limits(topic)}
        for row in held
    }


def policies_held(topic: str, rows: pa.Table, shelves: pa.Array | pa.ChunkedArray) -> pa.Table:
    """What holds for shelves by some policies.

    Returns:
        `shelf_id`, and each field with its `<field>_from`, as `policies` gives them; in no order.
    """
    query = f"""
        SELECT s.shelf_id AS shelf_id, {policy_in_force(topic)}, {_sources(topic)}
        FROM {{shelves}} AS s {policy_joins("policies", "s.shelf_id")}"""
    asked = pa.table({"shelf_id": shelves})
    return Duck(threads=1).query(query, shelves=asked, policies=rows)


def limits(topic: str) -> list[str]:
    """Fields of a policy that people choose."""
    return [field.name for field in topics_reference.limits(CATALOG.topics[topic])]


def _sources(topic: str) -> str:
    return ", ".join(
        f"CASE WHEN own_policy.{n} IS NOT NULL THEN 'shelf' "
        f"WHEN global_policy.{n} IS NOT NULL THEN '{GLOBAL}' ELSE 'default' END AS {n}_from"
        for n in limits(topic)
    )


def broken(alert: Mapping[str, Any], limits: Mapping[str, Any]) -> list[str]:
    """What the alert's figures broke, a sentence each.

    Args:
        alert: The alert.
        limits: Field → value of the policy in force, for what the alert itself does not tell.
    """
    figures = {**limits, **{name: alert[name] for name in FIGURES if alert[name] is not None}}
    return _BROKEN[alert["event_type"]](alert, figures)


def _low(_: Mapping[str, Any], figures: dict[str, Any]) -> list[str]:
    stock, room = figures.get("current_stock"), figures.get("max_stock")
    if stock is None:
        return []
    lines = []
    if room and 100 * stock < figures["threshold_pct"] * room:
        share = f"{stock} of {count_of(room, 'unit')}, {100 * stock / room:.1f} %"
        lines.append(f"{share}, is below threshold_pct {figures['threshold_pct']:g}")
    if stock < figures["min_qty"]:
        lines.append(f"{count_is(stock, 'unit')} below min_qty {figures['min_qty']}")
    return lines


def _short(_: Mapping[str, Any], figures: dict[str, Any]) -> list[str]:
    stock, point = (
        figures.get("current_stock"),
        figures.get("min_qty", figures["reorder_point_qty"]),
    )
    if stock is None or stock >= point:
        return []
    units, verb = count_of(stock, "unit"), "is" if stock == 1 else "are"
    return [f"{units} in the back room {verb} below reorder_point_qty {point}"]


def _near(alert: Mapping[str, Any], figures: dict[str, Any]) -> list[str]:
    if figures.get("expiry_date") is None:
        return []
    days, limit = _days_left(alert), figures["near_expiry_days"]
    units = figures.get("current_stock")
    held = "units" if units is None else count_of(units, "unit")
    lot = f"{held} of lot {alert['batch_code']}"
    verb = "expires" if units == 1 else "expire"
    when = f"{verb} {figures['expiry_date']}, {count_of(days, 'day')} after the alert was opened"
    return [f"{lot} {when}; near_expiry_days is {limit}"]


def _expired(alert: Mapping[str, Any], figures: dict[str, Any]) -> list[str]:
    if figures.get("expiry_date") is None:
        return []
    return [f"lot {alert['batch_code']} expired {figures['expiry_date']} with units left"]


_BROKEN = {
    AlertKind.REFILL_REQUEST: _low,
    AlertKind.SUPPLIER_REQUEST: _short,
    AlertKind.NEAR_EXPIRY: _near,
    AlertKind.EXPIRED_REMOVAL: _expired,
}


def _days_left(alert: Mapping[str, Any]) -> int:
    opened: date = alert["created_at"].date()
    expiry: date = alert["expiry_date"]
    return (expiry - opened).days


def _end(alert: Mapping[str, Any]) -> dict[str, Any] | None:
    if alert["status"] in OPEN_ALERT:
        return None
    at = alert["decided_at"] or alert["updated_at"]
    return {"status": alert["status"], "at": at, "actor": alert["actor"]}
