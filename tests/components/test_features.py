"""Features of a day: what was known when it began, and nothing that it shall help to predict."""

from __future__ import annotations

import os
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.streams import strategies
from tests.streams.strategies import catalog_message, event, receipt

from . import model
from .bench import Row, Tables, Worker

D = date(2026, 3, 4)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
BEGIN = model.begin(D)
FEATURES = "curated/features_store"
PROFILE = {
    "shelf_id": "A",
    "store_id": "S1",
    "item_id": "I1",
    "unit_price": Decimal("1.25"),
    "max_stock": 20,
    "standard_batch_size": 6,
}
EVENTS = ("shelf_events", "wh_events", "pos_transactions", "lost_sales", "foot_traffic")


class Past:
    """Events of shelf A, told in a few words."""

    def __init__(self) -> None:
        self.lake = Tables()
        self.lake.keep("curated/shelf_profiles", PROFILE)
        self._number = 0

    def tell(self, topic: str, before: timedelta, **values: Any) -> None:
        """An event so long before the day begins."""
        self._number += 1
        shelf = {} if topic == "foot_traffic" else {"shelf_id": "A", "item_id": "I1"}
        made = event(topic, self._number, BEGIN - before, **{**shelf, **values})
        self.lake.keep(f"raw/{topic}", made)

    def lot(self, code: str, quantity: int, days: int | None, *, out: int | None = None) -> None:
        """A lot comes in two days before and goes to the shelf on the day before."""
        expiry = None if days is None else D + DAY * days
        lot = {"batch_code": code, "expiry_date": expiry}
        self.tell("wh_events", 2 * DAY, event_type="wh_in", quantity=quantity, **lot)
        sent = quantity if out is None else out
        self.tell("wh_events", DAY, event_type="wh_out", quantity=sent, batch_code=code)

    def sell(self, before: timedelta, quantity: int, lot: str | None = None) -> None:
        """A receipt of one line."""
        self._number += 1
        line = {"shelf_id": "A", "quantity": quantity, "batch_code": lot}
        self.lake.keep("raw/pos_transactions", receipt(self._number, BEGIN - before, [line]))

    def features(self, day: date = D) -> Row:
        """The features of shelf A."""
        Worker("shelf-daily-features", self.lake).tick(model.begin(day))
        (row,) = (row for row in self.lake.kept[FEATURES] if row["feature_date"] == day)
        return row


@pytest.fixture
def past() -> Past:
    return Past()


def test_a_shelf_of_which_nothing_is_known_but_its_profile(past: Past) -> None:
    row = past.features()
    expected = {
        **PROFILE,
        "feature_date": D,
        **dict.fromkeys(("current_stock", "wh_current_stock", "in_transit"), 0),
        **dict.fromkeys(("units_sold_1d", "units_sold_7d", "units_sold_28d"), 0),
        **dict.fromkeys(("lost_sales_7d", "store_visits_1d", "discount"), 0),
        "reorder_point_qty": 10,
        "days_to_expiry": None,
        "day_of_week": 3,
        "is_weekend": False,
        "created_at": BEGIN,
    }
    assert {name: row[name] for name in expected} == expected
    others = {name: row[name] for name in row.keys() - expected.keys()}
    assert {name: value for name, value in others.items() if value} == {"days_to_holiday": 32}


def test_a_small_shop_computed_by_hand(past: Past) -> None:
    opening = {"event_type": "restock", "reason": "opening_balance", "batch_code": "L0"}
    past.tell("shelf_events", 9 * DAY, quantity=10, **opening)
    past.lot("L1", 12, 3, out=8)
    past.tell("shelf_events", DAY - SECOND, event_type="restock", quantity=5, batch_code="L1")
    past.tell("shelf_events", 2 * SECOND, event_type="pickup", quantity=6)
    past.tell("shelf_events", SECOND, event_type="putback", quantity=1)
    past.sell(SECOND, 5)
    past.tell("lost_sales", 7 * DAY, event_type="lost_sale", quantity=2)
    past.tell("lost_sales", 7 * DAY + SECOND, event_type="lost_sale", quantity=40)
    for kind, store in (("entry", "S1"), ("exit", "S1"), ("entry", "S2")):
        past.tell("foot_traffic", DAY, event_type=kind, store_id=store)
    past.lake.keep("staging/wh_policies", policy("A", 7))
    past.lake.keep("analytics/daily_discounts", discount(D, "0.4"), discount(D - DAY, "0.5"))
    row = past.features()
    expected = {
        "current_stock": 10 + 5 - 6 + 1,
        "wh_current_stock": 12 - 8,
        "in_transit": 8 - 5,
        "units_sold_1d": 5,
        "units_sold_7d": 5,
        "lost_sales_7d": 2,
        "store_visits_1d": 1,
        "discount": Decimal("0.4"),
        "reorder_point_qty": 7,
        "days_to_expiry": 3,
    }
    assert {name: row[name] for name in expected} == expected


def policy(shelf: str, point: int, **values: bool) -> Row:
    """A policy of back rooms."""
    told = {"shelf_id": shelf, "reorder_point_qty": point, "active": True, "deleted": False}
    return {**told, **values}


def discount(day: date, fraction: str) -> Row:
    """A discount of shelf A."""
    return {"shelf_id": "A", "discount_date": day, "discount": Decimal(fraction)}


@pytest.mark.parametrize(
    ("before", "sold"),
    [
        pytest.param(SECOND, (4, 4, 4), id="the last second"),
        pytest.param(DAY, (4, 4, 4), id="exactly a day"),
        pytest.param(DAY + SECOND, (0, 4, 4), id="a day and a second"),
        pytest.param(7 * DAY, (0, 4, 4), id="exactly 7 days"),
        pytest.param(7 * DAY + SECOND, (0, 0, 4), id="7 days and a second"),
        pytest.param(28 * DAY, (0, 0, 4), id="exactly 28 days"),
        pytest.param(28 * DAY + SECOND, (0, 0, 0), id="28 days and a second"),
        pytest.param(timedelta(0), (0, 0, 0), id="the moment at which the day begins"),
        pytest.param(-SECOND, (0, 0, 0), id="the first second of the day"),
    ],
)
def test_sales_count_in_windows_of_1_7_and_28_days(
    past: Past, before: timedelta, sold: tuple[int, int, int]
) -> None:
    past.sell(before, 4)
    row = past.features()
    assert (row["units_sold_1d"], row["units_sold_7d"], row["units_sold_28d"]) == sold


@pytest.mark.parametrize(
    ("sold", "days"),
    [
        pytest.param([], 1, id="nothing sold"),
        pytest.param([(3, None)], 1, id="the first lot is not sold out"),
        pytest.param([(4, None)], 5, id="the first lot is sold out"),
        pytest.param([(3, None), (1, "L1")], 5, id="named and unnamed units"),
        pytest.param([(4, "L2")], 1, id="another lot was named"),
        pytest.param([(10, None)], None, id="only what keeps is left"),
        pytest.param([(30, None)], None, id="more than there was"),
        pytest.param([(4, "")], 5, id="an empty name is none"),
    ],
)
def test_units_that_name_no_lot_are_taken_from_the_first_to_expire(
    past: Past, sold: list[tuple[int, str | None]], days: int | None
) -> None:
    past.lot("L2", 6, 5)
    past.lot("L1", 4, 1)
    past.lot("L3", 9, None)
    for quantity, lot in sold:
        past.sell(SECOND, quantity, lot)
    assert past.features()["days_to_expiry"] == days


def test_a_removed_lot_does_not_expire_any_more(past: Past) -> None:
    past.lot("L1", 4, -1)
    past.lot("L2", 4, 2)
    assert past.features()["days_to_expiry"] == -1
    past = Past()
    past.lot("L1", 4, -1)
    past.lot("L2", 4, 2)
    past.tell("shelf_events", SECOND, event_type="removal", quantity=4, batch_code="L1")
    assert past.features()["days_to_expiry"] == 2


def test_the_catalogue_dates_what_no_event_dates(past: Past) -> None:
    past.lot("L1", 4, None)
    past.lake.keep("staging/lot_catalog_store", catalog_message("L1", 1, expiry_date=D + 2 * DAY))
    assert past.features()["days_to_expiry"] == 2


def test_a_policy_that_is_off_falls_back(past: Past) -> None:
    own = policy("A", 7, active=False)
    past.lake.keep("staging/wh_policies", own, policy("__GLOBAL__", 5))
    assert past.features()["reorder_point_qty"] == 5


@pytest.mark.parametrize(
    ("day", "number", "weekend"),
    [(date(2026, 3, 2), 1, False), (date(2026, 3, 6), 5, False), (date(2026, 3, 7), 6, True)],
)
def test_days_of_the_week_count_from_monday(
    past: Past, day: date, number: int, weekend: bool
) -> None:
    row = past.features(day)
    assert (row["day_of_week"], row["is_weekend"]) == (number, weekend)


def test_a_day_is_written_once_and_missed_days_are_made_good(past: Past) -> None:
    worker = Worker("shelf-daily-features", past.lake)
    worker.tick(BEGIN)
    past.sell(SECOND, 4)
    worker.tick(BEGIN + timedelta(hours=8))
    worker.restart()
    worker.tick(BEGIN + 2 * DAY)
    found = {row["feature_date"]: row["units_sold_7d"] for row in past.lake.kept[FEATURES]}
    assert found == {D: 0, D + DAY: 4, D + 2 * DAY: 4}


SHELVES = tuple(
    {**PROFILE, "shelf_id": shelf, "store_id": shelf[:2]} for shelf in strategies.SHELVES
)
DAYS = st.sampled_from([date(2017, 1, 1) + DAY * n for n in (0, 1, 2, 8, 29)])
"""Days whose windows begin among the times of the events."""


@st.composite
def pasts(draw: st.DrawFn) -> model.Past:
    """Events of all topics around a midnight."""
    known, times = draw(strategies.records()), st.sampled_from(strategies.TIMES)
    lost = [
        event("lost_sales", n, draw(times), shelf_id=draw(st.sampled_from(strategies.SHELVES)))
        for n in range(draw(st.integers(0, 3)))
    ]
    traffic = [
        event("foot_traffic", n, draw(times), event_type=draw(st.sampled_from(("entry", "exit"))))
        for n in range(draw(st.integers(0, 3)))
    ]
    lost = [{**e, "quantity": draw(st.integers(1, 5))} for e in lost]
    return model.Past(strategies.facts(known), tuple(lost), tuple(traffic))


def computed(day: date, past: model.Past) -> dict[str, Row]:
    """Shelf → features as the component writes them."""
    lake, facts = Tables(), past.facts
    lake.keep("curated/shelf_profiles", *SHELVES)
    told = (facts.shelf, facts.warehouse, facts.receipts, past.lost, past.traffic)
    for topic, events in zip(EVENTS, told, strict=True):
        lake.keep(f"raw/{topic}", *events)
    for message in sorted(facts.catalog, key=lambda m: m["version"]):
        lake.keep("staging/lot_catalog_store", message)
    Worker("shelf-daily-features", lake).tick(model.begin(day))
    return {row["shelf_id"]: row for row in lake.kept[FEATURES]}


MANY = settings(
    max_examples=int(os.environ.get("LAKESHELF_TEST_EXAMPLES", "25")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.slow
@MANY
@given(day=DAYS, past=pasts())
def test_features_are_those_of_the_rules(day: date, past: model.Past) -> None:
    found = computed(day, past)
    for profile in SHELVES:
        expected = model.features(day, profile, past)
        row = found[profile["shelf_id"]]
        assert {name: row[name] for name in expected} == expected


@pytest.mark.slow
@MANY
@given(day=DAYS, past=pasts())
def test_what_happens_on_a_day_or_later_never_changes_its_features(
    day: date, past: model.Past
) -> None:
    assert computed(day, past) == computed(day, past.before(day))
