"""Tables of stock: state of shelves and lots, and the working rows behind it."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.contracts.layers import Cleansed, Staging
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.types import DATE, LONG, STRING, TIMESTAMP, Field

BALANCE = Field("balance", LONG, "Signed sum of all movements.", unit="units")
LAST_EVENT_TIME = Field(
    "last_event_time", TIMESTAMP, "Greatest event time of the movements that name the row's key."
)
STATE_STORE_ID = s.described(s.STORE_ID, "The shop, as the shelf's first event names it.")
STATE_ITEM_ID = s.described(s.ITEM_ID, "The item, as the shelf's first event names it.")
STATE_VERSION = s.described(
    s.VERSION, "Distinct valid events folded for the shelf when the row last changed; never falls."
)
LOT_VERSION = s.described(
    s.VERSION,
    "Distinct valid events folded for the shelf when the row last changed, plus the version of the "
    "lot's catalogue message; never falls.",
)
FIRST_EVENT = (
    Field(
        "first_event_time",
        TIMESTAMP,
        "Event time of the shelf's event with the smallest (event_time, event_id).",
        internal=True,
    ),
    Field("first_event_id", STRING, "Id of that event.", internal=True),
)


def clipped(column: str) -> tuple[str, str]:
    """The check that a stock is the balance, or zero when that is negative."""
    return (f"{column}_is_balance", f"{column} >= balance AND ({column} = 0 OR {column} = balance)")


def _shelf_rows(name: str, owner: str, column: Field, doc: str) -> Table:
    return Table(
        name=name,
        key=("shelf_id",),
        owner=owner,
        doc=doc,
        topic=name.partition("/")[2],
        constraints=(clipped(column.name),),
        columns=(
            s.SHELF_ID,
            STATE_STORE_ID,
            STATE_ITEM_ID,
            BALANCE,
            column,
            LAST_EVENT_TIME,
            STATE_VERSION,
            s.UPDATED_AT,
            *FIRST_EVENT,
        ),
    )


def _lot_rows(name: str, owner: str, column: Field, doc: str) -> Table:
    return Table(
        name=name,
        key=("shelf_id", "batch_code"),
        owner=owner,
        doc=doc,
        topic=name.partition("/")[2],
        constraints=(clipped(column.name),),
        columns=(
            s.SHELF_ID,
            s.described(s.BATCH_CODE, "The lot; `__UNALLOTTED__` for units that found none."),
            s.described(s.RECEIVED_DATE, "Smallest received date that movements of the lot name."),
            s.described(s.EXPIRY_DATE, "Expiry date from movements, else the catalogue's."),
            replace(BALANCE, doc="Signed sum of the lot's movements and allotted receipt units."),
            column,
            LAST_EVENT_TIME,
            LOT_VERSION,
            s.UPDATED_AT,
        ),
    )


SHELF_STATE = _shelf_rows(
    Cleansed.SHELF_STATE,
    "shelf-aggregator",
    s.units("current_stock", "Units on the shelf: the balance, at least 0."),
    "Stock of each shelf, one row a shelf.",
)
WH_STATE = _shelf_rows(
    Cleansed.WH_STATE,
    "wh-aggregator",
    s.units("wh_current_stock", "Units in the warehouse: the balance, at least 0."),
    "Warehouse stock of each shelf, one row a shelf.",
)
SHELF_BATCH_STATE = _lot_rows(
    Cleansed.SHELF_BATCH_STATE,
    "batch-state-updater",
    s.units("batch_quantity_store", "Units of the lot in the store: the balance, at least 0."),
    "Stock of each lot in the store, from wh_out on; one row a shelf and lot.",
)
WH_BATCH_STATE = _lot_rows(
    Cleansed.WH_BATCH_STATE,
    "wh-batch-state-updater",
    s.units("batch_quantity_warehouse", "Units of the lot in the warehouse: at least 0."),
    "Stock of each lot in the warehouse, one row a shelf and lot.",
)


def _smallest(name: str, what: str, event: str) -> Field:
    return Field(name, DATE, f"Smallest {what} among the lot's {event}.", required=False)


LOT_COLUMNS = (
    s.SHELF_ID,
    s.described(s.BATCH_CODE, "The lot; empty for movements that name none."),
    Field("moved", LONG, "Signed sum of the movements that name the lot.", unit="units"),
    Field("moves", LONG, "Number of those movements."),
    Field(
        "sold",
        LONG,
        "Units on receipt lines that name no lot; 0 unless the row's lot is empty.",
        unit="units",
    ),
    Field(
        "events",
        LONG,
        "Distinct events folded for the shelf; 0 unless the row's lot is empty.",
    ),
    s.optional(LAST_EVENT_TIME),
    _smallest("in_received", "received date", "wh_in"),
    _smallest("in_expiry", "expiry date", "wh_in"),
    _smallest("out_received", "received date", "wh_out"),
    _smallest("out_expiry", "expiry date", "wh_out"),
)


def _lots(name: str, owner: str, where: str) -> Table:
    return Table(
        name=name,
        key=("shelf_id", "batch_code"),
        owner=owner,
        doc=f"Working rows of the fold of lots {where}; one a shelf and lot, one without a lot.",
        columns=LOT_COLUMNS,
    )


TABLES = (
    SHELF_STATE,
    WH_STATE,
    SHELF_BATCH_STATE,
    WH_BATCH_STATE,
    _lots(Staging.SHELF_LOTS, "batch-state-updater", "in the store"),
    _lots(Staging.WH_LOTS, "wh-batch-state-updater", "in the warehouse"),
)
