"""Messages that Python code makes: encoded as the contract says, and refused before they are sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from lakeshelf.contracts.model import Topic
from lakeshelf.contracts.types import ID_LENGTH
from lakeshelf.contracts.validate import check
from lakeshelf.errors import ContractError

SCHEMA_VERSION = 1
HASH_LENGTH = 32


def encode(topic: Topic, values: Mapping[str, Any]) -> bytes:
    """The JSON value of a message; fields that are None are left out.

    Raises:
        ContractError: The topic refuses such a message.
    """
    present = {name: value for name, value in values.items() if value is not None}
    encoded = orjson.dumps(present, default=float, option=orjson.OPT_UTC_Z)
    if refusal := check(topic, encoded):
        raise ContractError(
            f"{topic.name} refuses {refusal.reason}: {refusal.detail}", hint="correct the value"
        )
    return encoded


def derived_id(id_: str) -> str:
    """An id that derives from others; where it would be longer than ids may be, its end is the MD5 of it."""
    if len(id_) <= ID_LENGTH:
        return id_
    return (
        id_[: ID_LENGTH - HASH_LENGTH]
        + hashlib.md5(id_.encode(), usedforsecurity=False).hexdigest()
    )


def event_id(time: datetime, *parts: str) -> str:
    """The id of an event that follows from `parts`; ours begin with the event time in ms."""
    return derived_id("-".join((str(round(time.timestamp() * 1000)), *parts)))


def event(
    event_type: str, time: datetime, store_id: str, id_parts: tuple[str, ...], **fields: Any
) -> dict[str, Any]:
    """The values of an event.

    Args:
        event_type: What happened.
        time: When, in business time.
        store_id: The shop.
        id_parts: What its id derives from, beside its time.
        fields: Its own fields.
    """
    return {
        "event_id": event_id(time, *id_parts),
        "event_type": event_type,
        "event_time": time,
        "store_id": store_id,
        "schema_version": SCHEMA_VERSION,
        **fields,
    }
