"""Fields and bounds that more than one topic or table uses, each declared once."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from lakeshelf.contracts.model import Bounds
from lakeshelf.contracts.types import DATE, DOUBLE, LONG, STRING, TIMESTAMP, Decimal, Field

ANY = "any"
"""Owner of a topic that several producers write."""
DRIVER = "streams-driver"
"""The process that runs the Spark jobs, as the owner of its own books."""
REFERENCE = "publisher"
"""Owner of topics of reference data, which several programs send: of two messages the higher version counts."""
OWNERS = MappingProxyType(
    {
        ANY: "Many producers; nobody owns what happens.",
        REFERENCE: "Who sends reference data: dataset-publisher, producer-shelf, replay, your own programs.",
        "clock": "The business clock.",
        DRIVER: "The process that runs the jobs.",
        "library": "Whichever process uses the Delta library.",
        "governance": "The service of governed datasets.",
    }
)
"""Owners that are neither a job nor a component → who that is."""

MONEY = Decimal(12, 2)
FRACTION = Decimal(5, 4)
MAX_QUANTITY = 10_000_000
MAX_MULTIPLIER = 1_000
MAX_DAYS = 36_500
"""Most days that something keeps, or is told of beforehand: a date so far off is still one."""


def units(name: str, doc: str, *, required: bool = True, maximum: int | None = None) -> Field:
    """A field of whole units that are there or wanted: never negative."""
    return Field(name, LONG, doc, required, minimum=0, maximum=maximum, unit="units")


def limit(name: str, doc: str, *, required: bool = True, default: int | None = None) -> Field:
    """A field of whole units that somebody sets, at most what one movement may move."""
    field = units(name, doc, required=required, maximum=MAX_QUANTITY)
    return replace(field, default=default)


def day_count(name: str, doc: str, *, required: bool = True, default: int | None = None) -> Field:
    """A field of a number of days."""
    return Field(
        name, LONG, doc, required, minimum=0, maximum=MAX_DAYS, unit="days", default=default
    )


def percent(name: str, doc: str, *, required: bool = True, default: int | None = None) -> Field:
    """A field of a share between 0 and 100 %."""
    return Field(name, DOUBLE, doc, required, minimum=0, maximum=100, unit="%", default=default)


EVENT_ID = Field(
    "event_id",
    STRING,
    "Unique over the topic and the same on every retry; ours begin with the event time in ms.",
)
EVENT_TYPE = Field("event_type", STRING, "What happened.")
EVENT_TIME = Field("event_time", TIMESTAMP, "When it happened, in business time.")
STORE_ID = Field("store_id", STRING, "The shop.")
SCHEMA_VERSION = Field(
    "schema_version", LONG, "Version of the message's form, 1; newer ones only add fields."
)
ENVELOPE = (EVENT_ID, EVENT_TYPE, EVENT_TIME, STORE_ID, SCHEMA_VERSION)
"""Fields of every event, before its own."""

VERSION = Field("version", LONG, "Increases with every change of the key; the highest wins.")
UPDATED_AT = Field("updated_at", TIMESTAMP, "When the key last changed.")
VERSIONED = (VERSION, UPDATED_AT)
"""Fields of every message of a compacted topic, after its own."""

SHELF_ID = Field("shelf_id", STRING, "One facing of one item in one store, unique over all stores.")
ITEM_ID = Field("item_id", STRING, "What is sold there.")
BATCH_CODE = Field("batch_code", STRING, "The lot, unique over all items.")
CUSTOMER_ID = Field("customer_id", STRING, "Whose visit it belongs to.")
QUANTITY = Field("quantity", LONG, "Whole units.", minimum=1, maximum=MAX_QUANTITY, unit="units")
DELTA_WEIGHT = Field(
    "delta_weight", DOUBLE, "Change of weight on the shelf.", required=False, unit="g"
)
PLAN_ID = Field("plan_id", STRING, "The restock plan that it serves.", required=False)
CAUSE_EVENT_ID = Field("cause_event_id", STRING, "The event that it follows from.", required=False)
ACTOR = Field("actor", STRING, "Who asked for it, a person or a service.", required=False)
REASON = Field("reason", STRING, "Why it was done.", required=False)
RECEIVED_DATE = Field("received_date", DATE, "When the lot was received.", required=False)
EXPIRY_DATE = Field(
    "expiry_date", DATE, "Last day on which the lot may be sold; null: it keeps.", required=False
)
CREATED_AT = Field("created_at", TIMESTAMP, "When it was created, in business time.")
MAX_STOCK = limit("max_stock", "Units that fit on the shelf.")
STANDARD_BATCH_SIZE = replace(
    limit("standard_batch_size", "Units a supplier's lot holds."), minimum=1
)

MOVED = Bounds("quantity", 1, MAX_QUANTITY)
ADJUSTED = Bounds("quantity", -MAX_QUANTITY, MAX_QUANTITY, nonzero=True)


def optional(field: Field, doc: str = "") -> Field:
    """The field, which may be absent; with a doc of its own if given."""
    return replace(field, required=False, doc=doc or field.doc)


def described(field: Field, doc: str) -> Field:
    """The field with a doc of its own."""
    return replace(field, doc=doc)
