# ruff: noqa: S608 - the SQL is put together from constants of this module
"""I6: the state tables recomputed from `raw` alone, whatever the jobs made of the events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lakeshelf.contracts.layers import Cleansed, Raw
from lakeshelf.reconcile.lots import allot

if TYPE_CHECKING:
    from lakeshelf.reconcile.books import Books
    from lakeshelf.reconcile.checks import Check

MOVEMENT = (
    "shelf_id",
    "store_id",
    "item_id",
    "event_id",
    "event_time",
    "event_type",
    "quantity",
)

SHELVES = """
SELECT shelf_id, origin.store_id, origin.item_id, balance, greatest(balance, 0) AS stock,
       last_event_time
FROM (
    SELECT shelf_id, max(event_time) AS last_event_time,
           sum(CASE WHEN event_type IN {leaving} THEN -quantity ELSE quantity END)::BIGINT
               AS balance,
           arg_min(struct_pack(store_id := store_id, item_id := item_id),
                   struct_pack(moment := event_time, id := event_id)) AS origin
    FROM source WHERE event_type <> 'weight_change' GROUP BY shelf_id
)
"""

LOTS = """
SELECT shelf_id, batch_code, received_date, expiry_date, balance, greatest(balance, 0) AS stock,
       last_event_time
FROM {lots}
"""

SHELF_COLUMNS = ("shelf_id", "store_id", "item_id", "balance")
LOT_COLUMNS = ("shelf_id", "batch_code", "received_date", "expiry_date", "balance")


@dataclass(frozen=True)
class State:
    """A state table and how it is recomputed.

    Attributes:
        table: The table; all columns but `version` and `updated_at` are compared.
        keys: Columns that tell its rows apart.
        columns: Columns before the stock.
        stock: Name of the stock.
        expected: Table of the books that it has to equal.
    """

    table: str
    keys: tuple[str, ...]
    columns: tuple[str, ...]
    stock: str
    expected: str


STATES = (
    State(
        Cleansed.SHELF_STATE,
        ("shelf_id",),
        SHELF_COLUMNS,
        "current_stock",
        "FROM shelves",
    ),
    State(
        Cleansed.WH_STATE,
        ("shelf_id",),
        SHELF_COLUMNS,
        "wh_current_stock",
        "FROM back_rooms",
    ),
    State(
        Cleansed.SHELF_BATCH_STATE,
        ("shelf_id", "batch_code"),
        LOT_COLUMNS,
        "batch_quantity_store",
        LOTS.format(lots="store_lots"),
    ),
    State(
        Cleansed.WH_BATCH_STATE,
        ("shelf_id", "batch_code"),
        LOT_COLUMNS,
        "batch_quantity_warehouse",
        LOTS.format(lots="wh_lots"),
    ),
)


def refold_of(books: Books) -> tuple[Check, ...]:
    """Whether the state tables are what the raw events say, row by row.

    Args:
        books: Books that are open.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    allot(books)
    for view, name, leaving in (
        ("shelves", Raw.SHELF_EVENTS, "('pickup', 'removal')"),
        ("back_rooms", Raw.WH_EVENTS, "('wh_out', 'wh_removal')"),
    ):
        books.load(view, name, MOVEMENT, SHELVES.format(leaving=leaving))
    return tuple(_compared(books, state) for state in STATES)


def _compared(books: Books, state: State) -> Check:
    columns = (*state.columns, state.stock, "last_event_time")
    books.load("state", state.table, columns)
    return books.compare_rows(
        f"I6 {state.table.partition('/')[2]}",
        f"{state.table} is what the raw events say",
        state.keys,
        state.expected,
        f"SELECT {', '.join(state.columns)}, {state.stock} AS stock, last_event_time FROM state",
    )
