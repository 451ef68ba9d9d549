"""Views of the contract, as statements read them: over the tables of the lake, each at the view's point in time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakeshelf.contracts import CATALOG, View
from lakeshelf.lake.place import names
from lakeshelf.lake.rows import tables
from lakeshelf.query.errors import SqlError
from lakeshelf.query.statement import Reference

if TYPE_CHECKING:
    from lakeshelf.lake.lake import Lake
    from lakeshelf.lake.rows.snapshot import At


@dataclass(frozen=True)
class Resolved:
    """What a statement reads in truth.

    Attributes:
        tables: Tables, those that views read among them.
        views: View → its query over those tables.
    """

    tables: tuple[Reference, ...]
    views: Mapping[Reference, str]


def readable(lake: Lake) -> list[str]:
    """Names of the datasets of a lake, and of the views over them."""
    present = set(lake.names())
    over = (view.name for view in CATALOG.views.values() if present.issuperset(view.tables))
    return sorted(present.union(over))


def resolved(lake: Lake, references: Iterable[Reference], at: At | None) -> Resolved:
    """Tables and views of a statement; a dataset of the lake comes before a view of its name.

    Args:
        lake: The lake.
        references: What the statement names.
        at: Where tables are read that have no `AT`.

    Raises:
        SqlError: A version of a view: its tables have one each.
    """
    table_references: list[Reference] = []
    queries: dict[Reference, str] = {}
    for reference in references:
        view = CATALOG.views.get(reference.name)
        if view is None or tables.exists(lake.root, reference.name):
            table_references.append(reference)
            continue
        read = _tables(view, reference, at)
        table_references += read.values()
        queries[reference] = view.over({name: table.in_sql for name, table in read.items()})
    return Resolved(tuple(dict.fromkeys(table_references)), queries)


def _tables(view: View, reference: Reference, at: At | None) -> dict[str, Reference]:
    if isinstance(at if reference.at is None else reference.at, int):
        raise SqlError(
            f"{names.in_sql(view.name)} is a view and has no versions",
            hint="write AT (TIMESTAMP => '…'), or AT (VERSION => …) behind the tables of your own statement",
        )
    parts = {name: name.partition("/") for name in view.tables}
    return {
        name: Reference(layer, table, reference.at) for name, (layer, _, table) in parts.items()
    }
