"""What people do: acknowledge, dismiss, cancel, correct a count. Always a message, never an edit of a table."""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable, Mapping
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

Message = tuple[str, Mapping[str, Any]]
"""A topic, and the values of a message for it."""


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
    row = targets(root, command, [target])[target]
    if isinstance(row, ConfigurationError):
        raise row
    cause = str(uuid.uuid4())
    return send(
        client, *commanded(row, command, target, actor, reason, business_now(client), cause)
    )


def targets(root: Place, command: str, ids: Collection[str]) -> lists.Targets:
    """Open alerts or pending plans that a command is about; for each id of no such one the refusal of `act`."""
    return (lists.pending_plans if command == "cancel" else lists.open_alerts)(root, ids)


def commanded(
    row: Mapping[str, Any],
    command: str,
    target: str,
    actor: str,
    reason: str | None,
    now: datetime,
    cause: str,
) -> Message:
    """The message that asks the owner of an alert or plan to change it.

    Args:
        row: The alert or plan.
        command: `ack`, `dismiss` or `cancel`.
        target: Its id.
        actor: Who asks.
        reason: Why.
        now: Business time.
        cause: What its id derives from, beside command and time.
    """
    values = {"command": command, "target_id": target, "actor": actor, "reason": reason}
    return "commands", event(command, now, row["store_id"], (command, cause), **values)


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
    row, cause = stock_of(root, shelf), str(uuid.uuid4())
    message = adjusted(row, quantity, actor, reason, business_now(client), cause)
    return send(client, *message)


def stock_of(root: Place, shelf: str) -> dict[str, Any]:
    """The row of what is on a shelf.

    Raises:
        ConfigurationError: None is known.
    """
    rows = lists.stock(root, shelf)["shelf_state"]
    if not rows:
        raise ConfigurationError(
            f"no stock on shelf {shelf!r} is known", hint="see `lakeshelf stock show`"
        )
    return dict(rows[0])


def adjusted(
    row: Mapping[str, Any],
    quantity: int,
    actor: str,
    reason: str | None,
    now: datetime,
    cause: str,
) -> Message:
    """The event that corrects the count of a shelf; arguments as for `commanded`, with the row of its stock."""
    place = {name: row[name] for name in ("shelf_id", "item_id")}
    values = {"quantity": quantity, "actor": actor, "reason": reason or "stocktaking"}
    made = event("adjustment", now, row["store_id"], ("adjustment", cause), **place, **values)
    return "shelf_events", made


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
    (sent,) = send_all(client, [(topic, message)])
    return sent


def send_all(client: Mapping[str, str], messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Send events, and wait until the broker has them all.

    Returns:
        The events as plain JSON.

    Raises:
        ConfigurationError: The contract refuses one; none was sent.
    """
    values = [(topic, message, encoded(topic, message)) for topic, message in messages]
    publisher = Publisher(client)
    for topic, message, value in values:
        publisher.records(topic, [CATALOG.topics[topic].key_of(message).encode()], [value])
    publisher.flush()
    return [orjson.loads(value) for _, _, value in values]
