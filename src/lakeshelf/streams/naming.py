"""Names of what stands on shelves, for people who read ids."""

from __future__ import annotations

from collections.abc import Iterable

from lakeshelf.lake import tables
from lakeshelf.lake.location import Place

PROFILES = "curated/shelf_profiles"


def item_names(root: Place, shelves: Iterable[str]) -> dict[str, str]:
    """Shelf → name of its item; a shelf without a profile has none."""
    wanted = tuple(set(shelves))
    if not wanted:
        return {}
    found = tables.rows(root, PROFILES, ["shelf_id", "name"], [("shelf_id", "in", wanted)])
    return dict(zip(found["shelf_id"].to_pylist(), found["name"].to_pylist(), strict=True))
