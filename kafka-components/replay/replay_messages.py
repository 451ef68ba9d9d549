# ruff: noqa: S608 - the SQL is put together from constants of this module
"""The messages of a replay as SQL: a query gives those of a stretch of time, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PICKUP_SPAN_MS = 1_800_000
"""Longest time from entry to checkout: 161 lines, at most 8 s each, and a minute to walk in."""


def text(expression: str) -> str:
    """SQL for a JSON string of an identifier: nothing in it needs escaping."""
    return f"""'"' || ({expression}) || '"'"""


def escaped(expression: str) -> str:
    """SQL for a JSON string of free text."""
    return f"to_json({expression})"


def number(expression: str) -> str:
    """SQL for a JSON number."""
    return f"({expression})::VARCHAR"


def money(cents: str) -> str:
    """SQL for a JSON number of an amount in cents: 1234 is 12.34."""
    return f"(({cents})::DECIMAL(18, 2) / 100)::DECIMAL(12, 2)::VARCHAR"


def json_object(required: Mapping[str, str], optional: Mapping[str, str] | None = None) -> str:
    """SQL for a JSON object; an optional field that is NULL is left out.

    Args:
        required: Name and SQL of the fields that always have a value.
        optional: Name and SQL of the others.
    """
    parts: list[str] = []
    for position, (name, expression) in enumerate(required.items()):
        opening = "," if position else "{"
        parts += [f"""'{opening}"{name}":'""", expression]
    parts += [f"""',"{name}":' || {expression}""" for name, expression in (optional or {}).items()]
    return f"concat({', '.join(parts)}, '}}')"


def event(kind: str, event_id: str, ms: str, store: str, **required: str) -> dict[str, str]:
    """The envelope of an event of type `kind`, followed by its own fields."""
    return {
        "event_id": text(event_id),
        "event_type": f"""'"{kind}"'""",
        "event_time": text(f"iso_time({ms})"),
        "store_id": text(f"concat('S', {store})"),
        "schema_version": "'1'",
        **required,
    }


SHELF = "shelf_id(store, product)"
ITEM = "concat('I', product)"
VISIT = "concat('V', basket)"
CUSTOMER = "concat('C', household)"
OPENING_REASON = """'"opening_balance"'"""
REPLAY_REASON = """'"replay"'"""
SHELF_AND_ITEM = {"shelf_id": text(SHELF), "item_id": text(ITEM)}


def lot_code(lot: str) -> str:
    """SQL for the code of a shelf's lot number `lot`; NULL for none."""
    return f"'L-' || {SHELF} || '-' || ({lot})"


def event_id(ms: str, letters: str, *parts: str) -> str:
    """SQL for an id that begins with the event time in ms: `<ms>-<letters><parts joined by ->`."""
    rest = ", '-', ".join(parts)
    return f"concat({ms}, '-{letters}', {rest})"


def expiry(received_ms: str) -> str:
    """SQL for the expiry date of a lot received at `received_ms`; NULL for what does not perish."""
    return f"iso_date({received_ms} + shelf_life_days::BIGINT * 86400000)"


def _visit(kind: str, letter: str, ms: str, rank: int) -> str:
    value = json_object(
        event(
            kind,
            event_id(ms, letter, "basket"),
            ms,
            "store",
            visit_id=text(VISIT),
            customer_id=text(CUSTOMER),
        )
    )
    return _select("foot_traffic", VISIT, value, ms, rank, "basket", "basket")


def _pickup() -> str:
    ms = "pickup_ms"
    value = json_object(
        event("pickup", event_id(ms, "P", "basket", "line"), ms, "store", **SHELF_AND_ITEM)
        | {"quantity": number("quantity"), "customer_id": text(CUSTOMER)}
    )
    return _select(
        "shelf_events",
        SHELF,
        value,
        ms,
        4,
        "line",
        "basket * 1000 + line",
        where="quantity > 0",
        near="checkout_ms",
    )


def _sale() -> str:
    item = json_object(
        {"line": number("line"), **{name: SHELF_AND_ITEM[name] for name in ("item_id", "shelf_id")}}
        | {
            "quantity": number("quantity"),
            "unit_price": "round(cents / greatest(quantity, 1) / 100, 2)::DECIMAL(12, 2)::VARCHAR",
            "discount": "round(saved_cents / greatest(cents + saved_cents, 1), 4)"
            "::DECIMAL(5, 4)::VARCHAR",
            "total_price": money("cents"),
        },
        {
            "batch_code": text(lot_code("named_lot")),
            "expiry_date": f"CASE WHEN named_lot IS NOT NULL THEN {text(expiry('received_ms'))}"
            " END",
        },
    )
    ms = "checkout_ms"
    transaction = text(event_id(ms, "T", "basket"))
    value = json_object(
        event("sale", event_id(ms, "T", "basket"), ms, "store", transaction_id=transaction)
        | {
            "customer_id": text(CUSTOMER),
            "items": f"'[' || string_agg({item}, ',' ORDER BY line) || ']'",
        }
    )
    return (
        _select("pos_transactions", event_id(ms, "T", "basket"), value, ms, 5, "line", "basket")
        + " GROUP BY basket, checkout_ms, store, household"
    )


def _warehouse(kind: str, letters: str, ms: str, rank: int, quantity: str) -> str:
    dates = {"received_date": text("iso_date(in_ms)"), "expiry_date": text(expiry("in_ms"))}
    value = json_object(
        event(kind, event_id(ms, letters, SHELF, "lot"), ms, "store", **SHELF_AND_ITEM)
        | {"batch_code": text(lot_code("lot")), "quantity": number(quantity)},
        dates | {"reason": REPLAY_REASON},
    )
    return _select(
        "wh_events", SHELF, value, ms, rank, "supply", "product * 1000 + lot", near="restock_ms"
    )


def _restock() -> str:
    ms = "restock_ms"
    value = json_object(
        event("restock", event_id(ms, "R", SHELF, "lot"), ms, "store", **SHELF_AND_ITEM)
        | {"quantity": number("units"), "batch_code": text(lot_code("lot"))}
        | {"cause_event_id": text(event_id("out_ms", "O", SHELF, "lot")), "reason": REPLAY_REASON}
    )
    return _select(
        "shelf_events", SHELF, value, ms, 2, "supply", "product * 1000 + lot", near="restock_ms"
    )


SUPPLY_SPAN_MS = 21_600_000
"""Longest time from a supply's wh_in to its restock: six hours."""

SPANS = {"checkout_ms": PICKUP_SPAN_MS, "restock_ms": SUPPLY_SPAN_MS}


def _select(
    topic: str,
    key: str,
    value: str,
    ms: str,
    rank: int,
    table: str,
    tie: str,
    *,
    where: str = "true",
    near: str = "",
) -> str:
    """One kind of message.

    Args:
        topic: Where it goes.
        key: SQL of its key.
        value: SQL of its value.
        ms: Column of its event time.
        rank: What comes first at the same instant: goods before customers.
        table: Table that it is made of.
        tie: SQL of the order among equals.
        where: Rows that make a message.
        near: Column that the table is sorted by, if not `ms`; that lies up to `SPANS[near]` before.
    """
    coarse = f"{near or ms} >= $since - $window AND {near or ms} < $until + {SPANS.get(near, 0)}"
    due = f"{ms} + scatter({tie} + {rank} + $seed) % ($window + 1)"
    return (
        f"SELECT '{topic}' AS topic, {key} AS key, {value} AS value, {ms} AS ms, {due} AS due,"
        f" {rank} AS rank, {tie} AS tie FROM {table}"
        f" WHERE {where} AND {coarse} AND {due} >= $since AND {due} < $until"
    )


KINDS = (
    _warehouse("wh_in", "I", "in_ms", 0, "received_units"),
    _warehouse("wh_out", "O", "out_ms", 1, "units"),
    _restock(),
    _visit("entry", "E", "entry_ms", 3),
    _pickup(),
    _sale(),
    _visit("exit", "X", "exit_ms", 6),
)

COLUMNS = (
    "topic, encode(key) AS key, encode(value) AS value, make_timestamptz(ms * 1000) AS event_time"
)

MOVEMENTS = f"SELECT {COLUMNS} FROM ({' UNION ALL '.join(KINDS)}) ORDER BY due, rank, tie, topic"
"""Events but the opening ones that are due in [$since, $until), shuffled in $window ms by $seed."""


def _opening(
    kind: str, letters: str, quantity: str, lot: str, dates: Mapping[str, str], rank: int
) -> str:
    value = json_object(
        event(
            kind, event_id("$opening", letters, SHELF, "0"), "$opening", "store", **SHELF_AND_ITEM
        )
        | {"quantity": number(quantity)},
        {"batch_code": text(lot), **dates, "reason": OPENING_REASON},
    )
    topic = "wh_events" if kind == "wh_in" else "shelf_events"
    due = f"scatter(n + {rank} + $seed) % ($window + 1)"
    return (
        f"SELECT '{topic}' AS topic, {SHELF} AS key, {value} AS value, $opening AS ms,"
        f" {due} AS due, {rank} AS rank, n FROM shelf WHERE n >= $first AND n < $last"
    )


OPENING_KINDS = (
    _opening(
        "wh_in",
        "I",
        "reserve_units",
        lot_code("0"),
        {"received_date": text("iso_date($opening)"), "expiry_date": text(expiry("$opening"))},
        0,
    ),
    _opening(
        "restock",
        "R",
        "opening_units",
        f"CASE WHEN NOT opening_unnamed THEN {lot_code('0')} END",
        {},
        1,
    ),
)

OPENING = f"SELECT {COLUMNS} FROM ({' UNION ALL '.join(OPENING_KINDS)}) ORDER BY due, n, rank"
"""The opening of the shelves numbered [$first, $last): the stock of back room and shelf."""

_PROMOTION = json_object(
    {
        "shelf_id": text(SHELF),
        "week": text("strftime(week, '%Y-%m-%d')"),
        "known_at": text("strftime(week - INTERVAL 7 DAY, '%Y-%m-%dT00:00:00.000Z')"),
        "version": "'1'",
        "updated_at": text("iso_time($opening)"),
    },
    {"display": text("display"), "mailer": text("mailer")},
)

PROMOTIONS = f"""
SELECT 'promotions' AS topic, encode(concat({SHELF}, '::', strftime(week, '%Y-%m-%d'))) AS key,
    encode({_PROMOTION}) AS value, make_timestamptz($opening * 1000) AS event_time
FROM promotion ORDER BY store, product, week
"""
"""Displays and mailers of all shelves; each is known a week before it begins."""

_PROFILE = json_object(
    {
        "store_id": text("concat('S', store)"),
        "item_id": text(ITEM),
        "name": escaped("name"),
        "max_stock": number("max_stock"),
        "unit_weight": number("50 + salt % 1950"),
        "unit_price": number("unit_price"),
        "standard_batch_size": number("(max_stock + 1) // 2"),
        "warehouse_capacity": number("max_stock * 10"),
        "version": "'1'",
        "updated_at": text("iso_time($opening)"),
    },
    {
        "category": escaped("department"),
        "subcategory": escaped("product_category"),
        "shelf_life_days": number("shelf_life_days"),
    },
)

PROFILES = f"""
SELECT topic, encode(key) AS key, encode(value) AS value, make_timestamptz($opening * 1000) AS
    event_time FROM (
    SELECT n, 'shelf_profiles' AS topic, {SHELF} AS key, {_PROFILE} AS value
    FROM shelf WHERE n >= $first AND n < $last
) ORDER BY n
"""
"""The profiles of the shelves numbered [$first, $last)."""
