"""What became of merged rows: sent to the topic, obeyed by the jobs, or refused by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.contracts.retail.tables_latest import holding
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables

State = Literal["merged", "published", "in_force", "refused"]
FEW_KEYS = 1_000
"""Keys up to which files are chosen by them; beyond, all rows of a table pass by."""


@dataclass(frozen=True)
class KeyOutcome:
    """What became of one key of a merge.

    Attributes:
        key: Key of the message.
        state: `merged` (not sent yet), `published`, `in_force` or `refused`.
        version: Version of the message; None before it is sent.
        reason: Why it was refused; empty otherwise.
    """

    key: str
    state: State
    version: int | None = None
    reason: str = ""


def outcomes(
    root: Root, dataset: str, topic: str, topic_id: str, version: int, keys: Iterable[str]
) -> list[KeyOutcome]:
    """What became of the rows of a merge; of a key that was changed again since, what became of the later row.

    Args:
        root: The lake.
        dataset: The dataset.
        topic: Its topic.
        topic_id: Id of the topic.
        version: Delta version of the merge.
        keys: Keys that it changed, as messages have them.
    """
    asked = list(keys)
    sent = _sent(root, dataset, topic_id, version, asked)
    held = [_held(root, table, list(sent)) for table in holding(topic)]
    refused = _refused(root, topic, list(sent))
    return [_outcome(key, sent.get(key), held, refused.get(key, {})) for key in asked]


def counted(records: Iterable[KeyOutcome]) -> dict[State, int]:
    """How many keys are in each state, of all states."""
    counts = Counter(one.state for one in records)
    states: tuple[State, ...] = ("merged", "published", "in_force", "refused")
    return {state: counts[state] for state in states}


def _outcome(
    key: str,
    version: int | None,
    held: list[dict[str, int]],
    refused: Mapping[int | None, str],
) -> KeyOutcome:
    if version is None:
        return KeyOutcome(key, "merged")
    if version in refused:
        return KeyOutcome(key, "refused", version, refused[version])
    obeyed = bool(held) and all(known.get(key, -1) >= version for known in held)
    return KeyOutcome(key, "in_force" if obeyed else "published", version)


def _sent(root: Root, dataset: str, topic_id: str, version: int, keys: list[str]) -> dict[str, int]:
    """Key → version of the latest message that has what was merged."""
    where = [
        ("dataset", "=", dataset),
        ("topic_id", "=", topic_id),
        ("delta_version", ">=", version),
        *_among("key", keys),
    ]
    records = _rows(root, Ops.PUBLICATIONS, ["key", "version"], where)
    by_name, latest = set(keys), dict[str, int]()
    for row in records:
        if row["key"] in by_name:
            latest[row["key"]] = max(row["version"], latest.get(row["key"], 0))
    return latest


def _held(root: Root, table: str, keys: list[str]) -> dict[str, int]:
    """Key → version that a job obeys."""
    (column,) = CATALOG.tables[table].key
    records = _rows(root, table, [column, "version"], _among(column, keys))
    return {row[column]: row["version"] for row in records}


def _refused(root: Root, topic: str, keys: list[str]) -> dict[str, dict[int | None, str]]:
    """Key → version of a message that a job refused → why."""
    records = _rows(
        root, Raw.QUARANTINE, ["key", "value", "reason", "detail"], [("topic", "=", topic)]
    )
    by_name, refused = {key.encode(): key for key in keys}, dict[str, dict[int | None, str]]()
    for row in records:
        if key := by_name.get(row["key"] or b""):
            why = f"{row['reason']}: {row['detail']}"
            refused.setdefault(key, {})[_version(row["value"])] = why
    return refused


def _version(value: bytes | None) -> int | None:
    """Version of a message; None of what cannot be read."""
    try:
        message = orjson.loads(value or b"")
    except orjson.JSONDecodeError:
        return None
    return message.get("version") if isinstance(message, dict) else None


def _rows(root: Root, name: str, columns: list[str], where: list[Any]) -> list[dict[str, Any]]:
    if not tables.exists(root, name):
        return []
    records: list[dict[str, Any]] = tables.rows(root, name, columns, where).to_pylist()
    return records


def _among(column: str, keys: list[str]) -> list[Any]:
    return [(column, "in", keys)] if len(keys) <= FEW_KEYS else []
