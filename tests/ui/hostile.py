"""Texts that people and events may hold, and that pages show as the text they are."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cli.shop.told_shop import ALERT, LIFE, LOT, OPENED, PLACE, event, write

MARKUP = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title><svg onload=alert(1)>",
    "</textarea><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' autofocus onfocus='alert(1)",
    "javascript:alert(1)",
    "<!-- x",
    "]]>",
    "&lt;b&gt;&#x27;",
)
CODE = (
    "{{7*7}}",
    "{% raw %}",
    "${7*7}",
    "%(x)s%n",
    "{0}",
    "`id`$(id)",
    "'; DROP TABLE alerts; --",
    "=1+1",
    "+cmd|' /C calc'!A0",
    "@SUM(1)",
    "-h",
)
PLACES = (
    "../../etc/passwd",
    "..\\..\\x",
    "//evil.example/x",
    "a/b/c",
    "a/books",
    "a/order",
    "/",
    ".",
    "..",
    "a?b=c#d",
    "a%2Fb%00",
    "a&b;c+d",
)
LETTERS = (
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "bell\x07\r",
    "Z\u0361\u036b\u0346\u0303a",
    "\U0001d7d3 \u7530\u4e2d \u0661",
    "\U0001f469\u200d\U0001f467",
    "line\u2028line",
    "two\nlines",
    "\ttab",
    "  blanks  ",
    "x" * 200,
)
NAMES = ("null", "undefined", "NaN", "None", "__proto__", "constructor", "00123", "1e400", "-0")
CORPUS = (*MARKUP, *CODE, *PLACES, *LETTERS, *NAMES)
KNOWN = {"last_event_time": OPENED, "updated_at": OPENED, "version": 9, "balance": 1}


def write_events(root: Path) -> None:
    """Have events fill each of their texts with each of the corpus: of a shelf of that name, and of `SHELF`."""
    numbered = list(enumerate(CORPUS))
    write(root, "ops/alerts", *(_alert(n, text) for n, text in numbered))
    write(root, "ops/shelf_restock_plan", *(_plan(n, text) for n, text in numbered))
    write(root, "curated/shelf_profiles", *map(_profile, CORPUS))
    write(root, "cleansed/shelf_state", *map(_state, CORPUS))
    write(root, "cleansed/shelf_batch_state", *map(_lot, CORPUS))
    write(root, "raw/shelf_events", *(_event(n, text) for n, text in numbered))


def _named(text: str) -> dict[str, Any]:
    return {"store_id": text, "shelf_id": text, "item_id": text}


def _alert(number: int, text: str) -> dict[str, Any]:
    lot = {"event_type": "near_expiry", "batch_code": text, "expiry_date": OPENED.date()}
    return {**ALERT, **_named(text), **lot, "alert_id": f"h{number}"}


def _plan(number: int, text: str) -> dict[str, Any]:
    made = {"plan_id": f"q{number}", "suggested_qty": 6, "issued_qty": 0, "status": "pending"}
    return {**_named(text), **LIFE, **made, "held": False}


def _profile(text: str) -> dict[str, Any]:
    kept = {"max_stock": 10, "unit_price": Decimal(1), "standard_batch_size": 10, "version": 1}
    return {
        **_named(text),
        **kept,
        "name": f"name of {text}",
        "category": text,
        "updated_at": OPENED,
    }


def _state(text: str) -> dict[str, Any]:
    first = {"first_event_time": OPENED, "first_event_id": text, "current_stock": 1}
    return {**_named(text), **KNOWN, **first}


def _lot(text: str) -> dict[str, Any]:
    return {**PLACE, **KNOWN, "batch_code": text, "batch_quantity_store": 1}


def _event(number: int, text: str) -> dict[str, Any]:
    texts = dict.fromkeys(("event_id", "customer_id", "plan_id", "actor", "reason"), text)
    return {**event(100 + number, "pickup", number), **texts, "batch_code": LOT}
