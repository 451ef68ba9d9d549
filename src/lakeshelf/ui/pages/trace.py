"""A life: what happened to one thing, why, and what is there now, as a picture and as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Page, Where
from lakeshelf.ui.pictures.drawing import written
from lakeshelf.ui.pictures.trace import LETTERS, Mark, drawn
from lakeshelf.ui.rendering import moment, place, shown

Line = Mapping[str, Any]
OWN = {
    "alerts": ("alert_id",),
    "plans": ("plan_id", "supplier_plan_id"),
    "orders": ("order_id",),
    "receipts": ("receipt_id",),
    "commands": ("command_id", "event_id"),
    "events": ("event_id",),
}
"""Section of a story → columns of which the first that is there is the row's own id."""
CAUSES = (
    "cause_event_id",
    "plan_id",
    "supplier_plan_id",
    "order_id",
    "alert_id",
    "target_id",
)
"""Columns that name what led to a row, where they are not its own id."""
IDS = frozenset((*CAUSES, "event_id", "shelf_id", "batch_code", "receipt_id", "item_id"))
IDS |= {"visit_id", "customer_id", "transaction_id", "target_id"}
"""Columns whose values have a life of their own."""
INNER = frozenset(("event_time", "event_date", "schema_version", "ingested_at", "kafka_timestamp"))
INNER |= {"kafka_partition", "kafka_offset", "created_at", "updated_at", "version", "held", "items"}
INNER |= {"met_version"}
"""Columns that are told elsewhere on the page, or to nobody."""
AMOUNTS = ("quantity", "suggested_qty", "total_qty", "received_qty")
BACK_ROOM = ("raw/wh_events",)
DECISIONS = ("alerts", "plans", "commands")
SUPPLY = ("orders", "receipts")


async def _prepared(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    asked = where.names.get("id") or where.query.get("id", "")
    limit = where.query.get("limit", "")
    answer = Answer({"stories": []})
    if asked:
        answer = await api.get(path("/trace", {}), {"id": asked, "limit": limit})
    answers["traced"] = answer
    stories = answer.data["stories"] if answer.data else []
    return {"asked": asked, "stories": [_story(one) for one in stories], "letters": LETTERS}


def _story(story: Mapping[str, Any]) -> dict[str, Any]:
    lines = [
        {**line, "id": own_id(line), "facts": facts(line), "what": what(line), "by": _by(line)}
        for line in story["lines"]
    ]
    state = [{**line, "facts": facts(line)} for line in story["state"]]
    picture = written(drawn(marks(story)))
    return {**story, "lines": lines, "state": state, "picture": picture}


def marks(story: Mapping[str, Any]) -> list[Mark]:
    """What of a story stands in its picture: all that has a time."""
    lines = [line for line in story["lines"] if line["time"]]
    alerts = frozenset(filter(None, (own_id(one) for one in lines if _is_cause(one))))
    return [_mark(line, alerts) for line in lines]


def _is_cause(line: Line) -> bool:
    return bool(line["role"] == "cause" and line["section"] == "alerts")


def _mark(line: Line, alerts: frozenset[str]) -> Mark:
    own, is_this = own_id(line), line["role"] == "this"
    led = frozenset(_causes(line)) | (alerts if line["section"] == "plans" else frozenset())
    batch = line["batch"]
    source = f"{line['table']} version {line['table_version']}"
    by = f", batch {batch['batch_id']} of {batch['query']}" if batch else ""
    words = f"{what(line)}, {line['time']}, {source}{by}"
    href = place(own) if own else ""
    time = datetime.fromisoformat(line["time"])
    return Mark(own, time, lane(line), line["section"], words, href, led, is_this)


def _causes(line: Line) -> Iterator[str]:
    own, row = own_id(line), line["row"]
    return (str(row[name]) for name in CAUSES if row.get(name) and str(row[name]) != own)


def lane(line: Line) -> str:
    """In which lane of the picture a line of a story stands."""
    if line["section"] in DECISIONS:
        return "Plans and alerts"
    if line["section"] in SUPPLY:
        return "Orders"
    return "Back room" if line["table"] in BACK_ROOM else "Shelf"


def own_id(line: Line) -> str:
    """The id of what a line is about; empty where it has none."""
    row = line["row"]
    held = (row[name] for name in OWN.get(line["section"], ()) if row.get(name))
    return str(next(held, ""))


def what(line: Line) -> str:
    """What happened, in some words."""
    row = line["row"]
    kind = row.get("event_type") or row.get("command") or line["section"].removesuffix("s")
    amount = next((row[name] for name in AMOUNTS if row.get(name) is not None), None)
    status = row.get("status")
    return " ".join(str(one) for one in (kind, amount, status) if one is not None).replace("_", " ")


def _by(line: Line) -> str:
    return {
        "this": "this",
        "cause": "led to it",
        "effect": "came of it",
        "before": "before it",
    }.get(line["role"] or "", "")


def facts(line: Line) -> list[tuple[str, str, bool]]:
    """Columns of a row that are there: name, value, and whether it has a life of its own."""
    row = line["row"]
    listed = [
        (name, str(value) if name in IDS else _said(name, value), name in IDS)
        for name, value in row.items()
        if value is not None and name not in INNER
    ]
    return listed + [fact for item in row.get("items") or () for fact in _sold(item)]


def _said(name: str, value: Any) -> str:
    if name.endswith(("_at", "_time")):
        return moment(value).striptags()
    return shown(value)


def _sold(item: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    names = ("quantity", "shelf_id", "batch_code")
    held = (name for name in names if item.get(name) is not None)
    return [(f"sold {name}", str(item[name]), name in IDS) for name in held]


PAGES = (
    Page(
        "/trace",
        "Trace",
        "trace.html",
        command="lakeshelf trace ID",
        options={"id": ""},
        prepare=_prepared,
        also=("/trace",),
        numbers=("limit",),
    ),
    Page(
        "/trace/{id:path}",
        "Life of {id}",
        "trace.html",
        command="lakeshelf trace {id}",
        prepare=_prepared,
        also=("/trace",),
        numbers=("limit",),
    ),
)
FORMS = ()
