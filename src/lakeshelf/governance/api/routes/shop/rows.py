"""Rows of answers as the OpenAPI document has them: columns of the contract, and what is told beside them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import WithJsonSchema

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.derived.jsonschema import Schema, record
from lakeshelf.contracts.layers import Cleansed, Curated, Ops, Raw, Staging
from lakeshelf.contracts.types import Decimal

TEXT: Schema = {"type": "string"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
COUNT: Schema = {"type": "integer"}
OBJECT: Schema = {"type": "object", "additionalProperties": True}
COUNTS: Schema = {"type": "object", "additionalProperties": COUNT}


def maybe(schema: Schema) -> Schema:
    """What the schema says, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def several(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def shape(
    title: str, properties: Mapping[str, Schema], *, optional: Collection[str] = ()
) -> Schema:
    """An object with these properties; others may be there, too."""
    required = [name for name in properties if name not in optional]
    kept = {"properties": dict(properties), "required": required}
    return {"title": title, "type": "object", **kept, "additionalProperties": True}


def columns(name: str) -> dict[str, Schema]:
    """Columns of a table as answers have them: decimals are texts."""
    table = CATALOG.tables[name]
    properties: dict[str, Schema] = record(table)["properties"]
    decimals = {column.name for column in table.public if isinstance(column.type, Decimal)}
    return properties | dict.fromkeys(decimals & properties.keys(), maybe(TEXT))


def _rows(name: str) -> Schema:
    return several(shape(name, columns(name)))


CAN: Schema = {
    "type": "object",
    "description": "What the caller may do: true, or why not.",
    "additionalProperties": {"type": ["boolean", "string"]},
}
WHY: Mapping[str, Schema] = {
    "why": {**maybe(several(TEXT)), "description": "A sentence for each limit that was broken."},
    "figures": {**maybe(OBJECT), "description": "Figures of the alert, as it has them."},
    "policy": {**maybe(OBJECT), "description": "The policy in force: each field, and where from."},
}
NAME: Mapping[str, Schema] = {"name": {**maybe(TEXT), "description": "What stands on the shelf."}}
ALERT = shape("Alert", {**columns(Ops.ALERTS), **NAME, **WHY, "end": maybe(OBJECT), "can": CAN})
_REFILL, _ORDER = columns(Ops.SHELF_RESTOCK_PLAN), columns(Ops.WH_SUPPLIER_PLAN)
_OF_ONE_KIND = {
    name: maybe(schema)
    for name, schema in (_REFILL | _ORDER).items()
    if (name in _REFILL) != (name in _ORDER) and name not in ("plan_id", "supplier_plan_id")
}
PLAN = shape(
    "Plan",
    {
        "plan_id": TEXT,
        "kind": {"type": "string", "enum": ["refill", "order"]},
        **{name: schema for name, schema in _REFILL.items() if name in _ORDER},
        **_OF_ONE_KIND,
        **NAME,
        "alert_id": {**maybe(TEXT), "description": "The alert for which it was made."},
        **WHY,
        "can": CAN,
    },
    optional=_OF_ONE_KIND,
)
LOW = shape(
    "LowShelf",
    {
        "location": TEXT,
        "store_id": TEXT,
        "shelf_id": TEXT,
        **NAME,
        "stock": COUNT,
        "why": several(TEXT),
        "policy": {"type": "string", "description": "`shelf`, `__GLOBAL__` or `default`."},
        "coming": COUNT,
        "suggested_qty": COUNT,
    },
)
SHELF = shape(
    "Shelf",
    {
        "shelf_id": TEXT,
        "shelf_profiles": _rows(Curated.SHELF_PROFILES),
        "shelf_state": _rows(Cleansed.SHELF_STATE),
        "wh_state": _rows(Cleansed.WH_STATE),
        "shelf_batch_state": _rows(Cleansed.SHELF_BATCH_STATE),
        "wh_batch_state": _rows(Cleansed.WH_BATCH_STATE),
        "in_transit": _rows(Staging.SHELF_TRANSIT),
        "policies": {**OBJECT, "description": "Location → field → `value` and `from`."},
        "alerts": several(ALERT),
        "plans": several(PLAN),
        "alerts_total": {**COUNT, "description": "Open ones; `alerts` has the newest."},
        "plans_total": {**COUNT, "description": "Pending ones; `plans` has the newest."},
        "can": CAN,
    },
)
_UNITS = shape("Units", dict.fromkeys(("units", "lots", "lot_qty"), COUNT))
_PART = shape(
    "ForecastPart",
    {
        "name": {**TEXT, "description": "The feature, or what the others come to."},
        "value": {},
        "factor": {"type": "number", "description": "What the mean is multiplied by."},
        "units": {"type": "number", "description": "What that adds to it."},
    },
)
_FORECAST = shape(
    "ShelfForecast",
    {
        "model_name": TEXT,
        "model_version": TEXT,
        "feature_date": {**TEXT, "format": "date"},
        "horizon_days": COUNT,
        "segment": maybe(TEXT),
        "mean_units": {"type": "number"},
        "quantiles": {**OBJECT, "description": "Share of days → units that suffice on so many."},
        "level_qty": COUNT,
        "base": {"type": "number", "description": "The mean without any feature."},
        "parts": several(_PART),
    },
)
ORDER = shape(
    "ShelfOrder",
    {
        "shelf": shape(
            "Place", {**dict.fromkeys(("shelf_id", "store_id", "item_id"), TEXT), **NAME}
        ),
        "day": {**maybe({**TEXT, "format": "date"}), "description": "The latest business day."},
        "source": {"type": "string", "enum": ["rule", "ml"], "description": "Who decides."},
        "why_rule": {**several(TEXT), "description": "Why the rule does, where it does."},
        "order": _UNITS,
        "position_qty": {**maybe(COUNT), "description": "Units that can serve the forecast."},
        "rule": _UNITS,
        "rule_why": several(TEXT),
        "stock": COUNT,
        "ordered": COUNT,
        "policy": OBJECT,
        "plan": {**maybe(OBJECT), "description": "The latest plan."},
        "forecast": maybe(_FORECAST),
    },
)
_TEXT_OR_BYTES = ("key", "key_base64", "value", "value_base64")
REFUSED = shape(
    "RefusedRecord",
    {
        **{name: columns(Raw.QUARANTINE)[name] for name in ("topic", "partition", "offset")},
        "kafka_timestamp": maybe(MOMENT),
        "reason": TEXT,
        "detail": maybe(TEXT),
        **dict.fromkeys(_TEXT_OR_BYTES, maybe(TEXT)),
    },
    optional=_TEXT_OR_BYTES,
)
BATCH = shape(
    "Batch",
    {
        **columns(Ops.BATCH_LEDGER),
        **dict.fromkeys(("offsets", "topics", "table_versions"), OBJECT),
        **dict.fromkeys(("sources", "table_ids"), maybe(OBJECT)),
    },
)
_OLDEST = shape("OldestAlert", {"alert_id": TEXT, "created_at": MOMENT})
NUMBERS = shape(
    "Numbers",
    {
        "at": MOMENT,
        "lake": TEXT,
        "state": TEXT,
        "parts": OBJECT,
        "problems": several(TEXT),
        "events": maybe(COUNT),
        "events_per_second": maybe({"type": "number"}),
        "clock": maybe(
            shape("Clock", {"now": TEXT, "today": TEXT, "kind": TEXT, "speed": {"type": "number"}})
        ),
        "stock": shape(
            "Stock", dict.fromkeys(("shelves", "back_rooms", "in_transit"), maybe(COUNT))
        ),
        "low_shelves": maybe(COUNT),
        "alerts": {**maybe(COUNTS), "description": "Kind → open ones."},
        "oldest_alerts": {
            **maybe({"type": "object", "additionalProperties": _OLDEST}),
            "description": "Kind of which some are open → the one that was opened first.",
        },
        "event_to_alert_ms": maybe(COUNT),
        "plans": {"type": "object", "additionalProperties": maybe(COUNTS)},
        "orders": maybe(COUNTS),
        "lost_sales": maybe(shape("LostSales", {"today": maybe(COUNT), "total": COUNT})),
        "quarantine": maybe(COUNT),
        "tables": several(
            shape(
                "Freshness",
                {
                    "table": TEXT,
                    "version": maybe(COUNT),
                    "rows": maybe(COUNT),
                    "age_s": maybe({"type": "number"}),
                },
            )
        ),
    },
    optional=("parts", "problems", "oldest_alerts", "tables"),
)
STATUS = shape(
    "Status",
    {
        "ok": {"type": "boolean"},
        "lake": TEXT,
        "state": TEXT,
        "bootstrap_servers": maybe(TEXT),
        "parts": OBJECT,
        "problems": several(TEXT),
        **dict.fromkeys(("queries", "components", "tables", "open_transactions"), several(OBJECT)),
        "quarantine": maybe(COUNTS),
        "shelves_without_profile": maybe(COUNT),
        "models": maybe(OBJECT),
    },
)
TABLE = shape(
    "Table",
    {
        "name": TEXT,
        "kind": {"type": "string", "enum": ["table", "view"]},
        "doc": TEXT,
        "owner": TEXT,
        "key": several(TEXT),
        "version": COUNT,
        "committed_at": {**maybe(MOMENT), "description": "None: its log no longer tells."},
        "columns": several(shape("Column", {"name": TEXT, "type": TEXT})),
    },
    optional=("doc", "owner", "key", "version", "committed_at", "columns"),
)
Row = Mapping[str, Any]
Alert = Annotated[Row, WithJsonSchema(ALERT)]
Plan = Annotated[Row, WithJsonSchema(PLAN)]
LowShelf = Annotated[Row, WithJsonSchema(LOW)]
Shelf = Annotated[Row, WithJsonSchema(SHELF)]
ShelfOrder = Annotated[Row, WithJsonSchema(ORDER)]
RefusedRecord = Annotated[Row, WithJsonSchema(REFUSED)]
Batch = Annotated[Row, WithJsonSchema(BATCH)]
Numbers = Annotated[Row, WithJsonSchema(NUMBERS)]
Status = Annotated[Row, WithJsonSchema(STATUS)]
Table = Annotated[Row, WithJsonSchema(TABLE)]
