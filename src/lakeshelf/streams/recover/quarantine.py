"""Refused records: which there are."""

from __future__ import annotations

import base64
from typing import Any

import pyarrow as pa

from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.streams.take.refusal import QUARANTINE

ORDER = (("kafka_timestamp", "descending"), ("topic", "ascending"), ("offset", "descending"))
"""Of refused records: the newest first."""


def listed(
    root: Place, topic: str | None = None, reason: str | None = None, limit: int | None = None
) -> list[dict[str, Any]]:
    """Refused records, newest first.

    Returns:
        `topic`, `partition`, `offset`, `kafka_timestamp`, `reason`, `detail`, and `key` and `value` as text
        where they are UTF-8, else as base64 in `key_base64` and `value_base64`.
    """
    return readable(chosen(root, topic, reason).slice(0, limit))


def chosen(root: Place, topic: str | None = None, reason: str | None = None) -> pa.Table:
    """Rows of raw/quarantine of a topic or reason, newest first."""
    return tables.whole_rows(root, QUARANTINE, _where(topic, reason)).sort_by([*ORDER])


def page(
    root: Place, topic: str | None, reason: str | None, offset: int, limit: int
) -> tuple[list[dict[str, Any]], int]:
    """Some refused records as `listed` gives them, and how many there are in all."""
    rows, total = tables.page(root, QUARANTINE, ORDER, _where(topic, reason), offset, limit)
    return readable(rows), total


def _where(topic: str | None, reason: str | None) -> list[Condition]:
    filters = (("topic", topic), ("reason", reason))
    return [(name, "=", value) for name, value in filters if value is not None]


def readable(rows: pa.Table) -> list[dict[str, Any]]:
    """Rows of raw/quarantine as `listed` gives them."""
    return [_readable(row) for row in rows.to_pylist()]


def counted(root: Place) -> dict[str, int]:
    """Refused records by reason."""
    reasons = tables.rows(root, QUARANTINE, ["reason"])["reason"].value_counts().to_pylist()
    return {str(entry["values"]): int(entry["counts"]) for entry in reasons}


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
