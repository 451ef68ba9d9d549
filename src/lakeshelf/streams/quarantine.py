"""Refused records: what there is, and how a corrected one goes back.

A corrected record is an ordinary message on its topic with the corrected value; if it keeps the
`event_id` of the refused one, it is that event, and sent twice it counts once.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake import tables
from lakeshelf.lake.location import Place
from lakeshelf.streams.publisher import Publisher
from lakeshelf.streams.refusal import QUARANTINE


def listed(
    root: Place, topic: str | None = None, reason: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Refused records, newest first.

    Returns:
        `topic`, `partition`, `offset`, `kafka_timestamp`, `reason`, `detail`, and `key` and `value` as text
        where they are UTF-8, else as base64 in `key_base64` and `value_base64`.
    """
    given = (("topic", topic), ("reason", reason))
    where = [(name, "=", wanted) for name, wanted in given if wanted is not None]
    rows = tables.rows(root, QUARANTINE, where=where)
    order = [("kafka_timestamp", "descending"), ("topic", "ascending"), ("offset", "descending")]
    ordered = rows.sort_by(order).slice(0, limit)
    return [_readable(row) for row in ordered.to_pylist()]


def counted(root: Place) -> dict[str, int]:
    """Refused records by reason."""
    reasons = tables.rows(root, QUARANTINE, ["reason"])["reason"].value_counts().to_pylist()
    return {str(entry["values"]): int(entry["counts"]) for entry in reasons}


def replay(root: Place, client: Mapping[str, str], corrected: Iterable[Mapping[str, Any]]) -> int:
    """Send corrected records to the topics that they were refused on.

    Args:
        root: Lake root.
        client: librdkafka settings that reach the broker.
        corrected: Records with `topic`, `partition`, `offset` as listed, and the corrected `value` (and
            `key`, if that was wrong too).

    Returns:
        How many were sent; none is when one of them is still refused.

    Raises:
        ConfigurationError: A record that quarantine does not hold, or whose value is refused again.
    """
    held = {(row["topic"], row["partition"], row["offset"]): row for row in listed(root)}
    ready = [_corrected(held, record) for record in corrected]
    publisher = Publisher(client)
    for topic, key, value in ready:
        publisher.records(topic, [key], [value])
    publisher.flush()
    return len(ready)


def _corrected(
    held: Mapping[Any, dict[str, Any]], record: Mapping[str, Any]
) -> tuple[str, bytes | None, bytes]:
    where = tuple(record.get(name) for name in ("topic", "partition", "offset"))
    if where not in held:
        raise ConfigurationError(
            f"no refused record at {where}", hint="see `lakeshelf quarantine list --json`"
        )
    topic = CATALOG.topics[str(where[0])]
    if topic.compacted:
        raise ConfigurationError(
            f"{topic.name} has one owner, {topic.owner}", hint="correct it there"
        )
    value = _bytes(record, "value") or b""
    refusal = check(topic, value)
    if refusal is not None:
        raise ConfigurationError(
            f"{where} is refused again: {refusal.reason}, {refusal.detail}",
            hint="correct its value",
        )
    return topic.name, _bytes(record, "key") or _bytes(held[where], "key"), value


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    readable = {
        name: row[name]
        for name in ("topic", "partition", "offset", "kafka_timestamp", "reason", "detail")
    }
    for name in ("key", "value"):
        try:
            readable[name] = None if row[name] is None else row[name].decode("utf-8")
        except UnicodeDecodeError:
            readable[f"{name}_base64"] = base64.b64encode(row[name]).decode()
    return readable


def _bytes(record: Mapping[str, Any], name: str) -> bytes | None:
    if (encoded := record.get(f"{name}_base64")) is not None:
        return base64.b64decode(encoded)
    text = record.get(name)
    return text.encode() if isinstance(text, str) else None
