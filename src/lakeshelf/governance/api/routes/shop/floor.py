# ruff: noqa: PLC0415 - what is heavy is imported by the call that needs it
"""The shop floor: alerts and plans with why, shelves, what is low, stories."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Depends, Query

from lakeshelf.governance.api.calling import By, In, Limit, Offset, On, router, shop_tables
from lakeshelf.governance.api.door.addresses import SHELF
from lakeshelf.governance.api.door.failures import documented
from lakeshelf.governance.api.routes.shop.rows import Alert, Plan, Shelf, ShelfOrder
from lakeshelf.governance.api.routes.shop.shapes import (
    AlertsAnswer,
    BooksAnswer,
    Id,
    Location,
    LowShelves,
    PlansAnswer,
    Traced,
    Word,
)
from lakeshelf.shop.lists import ListFilter

routes = router("shop", shop_tables)
Lines = Annotated[int, Query(ge=1, le=1_000)]


def _filter(
    status: Word = None,
    store: Word = None,
    shelf: Word = None,
    kind: Word = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> ListFilter:
    """What is asked of a list of alerts or plans."""
    return ListFilter(status, store, shelf, kind, limit, offset)


Filters = Annotated[ListFilter, Depends(_filter)]


@routes.get("/alerts")
def list_alerts(context: On, caller: By, filters: Filters) -> AlertsAnswer:
    """Alerts, the newest first, with why each was opened; open ones unless a state is named."""
    from lakeshelf.governance.services.shop import looking

    return AlertsAnswer.model_validate(looking.alerts(context, caller, filters))


@routes.get("/alerts/{alert}")
def get_alert(context: On, caller: By, alert: str) -> Alert:
    """An alert, open or not, with why it was opened, how it ended, and what the caller may do."""
    from lakeshelf.governance.services.shop import looking

    return looking.alert(context, caller, alert)


@routes.get("/plans")
def list_plans(context: On, caller: By, filters: Filters) -> PlansAnswer:
    """Plans, the newest first, with the alert for which each was made; pending ones unless a state is named."""
    from lakeshelf.governance.services.shop import looking

    return PlansAnswer.model_validate(looking.plans(context, caller, filters))


@routes.get("/plans/{plan}")
def get_plan(context: On, caller: By, plan: str) -> Plan:
    """A plan, pending or not, with the alert for which it was made, and what the caller may do."""
    from lakeshelf.governance.services.shop import looking

    return looking.plan(context, caller, plan)


@routes.get(f"{SHELF}/books")
def get_books(context: On, caller: By, shelf: str, location: Location = "store") -> BooksAnswer:
    """What the books expect on a shelf or in its back room, lot by lot: what a count is compared with."""
    from lakeshelf.governance.services.shop import counting

    return BooksAnswer.model_validate(counting.books(context, caller, shelf, location))


@routes.get(f"{SHELF}/order", responses=documented("gone"))
def get_order(context: On, caller: By, shop: In, shelf: str) -> ShelfOrder:
    """How much is ordered for a shelf, by a model's forecast or by the rule, and why, as `lakeshelf explain`."""
    from lakeshelf.governance.services.shop import ordering

    return ordering.order(context, caller, shop, shelf)


@routes.get(SHELF)
def get_shelf(context: On, caller: By, shelf: str) -> Shelf:
    """A shelf: profile, stock, back room, lots, what is on its way, policies in force, open alerts and plans."""
    from lakeshelf.governance.services.shop import looking

    return looking.shelf(context, caller, shelf)


@routes.get("/low_shelves")
def list_low(
    context: On,
    caller: By,
    shop: In,
    store: Word = None,
    shelf: Word = None,
    location: Literal["store", "warehouse"] | None = None,
    offset: Offset = 0,
    limit: Limit = 100,
) -> LowShelves:
    """What is low by the policy in force and why, the worst first."""
    from lakeshelf.governance.services.shop import looking

    filters = ListFilter(store=store, shelf=shelf, limit=limit, offset=offset)
    return LowShelves.model_validate(looking.low(context, caller, shop, filters, location))


@routes.get("/trace")
def get_trace(context: On, caller: By, id: Id, limit: Lines = 30) -> Traced:  # noqa: A002 - its name in addresses
    """The story of a shelf, lot, alert or event: the last `limit` lines of each part, and how many are left out."""
    from lakeshelf.governance.services.shop import looking

    stories = looking.trace(context, caller, id, limit)
    return Traced(id=id, kinds=[story["kind"] for story in stories], stories=stories)
