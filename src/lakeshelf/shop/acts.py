"""What people do: acknowledge, dismiss, cancel, correct a count. Always a message, never an edit of a table."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.messages import encode, event
from lakeshelf.errors import ConfigurationError, ContractError
from lakeshelf.lake.place.location import Place
from lakeshelf.shop import lists
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.run.clock import tick_before


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
    row = (lists.pending_plan if command == "cancel" else lists.open_alert)(root, target)
    values = {"command": command, "target_id": target, "actor": actor, "reason": reason}
    return _send(client, "commands", command, {"store_id": row["store_id"], **values})


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
    (row,) = lists.stock(root, shelf)["shelf_state"] or [{}]
    if not row:
        raise ConfigurationError(
            f"no stock on shelf {shelf!r} is known", hint="see `lakeshelf stock show`"
        )
    place = {name: row[name] for name in ("shelf_id", "store_id", "item_id")}
    values = {"quantity": quantity, "actor": actor, "reason": reason or "stocktaking"}
    return _send(client, "shelf_events", "adjustment", {**place, **values})


def business_now(client: Mapping[str, str]) -> datetime:
    """Business time of the latest tick, or the time of day where no clock ticks."""
    tick = tick_before(client)
    return tick["now"] if tick else datetime.fromtimestamp(time.time(), UTC)


def encoded(topic: str, message: Mapping[str, Any]) -> bytes:
    """A message as it is sent.

    Raises:
        ConfigurationError: The contract refuses it.
    """
    try:
        return encode(CATALOG.topics[topic], message)
    except ContractError as error:
        raise ConfigurationError(error.message, hint="correct the value") from error


def send(client: Mapping[str, str], topic: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """Send an event, and wait until the broker has it.

    Returns:
        The event as plain JSON.

    Raises:
        ConfigurationError: The contract refuses it.
    """
    value = encoded(topic, message)
    publisher = Publisher(client)
    publisher.records(topic, [CATALOG.topics[topic].key_of(message).encode()], [value])
    publisher.flush()
    event: dict[str, Any] = orjson.loads(value)
    return event


def _send(
    client: Mapping[str, str], topic: str, event_type: str, values: dict[str, Any]
) -> dict[str, Any]:
    cause = (event_type, str(uuid.uuid4()))
    message = event(event_type, business_now(client), values.pop("store_id"), cause, **values)
    return send(client, topic, message)
