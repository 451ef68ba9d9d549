"""Policies as a change request would have them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from lakeshelf.shop.explain import limits

Cell = Mapping[str, Any]
"""A change: `row_id`, `op` (`set`, `insert` or `delete`), `column` (of `set`), and `staged`, the value or the row."""
KEY = "shelf_id"


def patched(topic: str, policies: pa.Table, cells: Iterable[Cell]) -> pa.Table:
    """Rows of the latest policies after some changes.

    Args:
        topic: `shelf_policies` or `wh_policies`.
        policies: The rows of its table.
        cells: The changes.
    """
    rows = {row[KEY]: row for row in policies.to_pylist()}
    for cell in cells:
        shelf = cell["row_id"]
        if cell["op"] == "delete":
            rows.pop(shelf, None)
        elif cell["op"] == "insert":
            rows[shelf] = _made(topic, shelf, cell["staged"])
        else:
            row = rows.get(shelf) or _made(topic, shelf, {"active": True})
            rows[shelf] = row | {cell["column"]: cell["staged"]}
    return pa.Table.from_pylist(list(rows.values()), policies.schema)


def asked_of(cell: Cell) -> Mapping[str, Any]:
    """Fields that a change sets: a deleted policy has none."""
    if cell["op"] == "set":
        return {cell["column"]: cell["staged"]}
    return cell["staged"] if cell["op"] == "insert" else {}


def _made(topic: str, shelf: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """A row of fields that people choose."""
    fields = ("active", *limits(topic))
    return {KEY: shelf, "deleted": False, **{name: values.get(name) for name in fields}}
