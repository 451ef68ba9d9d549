"""What other policies or profiles would do to the shelves, by the rules of the engine that then does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa

from lakeshelf.shop.books import DecisionBooks
from lakeshelf.streams.declare.duck import Duck

FIGURES = ("low", "plans", "units", "near_expiry")
"""Shelves that are low, plans that ask for something, units that they ask for, lots near expiry."""
MOST_SHELVES = 50
_SIDE = """
    SELECT shelf_id, store_id, CAST(low AS BIGINT) AS low, CAST(wanted > 0 AS BIGINT) AS plans,
        CAST(wanted AS BIGINT) AS units, CAST(near_expiry AS BIGINT) AS near_expiry, stock
    FROM {side}"""
_BOTH = ", ".join(
    f"coalesce(a.{name}, 0) AS {name}_now, coalesce(b.{name}, 0) AS {name}_then" for name in FIGURES
)
_JOINED = f"""
    SELECT coalesce(b.shelf_id, a.shelf_id) AS shelf_id, coalesce(b.store_id, a.store_id) AS store_id,
        coalesce(b.stock, a.stock) AS stock, {_BOTH}
    FROM ({_SIDE.replace("{side}", "{before}")}) AS a
    FULL JOIN ({_SIDE.replace("{side}", "{after}")}) AS b ON b.shelf_id = a.shelf_id"""
_SUMS = ", ".join(
    f"CAST(sum({name}_now) AS BIGINT) AS {name}_now, CAST(sum({name}_then) AS BIGINT) AS {name}_then, "
    f"count(CASE WHEN {name}_now <> {name}_then THEN 1 END) AS {name}_changed"
    for name in FIGURES
)
_CHANGED = " OR ".join(f"{name}_now <> {name}_then" for name in FIGURES)
_MOST = f"""
    SELECT * FROM {{shelves}} WHERE {_CHANGED}
    ORDER BY abs(units_then - units_now) DESC, abs(low_then - low_now) DESC,
        abs(near_expiry_then - near_expiry_now) DESC, shelf_id
    LIMIT {MOST_SHELVES}"""


@dataclass(frozen=True)
class Effect:
    """What a change would do.

    Attributes:
        totals: Each of `FIGURES` → `now`, `then` and `changed` (shelves for which it differs).
        stores: The same a store, each with its `store_id`; stores where nothing changes are left out.
        shelves: The shelves that change most: `shelf_id`, `store_id`, `stock`, and each figure as `<figure>_now` and
            `<figure>_then`.
    """

    totals: Mapping[str, Mapping[str, int]]
    stores: tuple[Mapping[str, Any], ...]
    shelves: tuple[Mapping[str, Any], ...]


def effect(
    books: DecisionBooks, today: date, now: Mapping[str, pa.Table], then: Mapping[str, pa.Table]
) -> Effect:
    """Compare what an engine makes of its books with some rows and with others.

    Args:
        books: The books, lots included.
        today: The business day.
        now: Relation → rows as they are; those that are left out are those of the books.
        then: Relation → rows as they would be.
    """
    duck = Duck()
    sides = (books.judged(today, **now), books.judged(today, **then))
    shelves = duck.query(_JOINED, before=sides[0], after=sides[1])
    (totals,) = duck.query(f"SELECT {_SUMS} FROM {{shelves}}", shelves=shelves).to_pylist()
    stores = duck.query(
        f"SELECT store_id, {_SUMS} FROM {{shelves}} GROUP BY store_id ORDER BY store_id",
        shelves=shelves,
    )
    listed = ({"store_id": row["store_id"], **_figures(row)} for row in stores.to_pylist())
    changed = tuple(row for row in listed if any(row[name]["changed"] for name in FIGURES))
    return Effect(_figures(totals), changed, tuple(duck.query(_MOST, shelves=shelves).to_pylist()))


def _figures(row: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    return {
        name: {side: row[f"{name}_{side}"] or 0 for side in ("now", "then", "changed")}
        for name in FIGURES
    }
