"""Three days of a small shop that lives by itself: three shelves, and everything that can happen to one.

A is refilled, discounted, counted and cleared of an expired lot; B has goods on the way, an open
cart and a lot that only the catalogue dates; C is supplied by a replay and has no profile.
"""

import json
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from lake_model import Model, Row

MON, TUE, WED = date(2026, 3, 2), date(2026, 3, 3), date(2026, 3, 4)
KINDS = ("pickup", "putback", "restock", "removal", "adjustment", "weight_change")
WH_KINDS = ("wh_in", "wh_out", "wh_removal", "wh_adjustment")


def at(day: date, clock: str) -> datetime:
    """That time of a day, UTC."""
    return datetime.fromisoformat(f"{day}T{clock}:00+00:00").astimezone(UTC)


def record(topic: str, event_id: str, kind: str, when: datetime, **fields: Any) -> Row:
    """A record of a topic, as the replay gives them."""
    envelope = {
        "event_id": event_id,
        "event_type": kind,
        "event_time": when.isoformat(),
        "store_id": "S1",
        "schema_version": 1,
    }
    return {"topic": topic, "value": json.dumps({**envelope, **fields}).encode()}


def shelf(event_id: str, kind: str, when: datetime, shelf_id: str, units: int, **more: Any) -> Row:
    names = {"shelf_id": shelf_id, "item_id": f"item {shelf_id}", "quantity": units}
    return record("shelf_events", event_id, kind, when, **{**names, **more})


def room(event_id: str, kind: str, when: datetime, lot: str, units: int, **more: Any) -> Row:
    """A movement in the back room of the lot's shelf, which its code begins with."""
    names = {"shelf_id": lot[0], "item_id": f"item {lot[0]}", "batch_code": lot, "quantity": units}
    return record("wh_events", event_id, kind, when, **{**names, **more})


def receipt(
    event_id: str, when: datetime, *lines: tuple[str, int, float, float, str | None]
) -> Row:
    """A receipt of lines (shelf, units, discount, price of a unit, lot)."""
    items = [
        {
            "line": n,
            "item_id": f"item {shelf_id}",
            "shelf_id": shelf_id,
            "quantity": units,
            "unit_price": price,
            "discount": discount,
            "total_price": round(units * price, 2),
            **({} if lot is None else {"batch_code": lot}),
        }
        for n, (shelf_id, units, discount, price, lot) in enumerate(lines)
    ]
    fields = {"transaction_id": event_id, "customer_id": "K", "items": items}
    return record("pos_transactions", event_id, "sale", when, **fields)


def lost(event_id: str, when: datetime, units: int) -> Row:
    fields = {"shelf_id": "A", "item_id": "item A", "customer_id": "K", "quantity": units}
    return record("lost_sales", event_id, "lost_sale", when, **fields)


A1 = {"received_date": "2026-03-01", "expiry_date": "2026-03-03"}
A2 = {"received_date": "2026-03-02", "expiry_date": "2026-03-10"}
O1 = {"received_date": "2026-03-04", "expiry_date": "2026-03-11", "order_id": "O1"}
EVENTS = (
    room("w1", "wh_in", at(MON, "06:00"), "A1", 20, **A1),
    room("w2", "wh_in", at(MON, "06:00"), "A2", 20, **A2),
    room("w3", "wh_in", at(MON, "06:00"), "B1", 30),
    room("w4", "wh_out", at(MON, "10:00"), "A1", 12, plan_id="P1", **A1),
    room("w5", "wh_out", at(WED, "20:00"), "B1", 10, plan_id="P2"),
    room("w6", "wh_out", at(TUE, "09:00"), "A2", 2, actor="Kim", **A2),
    room("w7", "wh_in", at(MON, "06:00"), "C1", 5),
    room("w8", "wh_out", at(MON, "07:00"), "C1", 5, reason="replay"),
    room("w9", "wh_removal", at(WED, "00:00"), "A1", 8, reason="expired"),
    room("w10", "wh_adjustment", at(TUE, "12:00"), "A2", -1),
    room("w11", "wh_removal", at(TUE, "13:00"), "B1", 1, reason="damaged"),
    room("w12", "wh_in", at(WED, "08:00"), "A3", 12, **O1),
    room("w13", "wh_in", at(WED, "08:00"), "A4", 12, **O1),
    shelf("s1", "restock", at(MON, "00:00"), "A", 10, batch_code="A0", reason="opening_balance"),
    shelf("s2", "restock", at(MON, "00:00"), "B", 5, reason="opening_balance"),
    shelf("s3", "pickup", at(MON, "09:00"), "A", 4),
    shelf("s4", "putback", at(MON, "09:05"), "A", 1),
    shelf(
        "s5",
        "restock",
        at(MON, "10:03"),
        "A",
        12,
        batch_code="A1",
        plan_id="P1",
        cause_event_id="w4",
        actor="shelf-refill-bridge",
    ),
    shelf("s6", "restock", at(TUE, "09:03"), "A", 2, batch_code="A2", cause_event_id="w6"),
    shelf("s7", "restock", at(MON, "07:03"), "C", 5, batch_code="C1", cause_event_id="w8"),
    shelf("s8", "pickup", at(MON, "11:00"), "B", 1),
    shelf("s9", "pickup", at(TUE, "10:00"), "A", 6, batch_code=""),
    shelf("s10", "pickup", at(WED, "21:00"), "B", 2),
    shelf("s11", "adjustment", at(TUE, "12:00"), "A", -1, batch_code=""),
    shelf("s12", "adjustment", at(TUE, "12:00"), "B", 2, batch_code="B0"),
    shelf("s13", "removal", at(WED, "00:00"), "A", 4, batch_code="A1", reason="expired"),
    shelf("s14", "weight_change", at(MON, "10:03"), "A", 99, delta_weight=1.5),
    shelf("s15", "weight_change", at(MON, "10:03"), "D", 99, delta_weight=1.5),
    receipt("t1", at(MON, "09:10"), ("A", 3, 0, 2.0, None), ("B", 1, 0, 1.5, None)),
    receipt(
        "t2",
        at(TUE, "10:10"),
        ("A", 5, 0.3, 1.4, None),
        ("A", 1, 0.3, 1.4, "A2"),
        ("C", 0, 0, 1.0, "C9"),
    ),
    lost("l1", at(TUE, "10:30"), 2),
    lost("l2", at(WED, "15:00"), 1),
    record("foot_traffic", "f1", "entry", at(MON, "08:59"), visit_id="V", customer_id="K"),
    record("foot_traffic", "f2", "exit", at(MON, "09:11"), visit_id="V", customer_id="K"),
)
FAULTS = (EVENTS[3], {"topic": "wh_events", "value": b"{"})

PLANS = (("P1", "A", 12, "completed"), ("P2", "B", 10, "issued"), ("P3", "A", 0, "pending"))
SUPPLIER_PLANS = (
    ("SP1", "A", "O1", "completed", "ml", "V1", 40),
    ("SP2", "B", "O2", "issued", "rule", None, None),
    ("SP3", "A", None, "pending", "ml", "V2", 30),
    ("SP4", "B", None, "canceled", "rule", None, None),
)
ORDERS = (("O1", "SP1", "A", 24, "delivered", TUE), ("O2", "SP2", "B", 30, "issued", WED))


def alert(number: int, kind: str, location: str, lot: str | None, status: str) -> Row:
    """An alert of shelf A."""
    return {
        "alert_id": f"alert {number}",
        "event_type": kind,
        "location": location,
        "shelf_id": "A",
        "batch_code": lot,
        "status": status,
        "stock_pct": 100 / 3,
        "version": number,
    }


SHELF_ALERTS = (
    alert(1, "refill_request", "store", None, "ack"),
    alert(2, "near_expiry", "store", "A1", "resolved"),
    alert(3, "near_expiry", "store", "A2", "open"),
)
WH_ALERTS = (alert(4, "supplier_request", "warehouse", None, "open"),)
EXPIRED = (alert(5, "expired_removal", "store", "A1", "resolved"),)


def shop() -> Model:
    """The shop, quiet on Wednesday night."""
    model = Model((*EVENTS, *FAULTS))
    for where in ("store", "wh"):
        model.tables[f"staging/lot_catalog_{where}"] = catalogue()
    model.tables |= {
        "ops/shelf_alerts": list(map(dict, SHELF_ALERTS)),
        "ops/wh_alerts": list(map(dict, WH_ALERTS)),
        "ops/alerts": list(map(dict, (*SHELF_ALERTS, *WH_ALERTS, *EXPIRED))),
        "ops/shelf_restock_plan": rows("plan_id shelf_id issued_qty status", *PLANS),
        "ops/wh_supplier_plan": rows(
            "supplier_plan_id shelf_id order_id status source model_version level_qty",
            *SUPPLIER_PLANS,
        ),
        "staging/order_levels": rows(
            "shelf_id level_qty model_version deleted",
            ("A", 30, "V2", False),
            ("B", 5, "V2", True),
        ),
        "curated/predictions": rows(
            "model_version feature_date shelf_id role level_qty valid_until",
            ("V2", TUE, "A", "champion", 30, at(WED, "00:00")),
            ("V3", TUE, "A", "challenger", 28, None),
        ),
        "ops/models": rows(
            "model_name model_version status replaced",
            ("M", "V1", "refused", None),
            ("M", "V2", "champion", "V1"),
            ("M", "V3", "challenger", None),
        ),
        "ops/wh_supplier_receipts": rows(
            "receipt_id order_id shelf_id received_qty",
            ("A3", "O1", "A", 12),
            ("A4", "O1", "A", 12),
        ),
        "ops/wh_supplier_orders": [
            {**row, "cutoff_ts": at(row["cutoff_ts"], "12:00")}
            for row in rows(
                "order_id supplier_plan_id shelf_id total_qty status cutoff_ts", *ORDERS
            )
        ],
        "staging/shelf_refill_pending": rows(
            "event_id shelf_id batch_code quantity plan_id", ("w5", "B", "B1", 10, "P2")
        ),
        "analytics/daily_discounts": rows(
            "shelf_id discount_date discount batch_codes created_at",
            ("A", TUE, Decimal("0.3"), ["A1"], at(TUE, "00:00")),
        ),
        "curated/shelf_profiles": rows(
            "shelf_id max_stock unit_price", ("A", 20, Decimal(2)), ("B", 20, Decimal("1.5"))
        ),
        "staging/shelf_policies": rows(
            "shelf_id threshold_pct min_qty active",
            ("__GLOBAL__", 50.0, 1, True),
            ("A", 50.0, 11, True),
            ("B", 10.0, 1, False),
        ),
    }
    model.fold()
    return model


def catalogue() -> list[Row]:
    """Dates of lots: B1 has no others, A2 has, and one that was taken back."""
    dates = (("B1", date(2026, 9, 1), False), ("A2", MON, False), ("A0", MON, True))
    return rows("batch_code expiry_date deleted", *dates)


def rows(names: str, *values: tuple[Any, ...]) -> list[Row]:
    return [dict(zip(names.split(), row, strict=True)) for row in values]


def chance(seed: int, number: int = 300) -> Model:
    """Movements by chance, in any order: two shelves, few lots and times, so that many are equal."""
    draw = random.Random(seed)

    def movement(n: int) -> Row:
        when = at(MON, "00:00") + timedelta(minutes=draw.randrange(60))
        where, units = draw.choice("AB"), draw.randint(1, 9)
        lot = draw.choice([where + str(n) for n in range(4)])
        kind = draw.choice((*KINDS, *WH_KINDS, "sale", "sale"))
        name, item = f"e{draw.randrange(10**6):06}-{n}", f"item {draw.randrange(3)}"
        dates = {
            f"{what}_date": str(MON + timedelta(days=draw.randrange(9)))
            for what in ("received", "expiry")
            if draw.random() < 0.5 and not lot.endswith("1")
        }
        if kind == "sale":
            named = draw.choice([lot, None, None])
            return receipt(name, when, (where, units, 0, 1.0, named), (where, 0, 0, 1.0, lot))
        signed = draw.choice([-units, units]) if "adjustment" in kind else units
        if kind in WH_KINDS:
            return room(name, kind, when, lot, signed, item_id=item, **dates)
        named = {"batch_code": lot} if kind == "removal" or draw.random() < 0.5 else {}
        reason = draw.choice(["opening_balance", "other"])
        return shelf(name, kind, when, where, signed, item_id=item, reason=reason, **named)

    model = Model(movement(n) for n in range(number))
    for where in ("store", "wh"):
        model.tables[f"staging/lot_catalog_{where}"] = rows(
            "batch_code expiry_date deleted", ("A1", MON, False), ("B1", WED, False)
        )
    model.fold()
    return model
