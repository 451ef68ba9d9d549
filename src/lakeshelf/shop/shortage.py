"""What is low and why: the rules of the alert engines over the books as they stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.lives import AlertKind
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.shop.books import DecisionBooks
from lakeshelf.shop.decisions import GLOBAL
from lakeshelf.shop.explain import FIGURES, POLICIES, broken
from lakeshelf.shop.lists import ALL, Listed, ListFilter
from lakeshelf.shop.naming import require_known, with_names
from lakeshelf.streams.declare.job import Job

ENGINES = {"store": "shelf-alert-engine", "warehouse": "wh-alert-engine"}
"""Location → job that decides what is low there."""
_ALERT = {"store": AlertKind.REFILL_REQUEST, "warehouse": AlertKind.SUPPLIER_REQUEST}
_COMING = {"store": "in_transit", "warehouse": "ordered"}


def judged(root: Place, engine: Job, **instead: pa.Table) -> pa.Table:
    """What an engine makes of every shelf that has a profile, as `DecisionBooks.judged` gives it.

    Args:
        root: Lake root.
        engine: Job of one of `ENGINES`.
        instead: Relation of the engine → rows that stand for those of the table.
    """
    return DecisionBooks.of(root, engine).judged(**instead)


def low(
    root: Place, jobs: Mapping[str, Job], filters: ListFilter = ALL, location: str | None = None
) -> Listed:
    """Shelves and back rooms that are low against the policy in force, the worst first.

    Args:
        root: Lake root.
        jobs: The jobs of the checkout, by name.
        filters: Store and shelf, and which page.
        location: `store` or `warehouse`; None: both.

    Returns:
        Rows of `location`, `store_id`, `shelf_id`, `name`, `stock`, `why` (a sentence for each limit that is
        broken), `policy` (`shelf`, `__GLOBAL__` or `default`), `coming` (units under way or ordered) and
        `suggested_qty` (units that a plan asks for).

    Raises:
        ConfigurationError: There is no such store or shelf.
    """
    require_known(root, store=filters.store, shelf=filters.shelf)
    places = ENGINES if location is None else (location,)
    rows = [row for place in places for row in _low(root, jobs[ENGINES[place]], place)]
    chosen = [
        row
        for row in rows
        if row["store_id"] == (filters.store or row["store_id"])
        and row["shelf_id"] == (filters.shelf or row["shelf_id"])
    ]
    chosen.sort(key=lambda row: (row.pop("share"), -row["suggested_qty"], row["shelf_id"]))
    return Listed(with_names(root, filters.page(chosen)), len(chosen))


def _low(root: Place, engine: Job, place: str) -> list[dict[str, Any]]:
    rows = judged(root, engine)
    own = _own_policies(root, POLICIES[place])
    return [_listed(row, place, own) for row in rows.filter(rows["low"]).to_pylist()]


def _listed(row: dict[str, Any], place: str, own: set[str]) -> dict[str, Any]:
    needed = _needed(row, place)
    shelf = row["shelf_id"]
    source = "shelf" if shelf in own else GLOBAL if GLOBAL in own else "default"
    return {
        "location": place,
        "store_id": row["store_id"],
        "shelf_id": shelf,
        "stock": row["stock"],
        "why": why(row, place),
        "policy": source,
        "coming": int(row[_COMING[place]]),
        "suggested_qty": row["wanted"],
        "share": row["stock"] / needed if needed else 0.0,
    }


def _needed(row: dict[str, Any], place: str) -> float:
    """Units below which it is low."""
    if place == "warehouse":
        return float(row["reorder_point_qty"])
    return max(float(row["threshold_pct"] * row["max_stock"] / 100), float(row["min_qty"]))


def why(row: Mapping[str, Any], place: str) -> list[str]:
    """What is low by a row of `judged`, a sentence for each limit that is broken."""
    figures = dict.fromkeys(FIGURES) | {
        "event_type": _ALERT[place],
        "current_stock": row["stock"],
        "max_stock": row.get("max_stock"),
    }
    return broken(figures, row)


def _own_policies(root: Place, topic: str) -> set[str]:
    """Shelves that have a policy of their own in force, `__GLOBAL__` among them."""
    rows = tables.rows(root, f"staging/{topic}", ["shelf_id", "active", "deleted"])
    alive = rows.filter(pc.and_(rows["active"], pc.invert(rows["deleted"])))
    return set(alive["shelf_id"].to_pylist())
