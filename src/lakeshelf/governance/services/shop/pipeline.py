"""The stack as its commands know it: status, lag, what is wrong; and what there is in the lake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.types import Field
from lakeshelf.errors import LakeError
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.people.users import require_admin
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.reading.querying import VisibleLake, lake_of
from lakeshelf.governance.services.shop.running import Diagnosed, Shop
from lakeshelf.governance.services.shop.seen import ListPage, Row
from lakeshelf.lake.rows import versions


def status(context: Context, caller: Caller, shop: Shop) -> Mapping[str, Any]:
    """How queries, components and tables are, as `lakeshelf status` tells it.

    Raises:
        GovernanceError: `forbidden`; `service_unavailable`: no stack is beside this API.
    """
    require_reading(caller)
    return shop.status()


def lags(context: Context, caller: Caller, shop: Shop) -> Mapping[str, Mapping[str, int]]:
    """Query → topic → records that are not folded yet.

    Raises:
        GovernanceError: `forbidden`; `service_unavailable`: no stack is beside this API, or its broker does not
            answer.
    """
    require_reading(caller)
    return shop.lags()


def examined(context: Context, caller: Caller, shop: Shop) -> list[Diagnosed]:
    """What keeps the stack from working, each with its way out, for admins: it tells of the machine.

    Raises:
        GovernanceError: `forbidden`; `service_unavailable`: no stack is beside this API.
    """
    require_admin(caller, "examine")
    return list(shop.examine())


def tables(context: Context, caller: Caller, offset: int, limit: int) -> ListPage:
    """Tables and views that the caller sees, by name: columns, documentation, who writes, version.

    Raises:
        GovernanceError: `forbidden`.
    """
    lake = lake_of(context, caller)
    names = sorted({*lake.names(), *CATALOG.views})
    return ListPage([_row(lake, name) for name in names[offset : offset + limit]], len(names))


def table(context: Context, caller: Caller, name: str) -> Row:
    """A table or view that the caller sees, as `tables` gives them.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    lake = lake_of(context, caller)
    if name not in {*lake.names(), *CATALOG.views}:
        raise refused("not_found", f"there is no table {name[:80]!r}", hint="list the tables")
    return _row(lake, name)


def _row(lake: VisibleLake, name: str) -> Row:
    if (view := CATALOG.views.get(name)) is not None:
        shown = {"name": name, "kind": "view", "doc": view.doc, "reads": list(view.tables)}
        return shown | {"columns": [_column(field) for field in view.columns]}
    try:
        return {"name": name, "kind": "table", "error": "", **_standing(lake, name)}
    except LakeError as error:
        return {"name": name, "kind": "table", "error": str(error)}


def _standing(lake: VisibleLake, name: str) -> Row:
    """What a table is by its contract, and how it stands."""
    snapshot = lake.snapshot(name)
    dataset, contract = snapshot.dataset, CATALOG.tables.get(name)
    known = {field.name: _column(field) for field in (contract.columns if contract else ())}
    return {
        "doc": dataset.doc,
        "owner": dataset.owner,
        "key": list(dataset.key),
        "partition_by": list(dataset.partition_by),
        "topic": contract.topic if contract else None,
        "version": snapshot.version,
        "committed_at": versions.committed_at(snapshot.handle),
        "columns": [
            known.get(
                one.name, {"name": one.name, "type": str(one.type), "required": not one.nullable}
            )
            for one in snapshot.schema
        ],
    }


def _column(field: Field) -> Row:
    return {
        "name": field.name,
        "type": str(field.type),
        "doc": field.doc,
        "unit": field.unit,
        "required": field.required,
        "internal": field.internal,
        "values": list(field.enum),
    }
