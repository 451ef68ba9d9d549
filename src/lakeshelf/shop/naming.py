"""Names of what stands on shelves, for people who read ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from lakeshelf.choices import chosen
from lakeshelf.contracts.layers import Curated
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables

PROFILES = Curated.SHELF_PROFILES
FEW = 500
"""So many shelves are looked up; of more, all profiles are read."""


def item_names(root: Place, shelves: Iterable[str]) -> dict[str, str]:
    """Shelf → name of its item; a shelf without a profile has none."""
    requested = set(shelves)
    if not requested:
        return {}
    where = [("shelf_id", "in", tuple(requested))] if len(requested) <= FEW else []
    rows = tables.rows(root, PROFILES, ["shelf_id", "name"], where)
    pairs = zip(rows["shelf_id"].to_pylist(), rows["name"].to_pylist(), strict=True)
    return {shelf: name for shelf, name in pairs if shelf in requested}


def with_names(root: Place, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows, each with the `name` of what stands on its shelf behind `shelf_id`; None without a profile."""
    names = item_names(root, (row["shelf_id"] for row in rows))
    return [_named(row, names.get(row["shelf_id"])) for row in rows]


def require_known(root: Place, *, store: str | None = None, shelf: str | None = None) -> None:
    """Refuse a store or shelf that has no profile.

    Raises:
        ConfigurationError: There is no such store or shelf; its neighbours are named.
    """
    for column, value in (("store_id", store), ("shelf_id", shelf)):
        if value is not None:
            known = tables.rows(root, PROFILES, [column])[column].unique().to_pylist()
            chosen(column.removesuffix("_id"), value, known)


def _named(row: dict[str, Any], name: str | None) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for column, value in row.items():
        named[column] = value
        if column == "shelf_id":
            named["name"] = name
    return named
