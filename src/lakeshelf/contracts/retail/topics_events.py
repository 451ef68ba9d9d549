"""Append-only topics: what happens in stores and back rooms."""

from __future__ import annotations

from dataclasses import replace

from lakeshelf.contracts.lives import ALERT_KINDS
from lakeshelf.contracts.model import WEEK_MS, Rule, Topic, without
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail.tables_decisions import ALERTS
from lakeshelf.contracts.types import LONG, STRING, Field, ListOf, Struct

RECEIPT_LINE = (
    Field("line", LONG, "Number of the line on the receipt."),
    s.ITEM_ID,
    s.described(s.SHELF_ID, "The shelf that the units were taken from."),
    replace(s.QUANTITY, minimum=0, doc="Whole units; a line of 0 units moves no stock."),
    Field(
        "unit_price", s.MONEY, "Price of one unit, rounded to cents.", minimum=0, unit="currency"
    ),
    Field("discount", s.FRACTION, "Fraction taken off the list price.", minimum=0, maximum=1),
    Field(
        "total_price",
        s.MONEY,
        "What was paid for the line; authoritative.",
        minimum=0,
        unit="currency",
    ),
    s.optional(s.BATCH_CODE, "The lot sold; absent: allotted by expiry date."),
    s.optional(s.EXPIRY_DATE, "Expiry date of the lot sold."),
)

QUARANTINE_BYTES = 2 * 1024 * 1024


def _cut(part: str) -> tuple[Field, Field]:
    """What is told of the whole of a part of a record that is cut."""
    return (
        Field(
            f"{part}_length",
            LONG,
            f"Bytes of the whole {part}; absent: it is not cut.",
            required=False,
            minimum=0,
            unit="bytes",
        ),
        Field(f"{part}_sha256", STRING, f"SHA-256 of the whole {part}, in hex.", required=False),
    )


FOOT_TRAFFIC = Topic(
    name="foot_traffic",
    key=("visit_id",),
    cleanup="delete",
    owner=s.ANY,
    doc="Customers who enter and leave a store.",
    partitions=2,
    retention_ms=WEEK_MS,
    event_types=("entry", "exit"),
    fields=(
        *s.ENVELOPE,
        Field("visit_id", STRING, "One visit of one customer to one store."),
        s.CUSTOMER_ID,
    ),
)

SHELF_EVENTS = Topic(
    name="shelf_events",
    key=("shelf_id",),
    cleanup="delete",
    owner=s.ANY,
    doc=(
        "Movements on a shelf: balance = + putback + restock - pickup - removal + adjustment. "
        "A weight_change moves nothing; a quantity that it carries is ignored."
    ),
    partitions=2,
    retention_ms=WEEK_MS,
    event_types=("pickup", "putback", "restock", "removal", "adjustment", "weight_change"),
    rules=(
        Rule(("pickup", "putback", "restock"), required=("quantity",), bounds=(s.MOVED,)),
        Rule(("removal",), required=("quantity", "batch_code"), bounds=(s.MOVED,)),
        Rule(("adjustment",), required=("quantity",), bounds=(s.ADJUSTED,)),
    ),
    fields=(
        *s.ENVELOPE,
        s.SHELF_ID,
        s.ITEM_ID,
        replace(
            s.QUANTITY,
            required=False,
            minimum=None,
            maximum=None,
            doc="Whole units; signed in an adjustment, absent in a weight_change.",
        ),
        s.optional(s.BATCH_CODE, "The lot that moved; a removal must name it."),
        s.optional(s.CUSTOMER_ID, "Who took or returned the units."),
        s.DELTA_WEIGHT,
        s.PLAN_ID,
        s.CAUSE_EVENT_ID,
        s.ACTOR,
        s.described(s.REASON, "Why; `opening_balance` marks opening stock of the shelf."),
    ),
)

POS_TRANSACTIONS = Topic(
    name="pos_transactions",
    key=("transaction_id",),
    cleanup="delete",
    owner=s.ANY,
    doc="Receipts; `event_id` is the `transaction_id`. Our producers use the event type `sale`.",
    partitions=2,
    retention_ms=WEEK_MS,
    fields=(
        *s.ENVELOPE,
        Field("transaction_id", STRING, "The receipt; equal to `event_id`."),
        s.described(s.CUSTOMER_ID, "Who paid."),
        Field("items", ListOf(Struct(RECEIPT_LINE)), "Lines of the receipt."),
    ),
    equal=(("event_id", "transaction_id"),),
    unique=(("items", "line"),),
)

WH_EVENTS = Topic(
    name="wh_events",
    key=("shelf_id",),
    cleanup="delete",
    owner=s.ANY,
    doc="Movements in the warehouse: balance = + wh_in - wh_out - wh_removal + wh_adjustment.",
    partitions=2,
    retention_ms=WEEK_MS,
    event_types=("wh_in", "wh_out", "wh_removal", "wh_adjustment"),
    rules=(
        Rule(("wh_in", "wh_out", "wh_removal"), bounds=(s.MOVED,)),
        Rule(("wh_adjustment",), bounds=(s.ADJUSTED,)),
    ),
    fields=(
        *s.ENVELOPE,
        s.described(s.SHELF_ID, "The shelf that the stock is kept for."),
        s.ITEM_ID,
        s.described(s.BATCH_CODE, "The lot that moved."),
        replace(
            s.QUANTITY,
            minimum=None,
            maximum=None,
            doc="Whole units; signed in a wh_adjustment.",
        ),
        s.RECEIVED_DATE,
        s.EXPIRY_DATE,
        s.PLAN_ID,
        Field("order_id", STRING, "The supplier order that it delivers.", required=False),
        s.ACTOR,
        s.described(s.REASON, "Why; `replay` marks goods that the replay itself puts on shelves."),
    ),
)

LOST_SALES = Topic(
    name="lost_sales",
    key=("shelf_id",),
    cleanup="delete",
    owner=s.ANY,
    doc="Customers who found a shelf empty. Our producers use the event type `lost_sale`.",
    retention_ms=WEEK_MS,
    fields=(
        *s.ENVELOPE,
        s.described(s.SHELF_ID, "The shelf that was empty."),
        s.ITEM_ID,
        s.described(s.CUSTOMER_ID, "Who wanted the item."),
        s.described(s.QUANTITY, "Units that were wanted and not there."),
    ),
)

ALERTS_TOPIC = Topic(
    name="alerts",
    key=("alert_id",),
    cleanup="delete",
    owner=s.ANY,
    doc="The whole alert each time it changes; `event_id` is `alert_id:version`.",
    retention_ms=WEEK_MS,
    event_types=ALERT_KINDS,
    fields=(*s.ENVELOPE, *without(ALERTS.public, "event_type", "store_id")),
)

COMMANDS = Topic(
    name="commands",
    key=("target_id",),
    cleanup="delete",
    owner=s.ANY,
    doc="What people and services ask of the owner of an alert, a plan or a table.",
    retention_ms=WEEK_MS,
    fields=(
        *s.ENVELOPE,
        Field("command", STRING, "What to do: ack, dismiss, cancel, maintain and the like."),
        Field("target_id", STRING, "The alert, plan or table it is about."),
        s.optional(s.QUANTITY, "Units, where the command is about some."),
        s.CAUSE_EVENT_ID,
        replace(s.ACTOR, required=True),
        s.REASON,
    ),
)

QUARANTINE = Topic(
    name="quarantine",
    key=("original_key",),
    key_only=(
        Field("original_key", STRING, "Key of the refused record, as it came.", required=False),
    ),
    cleanup="delete",
    owner=s.ANY,
    doc=(
        "Records that were refused, with the reason; `event_time` is their Kafka timestamp, or the nearest time that "
        "an event may have. Of a large record key and value are cut; `raw/quarantine` holds it whole, at the same "
        "topic, partition and offset."
    ),
    retention_ms=WEEK_MS,
    max_message_bytes=QUARANTINE_BYTES,
    fields=(
        *without(s.ENVELOPE, "store_id"),
        s.optional(s.STORE_ID, "The shop, where the record told it."),
        Field("topic", STRING, "Topic of the refused record."),
        Field("partition", LONG, "Partition of the refused record.", minimum=0),
        Field("offset", LONG, "Offset of the refused record.", minimum=0),
        Field("reason", STRING, "Name of the rule that it broke."),
        Field("detail", STRING, "Field and value that broke it."),
        Field(
            "value",
            STRING,
            "Its value in base64, or the beginning of a large one; absent: it had none.",
            required=False,
            max_length=QUARANTINE_BYTES,
        ),
        *_cut("value"),
        *_cut("key"),
    ),
)

TOPICS = (
    FOOT_TRAFFIC,
    SHELF_EVENTS,
    POS_TRANSACTIONS,
    WH_EVENTS,
    LOST_SALES,
    ALERTS_TOPIC,
    COMMANDS,
    QUARANTINE,
)
