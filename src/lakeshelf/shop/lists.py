"""What store staff see: alerts, plans and stock, with the names of what stands on the shelves."""

from __future__ import annotations

from collections.abc import Collection
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
Targets = dict[str, dict[str, Any] | ConfigurationError]
"""Id → the alert or plan, or why nothing can be asked of it."""
STATE = ("shelf_state", "wh_state", "shelf_batch_state", "wh_batch_state")
NOT_SHOWN = ("held", "decided_at")


@dataclass(frozen=True)
class ListFilter:
    """Which rows of a list are wanted; None: whatever they have.

    Attributes:
        status: Their state; None: those that are not closed.
        store: Their store.
        shelf: Their shelf.
        kind: What an alert is about, or which kind of plan it is.
        limit: Most rows; None: all that follow.
        offset: Rows that are passed over, the newest first.
    """

    status: str | None = None
    store: str | None = None
    shelf: str | None = None
    kind: str | None = None
    limit: int | None = None
    offset: int = 0

    def page(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows that are on the page."""
        until = None if self.limit is None else self.offset + self.limit
        return rows[self.offset : until]


ALL = ListFilter()


@dataclass(frozen=True)
class Listed:
    """Some rows of those that were asked for, and how many there are in all."""

    rows: list[dict[str, Any]]
    total: int


def alerts(root: Place, filters: ListFilter = ALL) -> Listed:
    """Alerts, newest first.

    Raises:
        ConfigurationError: There is no such state, kind, store or shelf.
    """
    where = _where(ALERTS, filters, OPEN_ALERT)
    if filters.kind is not None:
        where.append(("event_type", "=", _word(ALERTS, "event_type", "kind", filters.kind)))
    return _newest(root, tables.whole_rows(root, ALERTS, where), filters)


def plans(root: Place, filters: ListFilter = ALL) -> Listed:
    """Refill and order plans as `plan_id`, `kind` and their own columns, newest first.

    Raises:
        ConfigurationError: There is no such state, kind, store or shelf.
    """
    kinds = PLANS if filters.kind is None else (chosen("kind of plan", filters.kind, PLANS),)
    parts = []
    for kind in kinds:
        where = _where(PLANS[kind], filters, PENDING_PLAN)
        parts.append(as_plans(kind, tables.whole_rows(root, PLANS[kind], where)))
    return _newest(root, pa.concat_tables(parts, promote_options="default"), filters)


def as_plans(kind: str, rows: pa.Table) -> pa.Table:
    """Rows of the table of a kind of plans, as `plans` has them."""
    renamed = rows.rename_columns({CATALOG.tables[PLANS[kind]].key[0]: "plan_id"})
    return renamed.add_column(1, "kind", pa.array([kind] * rows.num_rows, pa.string()))


def shown(root: Place, rows: pa.Table) -> list[dict[str, Any]]:
    """Alerts or plans as they are listed, with the names of what stands on the shelves."""
    kept = rows.drop_columns([name for name in NOT_SHOWN if name in rows.column_names])
    return with_names(root, kept.to_pylist())


def open_alerts(root: Place, alerts: Collection[str]) -> Targets:
    """Alerts that are not closed, by id; for each other id why there is none that is open."""
    return _open(root, "alert", (ALERTS,), alerts, OPEN_ALERT)


def pending_plans(root: Place, plans: Collection[str]) -> Targets:
    """Plans that wait, by id; for each other id why there is none that waits."""
    return _open(root, "plan", tuple(PLANS.values()), plans, PENDING_PLAN)


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


def ids_of_shelf(root: Place, shelf: str) -> list[str]:
    """Ids of all alerts and plans of a shelf, closed ones among them."""
    ids: list[str] = []
    for name in (ALERTS, *PLANS.values()):
        (key,) = CATALOG.tables[name].key
        ids += tables.rows(root, name, [key], [("shelf_id", "=", shelf)])[key].to_pylist()
    return ids


def _open(
    root: Place, what: str, names: tuple[str, ...], ids: Collection[str], open_ones: tuple[str, ...]
) -> Targets:
    rows: dict[str, dict[str, Any]] = {}
    for name in names:
        (key,) = CATALOG.tables[name].key
        held = tables.whole_rows(root, name, [(key, "in", tuple(ids))]).to_pylist()
        rows |= {row[key]: row for row in held}
    return {one: _judged(what, one, rows.get(one), open_ones) for one in ids}


def _judged(
    what: str, key: str, row: dict[str, Any] | None, open_ones: tuple[str, ...]
) -> dict[str, Any] | ConfigurationError:
    if row is None:
        return ConfigurationError(f"no {what} {key!r}", hint=f"see `lakeshelf {what}s list`")
    if row["status"] in open_ones:
        return row
    return ConfigurationError(
        f"{what} {key!r} is {row['status']} already; nothing was sent",
        hint=f"see `lakeshelf {what}s list` for those that are {open_ones[0]}",
    )


def _where(name: str, filters: ListFilter, open_ones: tuple[str, ...]) -> list[Condition]:
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


def _newest(root: Place, rows: pa.Table, filters: ListFilter) -> Listed:
    if not rows.num_rows:
        require_known(root, store=filters.store, shelf=filters.shelf)
    by = [("created_at", "descending"), (rows.column_names[0], "ascending")]
    ordered = rows.sort_by(by).slice(filters.offset, filters.limit)
    return Listed(shown(root, ordered), rows.num_rows)


def _of_shelf(root: Place, name: str, shelf: str) -> list[dict[str, Any]]:
    return list(tables.whole_rows(root, name, [("shelf_id", "=", shelf)]).to_pylist())
