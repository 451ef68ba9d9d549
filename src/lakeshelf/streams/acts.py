"""What people do: acknowledge, dismiss, cancel, correct a count. Always a message, never an edit of a table."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.messages import encode, event
from lakeshelf.errors import ConfigurationError, ContractError
from lakeshelf.lake import tables
from lakeshelf.lake.location import Place
from lakeshelf.streams.clock import tick_before
from lakeshelf.streams.publisher import Publisher

ALERTS = "ops/alerts"
PLANS = {"plan_id": "ops/shelf_restock_plan", "supplier_plan_id": "ops/wh_supplier_plan"}
OPEN_ALERTS = ("open", "ack")
LAST = 2**62


def alerts(
    root: Place, *, status: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Alerts, newest first; all but the closed ones unless a status is named."""
    wanted = OPEN_ALERTS if status is None else (status,)
    return _newest(tables.rows(root, ALERTS, where=[("status", "in", wanted)]), limit)


def plans(
    root: Place, *, status: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Refill and order plans as `plan_id`, `kind` and their own columns; pending ones unless a status is named."""
    found = []
    for key, name in PLANS.items():
        wanted = [("status", "=", status or "pending")]
        kept = _newest(tables.rows(root, name, where=wanted), limit)
        kind = "refill" if key == "plan_id" else "order"
        found += [{"plan_id": row.pop(key), "kind": kind, **row} for row in kept]
    return sorted(found, key=lambda row: row["created_at"], reverse=True)[:limit]


def stock(root: Place, shelf: str) -> dict[str, Any]:
    """What is known of a shelf: its stock, its back room, its lots.

    Raises:
        ConfigurationError: No event was ever seen of the shelf.
    """
    found = {name: _of_shelf(root, f"cleansed/{name}", shelf) for name in STATE}
    if not any(found.values()):
        raise ConfigurationError(
            f"no stock of a shelf {shelf!r} is known",
            hint="see `lakeshelf tables`",
        )
    return found


STATE = ("shelf_state", "wh_state", "shelf_batch_state", "wh_batch_state")


def act(
    client: Mapping[str, str],
    root: Place,
    command: str,
    target: str,
    actor: str,
    reason: str | None,
) -> dict[str, Any]:
    """Ask the owner of an alert or plan to change it.

    Args:
        client: librdkafka settings that reach the broker.
        root: Lake root.
        command: `ack`, `dismiss` or `cancel`.
        target: Id of an open alert, or of a pending plan.
        actor: Who asks.
        reason: Why.

    Returns:
        The message.

    Raises:
        ConfigurationError: There is no such alert or plan, or it is closed.
    """
    known = plans(root) if command == "cancel" else alerts(root)
    found = next(
        (row for row in known if target in (row.get("plan_id"), row.get("alert_id"))), None
    )
    if found is None:
        what = "pending plan" if command == "cancel" else "open alert"
        where = "lakeshelf plans list" if command == "cancel" else "lakeshelf alerts list"
        raise ConfigurationError(f"no {what} {target!r}", hint=f"see `{where}`")
    values = {"command": command, "target_id": target, "actor": actor, "reason": reason}
    return _send(client, "commands", command, {"store_id": found["store_id"], **values})


def adjust(
    client: Mapping[str, str],
    root: Place,
    shelf: str,
    quantity: int,
    actor: str,
    reason: str | None,
) -> dict[str, Any]:
    """Correct the count of a shelf after stocktaking.

    Args:
        client: librdkafka settings that reach the broker.
        root: Lake root.
        shelf: The shelf.
        quantity: Units that are there more, or less, than the books say.
        actor: Who counted.
        reason: Why.

    Returns:
        The event.

    Raises:
        ConfigurationError: An unknown shelf, or a quantity that cannot be.
    """
    (row,) = stock(root, shelf)["shelf_state"] or [{}]
    if not row:
        raise ConfigurationError(
            f"no stock on shelf {shelf!r} is known", hint="see `lakeshelf stock show`"
        )
    place = {name: row[name] for name in ("shelf_id", "store_id", "item_id")}
    values = {"quantity": quantity, "actor": actor, "reason": reason or "stocktaking"}
    return _send(client, "shelf_events", "adjustment", {**place, **values})


def _send(
    client: Mapping[str, str], topic: str, event_type: str, values: dict[str, Any]
) -> dict[str, Any]:
    tick = tick_before(client, LAST)
    now: datetime = tick["now"] if tick else datetime.fromtimestamp(time.time(), UTC)
    message = event(
        event_type, now, values.pop("store_id"), (event_type, str(uuid.uuid4())), **values
    )
    contract = CATALOG.topics[topic]
    try:
        encoded = encode(contract, message)
    except ContractError as error:
        raise ConfigurationError(error.message, hint="correct the value") from error
    publisher = Publisher(client)
    publisher.records(topic, [contract.key_of(message).encode()], [encoded])
    publisher.flush()
    told: dict[str, Any] = orjson.loads(encoded)
    return told


def _of_shelf(root: Place, name: str, shelf: str) -> list[dict[str, Any]]:
    return list(tables.rows(root, name, where=[("shelf_id", "=", shelf)]).to_pylist())


def _newest(rows: pa.Table, limit: int | None) -> list[dict[str, Any]]:
    hidden = [name for name in ("held", "decided_at") if name in rows.column_names]
    ordered = rows.drop_columns(hidden).sort_by([("created_at", "descending")])
    return list(ordered.slice(0, limit).to_pylist())
