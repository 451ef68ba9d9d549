"""Tables for analysts and models."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.contracts.layers import Curated, Staging
from lakeshelf.contracts.model import Table, without
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail.features import FEATURES
from lakeshelf.contracts.retail.tables_decisions import TRAVELLED
from lakeshelf.contracts.retail.topics_reference import PROMOTIONS as PROMOTIONS_TOPIC
from lakeshelf.contracts.retail.topics_reference import SHELF_PROFILES
from lakeshelf.contracts.types import BOOLEAN, DATE, DOUBLE, LONG, Field

FEATURE_DATE = Field(
    "feature_date", DATE, "The business day; of events, only those before it count."
)

PRODUCT_TOTAL_STATE = Table(
    name=Curated.PRODUCT_TOTAL_STATE,
    key=("item_id", "store_id"),
    owner="product-total-state",
    doc="Stock of an item in a store, wherever it is.",
    columns=(
        s.ITEM_ID,
        s.STORE_ID,
        s.units("shelf_stock", "Units on shelves."),
        Field("in_transit", LONG, "Units between warehouse and shelf.", unit="units"),
        s.units("warehouse_stock", "Units in the warehouse."),
        Field("total_stock", LONG, "Sum of the three.", unit="units"),
        s.UPDATED_AT,
    ),
)

PRODUCT_TRANSIT = Table(
    name=Staging.PRODUCT_TRANSIT,
    key=("item_id", "store_id"),
    owner="product-total-state",
    doc="Units of an item that left a store's warehouse, and that arrived on its shelves.",
    columns=(s.ITEM_ID, s.STORE_ID, *TRAVELLED, s.UPDATED_AT),
)

PROFILES = Table(
    name=Curated.SHELF_PROFILES,
    key=SHELF_PROFILES.key,
    owner="reference-sink",
    doc="Latest profile of each shelf, with item names.",
    topic=SHELF_PROFILES.name,
    columns=(*SHELF_PROFILES.key_only, *SHELF_PROFILES.fields),
)

PROMOTIONS = Table(
    name=Curated.PROMOTIONS,
    key=PROMOTIONS_TOPIC.key,
    owner="reference-sink",
    doc="Displays and mailers that are planned, by shelf and week.",
    topic=PROMOTIONS_TOPIC.name,
    columns=PROMOTIONS_TOPIC.fields,
)

DAILY_DEMAND = Table(
    name=Curated.DAILY_DEMAND,
    key=("shelf_id", "day"),
    owner="shelf-daily-features",
    doc="What customers wanted of a shelf on a day, of each shelf and day with a sale or a lost sale.",
    profile="shared",
    columns=(
        s.SHELF_ID,
        Field("day", DATE, "Day of the events, UTC, however late they came."),
        s.STORE_ID,
        s.ITEM_ID,
        s.units("units", "Units on receipts; returns take nothing away."),
        Field("lines", LONG, "Receipt lines with units.", minimum=0),
        s.units("lost_units", "Units wanted and not there; null: not observed.", required=False),
        Field("revenue", s.MONEY, "Total price of those lines.", unit="currency"),
        Field(
            "stockout_hours",
            DOUBLE,
            "Hours without stock; null: not observed.",
            required=False,
            minimum=0,
            unit="h",
        ),
    ),
)

FEATURES_STORE = Table(
    name=Curated.FEATURES_STORE,
    key=("shelf_id", "feature_date"),
    owner="shelf-daily-features",
    doc="What was known of a shelf when a business day began, for training and prediction.",
    profile="shared",
    columns=(
        s.SHELF_ID,
        FEATURE_DATE,
        s.STORE_ID,
        s.ITEM_ID,
        s.units("current_stock", "Units on the shelf."),
        s.units("wh_current_stock", "Units in the warehouse."),
        Field("in_transit", LONG, "Units between warehouse and shelf.", unit="units"),
        s.units("units_sold_1d", "Units on receipts of the day before."),
        s.units("units_sold_7d", "Units on receipts of the 7 days before."),
        s.units("units_sold_28d", "Units on receipts of the 28 days before."),
        s.units("lost_sales_7d", "Units wanted and not there, on the 7 days before."),
        Field("store_visits_1d", LONG, "Entries of the store on the day before.", minimum=0),
        Field("discount", s.FRACTION, "Discount of the day, 0 without one.", minimum=0, maximum=1),
        Field("unit_price", s.MONEY, "List price of one unit.", required=False, unit="currency"),
        s.optional(s.MAX_STOCK),
        s.optional(s.STANDARD_BATCH_SIZE),
        s.units("reorder_point_qty", "Reorder point of the policy in force.", required=False),
        Field(
            "days_to_expiry",
            LONG,
            "Days until the first lot with units expires; null without one.",
            required=False,
            unit="days",
        ),
        Field("day_of_week", LONG, "1 for Monday to 7.", minimum=1, maximum=7),
        Field("is_weekend", BOOLEAN, "Whether the day is a Saturday or Sunday."),
        s.CREATED_AT,
    ),
)
FEATURES_STORE = replace(
    FEATURES_STORE,
    columns=(
        *FEATURES_STORE.columns,
        *without(FEATURES, *(column.name for column in FEATURES_STORE.columns)),
    ),
)

TABLES = (
    PRODUCT_TOTAL_STATE,
    PRODUCT_TRANSIT,
    PROFILES,
    PROMOTIONS,
    DAILY_DEMAND,
    FEATURES_STORE,
)
