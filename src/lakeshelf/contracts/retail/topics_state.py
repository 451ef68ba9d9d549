"""Compacted topics whose value is a row of a table."""

from __future__ import annotations

from lakeshelf.contracts.model import Table, Topic
from lakeshelf.contracts.retail import tables_decisions as decisions
from lakeshelf.contracts.retail import tables_state as state


def rows_of(table: Table) -> Topic:
    """The compacted topic that carries the public columns of the table's rows."""
    name = table.name.partition("/")[2]
    return Topic(
        name=name,
        key=table.key,
        cleanup="compact",
        owner=table.owner,
        fields=table.public,
        doc=f"Rows of `{table.name}` as they change. {table.doc}",
    )


WH_SUPPLIER_ORDERS = rows_of(decisions.WH_SUPPLIER_ORDERS)

TOPICS = (
    *map(
        rows_of,
        (
            state.SHELF_STATE,
            state.WH_STATE,
            state.SHELF_BATCH_STATE,
            state.WH_BATCH_STATE,
            decisions.SHELF_RESTOCK_PLAN,
            decisions.WH_SUPPLIER_PLAN,
            decisions.DAILY_DISCOUNTS,
        ),
    ),
    WH_SUPPLIER_ORDERS,
)
