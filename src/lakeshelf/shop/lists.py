"""What store staff see: alerts, plans and stock, with the names of what stands on the shelves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lakeshelf.choices import chosen
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.lives import OPEN_ALERT, PENDING_PLAN
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.shop.naming import PROFILES, require_known, with_names

ALERTS = Ops.ALERTS
PLANS = {"refill": Ops.SHELF_RESTOCK_PLAN, "order": Ops.WH_SUPPLIER_PLAN}
"""Kind of plan → its table, whose key is its id."""
STATE = ("shelf_state", "wh_state", "shelf_batch_state", "wh_batch_state")
NOT_SHOWN = ("held", "decided_at")


@dataclass(frozen=True)
class Filter:
    """Which rows of a list are wanted; None: whatever they have.

    Attributes:
        status: Their state; None: those that are not closed.
        store: Their store.
        shelf: Their shelf.
        kind: What an alert is about, or which kind of plan it is.
        limit: Most rows, the newest.
    """

    status: str | None = None
    store: str | None = None
    shelf: str | None = None
    kind: str | None = None
    limit: int | None = None


ALL = Filter()


@dataclass(frozen=True)
class Listed:
    """The first rows of those that were asked for, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int


def alerts(root: Place, filters: Filter = ALL) -> Listed:
    """Alerts, newest first.

    Raises:
        ConfigurationError: There is no such state, kind, store or shelf.
    """
    where = _where(ALERTS, filters, OPEN_ALERT)
    if filters.kind is not None:
        where.append(("event_type", "=", _word(ALERTS, "event_type", "kind", filters.kind)))
    return _newest(root, tables.rows(root, ALERTS, where=where), filters)


def plans(root: Place, filters: Filter = ALL) -> Listed:
    """Refill and order plans as `plan_id`, `kind` and their own columns, newest first.

    Raises:
        ConfigurationError: There is no such state, kind, store or shelf.
    """
    kinds = PLANS if filters.kind is None else (chosen("kind of plan", filters.kind, PLANS),)
    parts = []
    for kind in kinds:
        where = _where(PLANS[kind], filters, PENDING_PLAN)
        rows = tables.rows(root, PLANS[kind], where=where).rename_columns(
            {CATALOG.tables[PLANS[kind]].key[0]: "plan_id"}
        )
        parts.append(rows.add_column(1, "kind", pa.array([kind] * rows.num_rows, pa.string())))
    return _newest(root, pa.concat_tables(parts, promote_options="default"), filters)


def open_alert(root: Place, alert: str) -> dict[str, Any]:
    """An alert that is not closed.

    Raises:
        ConfigurationError: There is none with this id, or it is closed.
    """
    return _open_one(root, "alert", (ALERTS,), alert, OPEN_ALERT)


def pending_plan(root: Place, plan: str) -> dict[str, Any]:
    """A plan that waits.

    Raises:
        ConfigurationError: There is none with this id, or it waits no more.
    """
    return _open_one(root, "plan", tuple(PLANS.values()), plan, PENDING_PLAN)


def stock(root: Place, shelf: str) -> dict[str, Any]:
    """What is known of a shelf: its profile, its stock, its back room, its lots.

    Raises:
        ConfigurationError: No event was ever seen of the shelf.
    """
    names = (PROFILES, *(f"cleansed/{name}" for name in STATE))
    known = {name.partition("/")[2]: _of_shelf(root, name, shelf) for name in names}
    if not any(known[name] for name in STATE):
        require_known(root, shelf=shelf)
        raise ConfigurationError(
            f"no stock of the shelf {shelf!r} is known", hint="see `lakeshelf stock low --all`"
        )
    return known


def _open_one(
    root: Place, what: str, names: tuple[str, ...], key: str, open_ones: tuple[str, ...]
) -> dict[str, Any]:
    having = ((name, [(CATALOG.tables[name].key[0], "=", key)]) for name in names)
    rows = [
        row for name, where in having for row in tables.rows(root, name, where=where).to_pylist()
    ]
    if not rows:
        raise ConfigurationError(f"no {what} {key!r}", hint=f"see `lakeshelf {what}s list`")
    (row,) = rows
    if row["status"] not in open_ones:
        raise ConfigurationError(
            f"{what} {key!r} is {row['status']} already; nothing was sent",
            hint=f"see `lakeshelf {what}s list` for those that are {open_ones[0]}",
        )
    return dict(row)


def _where(name: str, filters: Filter, open_ones: tuple[str, ...]) -> list[Condition]:
    status = (
        open_ones if filters.status is None else (_word(name, "status", "status", filters.status),)
    )
    ids = (("store_id", filters.store), ("shelf_id", filters.shelf))
    return [
        ("status", "in", status),
        *((column, "=", value) for column, value in ids if value is not None),
    ]


def _word(name: str, column: str, what: str, word: str) -> str:
    return chosen(what, word, CATALOG.tables[name].column(column).enum or ())


def _newest(root: Place, rows: pa.Table, filters: Filter) -> Listed:
    if not rows.num_rows:
        require_known(root, store=filters.store, shelf=filters.shelf)
    kept = rows.drop_columns([name for name in NOT_SHOWN if name in rows.column_names])
    ordered = kept.sort_by([("created_at", "descending")]).slice(0, filters.limit)
    return Listed(with_names(root, ordered.to_pylist()), rows.num_rows)


def _of_shelf(root: Place, name: str, shelf: str) -> list[dict[str, Any]]:
    return list(tables.rows(root, name, where=[("shelf_id", "=", shelf)]).to_pylist())
