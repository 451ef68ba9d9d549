"""What the lake knows of the shop, by the functions of the commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakeshelf.choices import chosen
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops, Staging
from lakeshelf.contracts.lives import OPEN_ALERT, PENDING_PLAN, AlertKind
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop.running import Shop, no_stack
from lakeshelf.governance.services.shop.seen import ListPage, Row, refusing
from lakeshelf.governance.services.shop.staff import can_ask
from lakeshelf.lake.rows import tables
from lakeshelf.shop import explain, lists, policies, shortage
from lakeshelf.shop.history import History, equal
from lakeshelf.shop.lists import Listed, ListFilter
from lakeshelf.shop.tracing import trace as stories
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.recover import quarantine

CAUSES = {"refill": AlertKind.REFILL_REQUEST, "order": AlertKind.SUPPLIER_REQUEST}
"""Kind of plan → kind of the alert for which it is made."""
MOST_OPEN = 100
"""Alerts, and plans, that are told with a shelf; lists have the others."""
_REASON = ("why", "figures", "policy")
"""What is told of the alert for which a plan was made."""


def alerts(context: Context, caller: Caller, filters: ListFilter) -> ListPage:
    """Alerts, the newest first, with why each was opened; open ones unless a state is named.

    Raises:
        GovernanceError: `forbidden`; `request_invalid`: there is no such state, kind, store or shelf.
    """
    require_reading(caller)
    with refusing("request_invalid"):
        listed = lists.alerts(context.root, filters)
    return ListPage(_explained(context, caller, listed.rows), listed.total)


def alert(context: Context, caller: Caller, alert_id: str) -> Row:
    """An alert, open or not, as `alerts` gives them.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_reading(caller)
    rows = _of_id(context, lists.ALERTS, "alert_id", alert_id)
    if not rows:
        raise refused("not_found", f"there is no alert {alert_id[:80]!r}", hint="list the alerts")
    (row,) = _explained(context, caller, lists.shown(context.root, rows))
    return row


def plans(context: Context, caller: Caller, filters: ListFilter) -> ListPage:
    """Plans, the newest first, with why each was made; pending ones unless a state is named.

    Raises:
        GovernanceError: `forbidden`; `request_invalid`: there is no such state, kind, store or shelf.
    """
    require_reading(caller)
    with refusing("request_invalid"):
        listed = lists.plans(context.root, filters)
    return ListPage(_caused(context, caller, listed.rows), listed.total)


def plan(context: Context, caller: Caller, plan_id: str) -> Row:
    """A plan, pending or not, as `plans` gives them.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_reading(caller)
    for kind, name in lists.PLANS.items():
        rows = _of_id(context, name, CATALOG.tables[name].key[0], plan_id)
        if rows:
            shown = lists.shown(context.root, lists.as_plans(kind, rows))
            (row,) = _caused(context, caller, shown)
            return row
    raise refused("not_found", f"there is no plan {plan_id[:80]!r}", hint="list the plans")


def shelf(context: Context, caller: Caller, shelf_id: str) -> Row:
    """What is known of a shelf: profile, stock, back room, lots, what is on its way, its policies, what is open.

    Of what is open the newest `MOST_OPEN` of a kind, and how many there are in all.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_reading(caller)
    root, of_shelf = context.root, ListFilter(shelf=shelf_id, limit=MOST_OPEN)
    with refusing("not_found", hint="list what is low, or ask for what stands in `shelf_profiles`"):
        stock = lists.stock(root, shelf_id)
        in_force = policies.shown(root, shelf_id)
        opened, pending = lists.alerts(root, of_shelf), lists.plans(root, of_shelf)
    where = [("shelf_id", "=", shelf_id)]
    return {
        "shelf_id": shelf_id,
        **stock,
        "in_transit": tables.whole_rows(root, Staging.SHELF_TRANSIT, where).to_pylist(),
        "policies": in_force,
        "alerts": _explained(context, caller, opened.rows),
        "plans": _caused(context, caller, pending.rows),
        "alerts_total": opened.total,
        "plans_total": pending.total,
        "can": {"adjust": can_ask(context, caller)},
    }


def low(
    context: Context, caller: Caller, shop: Shop, filters: ListFilter, place: str | None
) -> ListPage:
    """What is low by the policy in force and why, the worst first.

    Raises:
        GovernanceError: `forbidden`; `request_invalid`: there is no such location, store or shelf;
            `service_unavailable`: no shop runs here.
    """
    require_reading(caller)
    engines = shop.engines() or no_stack()
    with refusing("request_invalid"):
        if place is not None:
            chosen("location", place, shortage.ENGINES)
        return _page(shortage.low(context.root, engines, filters, place))


def trace(context: Context, caller: Caller, identifier: str, limit: int) -> list[Row]:
    """The story of an id, one for each thing that it names; what is left out of each is told (`omitted`).

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_reading(caller)
    with refusing("not_found", hint="take one from the alerts, the plans or the events"):
        return [story.as_json() for story in stories.trace(context.root, identifier, limit)]


@dataclass(frozen=True)
class RefusedPage:
    """Refused records of a page, how many there are in all, how many by reason, and what the caller may do."""

    rows: Sequence[Row]
    total: int
    reasons: Mapping[str, int]
    can: Mapping[str, bool | str]


def refused_records(
    context: Context,
    caller: Caller,
    topic: str | None,
    reason: str | None,
    offset: int,
    limit: int,
) -> RefusedPage:
    """Records that were refused, the newest first.

    Raises:
        GovernanceError: `forbidden`; `request_invalid`: there is no such topic.
    """
    require_reading(caller)
    with refusing("request_invalid"):
        if topic is not None:
            chosen("topic", topic, CATALOG.topics)
    rows, total = quarantine.page(context.root, topic, reason, offset, limit)
    can = {"correct": can_ask(context, caller)}
    return RefusedPage(rows, total, quarantine.counted(context.root), can)


def batches(
    context: Context, caller: Caller, query: str | None, offset: int, limit: int
) -> ListPage:
    """Rows of the ledger, the newest first: what each batch read, what became of it, what it committed.

    Raises:
        GovernanceError: `forbidden`.
    """
    require_reading(caller)
    return ListPage(*ledger.page(context.root, query, offset, limit))


def _page(listed: Listed) -> ListPage:
    return ListPage(listed.rows, listed.total)


def _of_id(context: Context, name: str, column: str, key: str) -> Any:
    return tables.whole_rows(context.root, name, [(column, "=", key)])


def _explained(context: Context, caller: Caller, rows: Sequence[Row]) -> list[Row]:
    """Alerts with why they were opened."""
    reasons = explain.explanations(History(context.root), rows)
    may = can_ask(context, caller)
    return [
        {**row, **reason, "can": _can(row, may, "ack", "dismiss")}
        for row, reason in zip(rows, reasons, strict=True)
    ]


def _caused(context: Context, caller: Caller, rows: Sequence[Row]) -> list[Row]:
    """Plans with why they were made: for the alert of their shelf that was open then."""
    history, may = History(context.root), can_ask(context, caller)
    shelves = equal("shelf_id", *{row["shelf_id"] for row in rows})
    kinds = equal("event_type", *CAUSES.values())
    opened = history.rows(Ops.ALERTS, shelves, kinds).to_pylist() if rows else []
    causes = [_cause(row, opened) for row in rows]
    alerts_ = [cause for cause in causes if cause is not None]
    reasons = iter(explain.explanations(history, alerts_))
    return [
        {
            **row,
            **_reason(cause, next(reasons) if cause else {}),
            "can": _can(row, may, "cancel"),
        }
        for row, cause in zip(rows, causes, strict=True)
    ]


def _cause(plan: Row, opened: Sequence[Row]) -> Row | None:
    """The alert of a shelf that was open when its plan was made; the latest of several."""
    kind, made = CAUSES[plan["kind"]], plan["created_at"]
    return max(
        (
            one
            for one in opened
            if one["shelf_id"] == plan["shelf_id"]
            and one["event_type"] == kind
            and one["created_at"] <= made
            and (one["status"] in OPEN_ALERT or one["updated_at"] >= made)
        ),
        key=lambda one: one["created_at"],
        default=None,
    )


def _reason(cause: Row | None, explained: Row) -> Row:
    alert_id = None if cause is None else cause["alert_id"]
    return {"alert_id": alert_id, **{name: explained.get(name) for name in _REASON}}


def _can(row: Row, may: bool | str, *acts: str) -> Mapping[str, bool | str]:
    """What can be done with an alert or a plan: by its state, and by who asks."""
    is_open = row["status"] in (*OPEN_ALERT, *PENDING_PLAN)
    return dict.fromkeys(acts, may if is_open else f"it is {row['status']}")
