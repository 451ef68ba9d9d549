"""The store simulation: seeded, whole in any cut, and never more taken than there is."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.components.producer import visits_between
from lakeshelf.simulation.stores import Store, stores
from lakeshelf.simulation.visits import visits, wants

from .bench import Row, Sent, Tables, Worker, module, of

DAY = date(2026, 3, 6)
OPEN, CLOSED = datetime(2026, 3, 6, 6, tzinfo=UTC), datetime(2026, 3, 6, 22, tzinfo=UTC)
SHELVES = 12
MINUTES = st.integers(0, 16 * 60).map(lambda m: OPEN + timedelta(minutes=m, milliseconds=7 * m))
FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
SIGNS = {"pickup": -1, "putback": 1, "restock": 1}


def shop(seed: int = 1) -> Store:
    """A small store."""
    (store,) = stores(seed, 1, SHELVES)
    return store


def stocked(units: int, store: Store) -> dict[str, int]:
    """The same stock on every shelf."""
    return {shelf.shelf_id: units for shelf in store.shelves}


def play(
    store: Store,
    cuts: Sequence[datetime],
    units: int = 6,
    discounts: Mapping[str, float] | None = None,
) -> Any:
    """What customers do between the first and the last cut, one round a piece."""
    producer = module("producer-shelf")
    round_ = producer.Round(stocked(units, store), {})
    for after, until in itertools.pairwise(cuts):
        for act in producer.acts(store, after, until, discounts or {}):
            round_.play(store, act)
    return round_


def told(round_: Any) -> list[Sent]:
    """Topic and values of the messages, in order."""
    return [(m.topic, json.loads(m.value)) for m in round_.messages]


@pytest.fixture(scope="module")
def played() -> Any:
    """A day with so little stock that some shelves become empty."""
    return play(shop(), [OPEN, CLOSED])


def test_the_same_seed_gives_the_same_day(played: Any) -> None:
    again = play(shop(), [OPEN, CLOSED])
    assert (again.messages, again.checkouts) == (played.messages, played.checkouts)


def test_another_seed_gives_another_day(played: Any) -> None:
    assert shop(1).shelves != shop(2).shelves
    assert play(shop(2), [OPEN, CLOSED]).messages != played.messages


def test_a_store_does_not_depend_on_how_many_others_there_are() -> None:
    assert stores(1, 3, SHELVES)[0] == shop()


def test_visits_differ_from_day_to_day_and_fall_into_the_opening_hours() -> None:
    days = [visits(shop(), DAY + timedelta(days=n)) for n in range(7)]
    assert len({tuple(v.entered.time() for v in found) for found in days}) == 7
    assert all(7 <= v.entered.hour <= 20 and v.entered < v.left for found in days for v in found)


def test_who_comes_and_when_they_want_something_does_not_depend_on_discounts() -> None:
    store = shop()
    half = {shelf.shelf_id: 0.5 for shelf in store.shelves[:3]}
    kept = ("number", "at", "quantity", "returned")
    for visit in visits(store, DAY):
        plain, cheap = wants(store, visit, {}), wants(store, visit, half)
        assert [[getattr(w, n) for n in kept] for w in plain] == [
            [getattr(w, n) for n in kept] for w in cheap
        ]


def test_a_discount_draws_customers_to_its_shelf() -> None:
    store = shop()
    half = {store.shelves[0].shelf_id: 0.75}
    every = [v for n in range(10) for v in visits(store, DAY + timedelta(days=n))]
    drawn = [
        sum(want.shelf == 0 for visit in every for want in wants(store, visit, found))
        for found in ({}, half)
    ]
    assert drawn[1] > 1.3 * drawn[0] > 0


def test_wants_lie_within_the_visit_and_returns_behind_them() -> None:
    store = shop()
    for visit in visits(store, DAY):
        for want in wants(store, visit, {}):
            assert visit.entered <= want.at < visit.left
            assert want.returned is None or want.at <= want.returned < visit.left


def test_nobody_takes_more_than_there_is(played: Any) -> None:
    stock = stocked(6, shop())
    for topic, event in told(played):
        if topic == "shelf_events":
            stock[event["shelf_id"]] += SIGNS[event["event_type"]] * event["quantity"]
            assert stock[event["shelf_id"]] >= 0
    assert stock == played.stock
    assert 0 in stock.values()


def test_what_is_wanted_and_not_taken_is_a_lost_sale(played: Any) -> None:
    store, found = shop(), defaultdict(int)
    for topic, event in told(played):
        if topic == "lost_sales" or event["event_type"] == "pickup":
            found[event["event_id"].split("-", 2)[2]] += event["quantity"]
    expected = {
        f"{visit.visit_id}-{want.number}": want.quantity
        for visit in visits(store, DAY)
        for want in wants(store, visit, {})
    }
    assert found == expected
    assert of(told(played), "lost_sales") != []


def carried(checkouts: Iterable[Row]) -> dict[tuple[str, str], int]:
    """Customer and shelf → units that were carried out."""
    found: dict[tuple[str, str], int] = defaultdict(int)
    for checkout in checkouts:
        for line in checkout["lines"]:
            found[checkout["customer_id"], line["shelf_id"]] += line["quantity"]
    return found


@FEW
@given(until=MINUTES, units=st.integers(0, 12))
def test_every_pickup_is_put_back_paid_or_still_in_a_cart(until: datetime, units: int) -> None:
    store = shop()
    round_ = play(store, [OPEN, until], units)
    found: dict[tuple[str, str], int] = defaultdict(int)
    for event in of(told(round_), "shelf_events"):
        key = event["customer_id"], event["shelf_id"]
        found[key] -= SIGNS[event["event_type"]] * event["quantity"]
    held = carried(round_.checkouts)
    owners = {v.visit_id: v.customer_id for v in visits_between(store, OPEN, until)}
    for visit, cart in round_.carts.items():
        for place, quantity in cart.values():
            held[owners[visit], store.shelves[place].shelf_id] += quantity
    assert {k: n for k, n in found.items() if n} == {k: n for k, n in held.items() if n}


def test_nobody_is_left_in_a_closed_store(played: Any) -> None:
    assert played.carts == {}


def receipts(checkouts: Iterable[Row], discount: Decimal) -> list[Row]:
    """Receipts of checkouts, with a discount on every shelf."""
    prices = {
        s.shelf_id: {"item_id": s.item_id, "unit_price": Decimal(str(s.product.price))}
        for s in shop().shelves
    }
    discounts = dict.fromkeys(prices, discount)
    return [module("producer-pos").receipt(c, prices, discounts) for c in checkouts]


@pytest.mark.parametrize("discount", ["0", "0.3", "0.657", "0.75"])
def test_a_receipt_is_the_cart_that_leaves_with_it(played: Any, discount: str) -> None:
    found = receipts(played.checkouts, Decimal(discount))
    for checkout, receipt in zip(played.checkouts, found, strict=True):
        lines = [{n: line[n] for n in ("shelf_id", "quantity")} for line in receipt["items"]]
        assert lines == checkout["lines"]
        assert receipt["event_id"] == receipt["transaction_id"]
        assert receipt["event_time"].isoformat() == checkout["at"]
        for line in receipt["items"]:
            assert line["total_price"] == line["unit_price"] * line["quantity"]
            assert line["unit_price"] == round(line["unit_price"], 2)


def test_each_visit_pays_once(played: Any) -> None:
    paid = [checkout["visit_id"] for checkout in played.checkouts]
    assert len(set(paid)) == len(paid) > 0


def moments() -> list[datetime]:
    """Times at which something happens."""
    entries = [visit.entered for visit in visits(shop(), DAY)]
    acts = module("producer-shelf").acts(shop(), OPEN, CLOSED, {})
    return [*entries, *(act.at for act in acts)]


CUTS = st.lists(MINUTES | st.deferred(lambda: st.sampled_from(moments())), max_size=6)


@FEW
@given(cuts=CUTS, units=st.integers(0, 12))
def test_a_day_in_pieces_is_the_day_as_a_whole(cuts: list[datetime], units: int) -> None:
    whole = play(shop(), [OPEN, CLOSED], units)
    pieces = play(shop(), [OPEN, *sorted(cuts), CLOSED], units)
    assert pieces.messages == whole.messages
    assert (pieces.stock, pieces.carts) == (whole.stock, whole.carts)
    assert pieces.checkouts == whole.checkouts


@FEW
@given(cuts=CUTS)
def test_each_customer_enters_and_leaves_once_however_time_is_cut(cuts: list[datetime]) -> None:
    producer = module("producer-foot-traffic")
    found = [
        message
        for after, until in itertools.pairwise([OPEN, *sorted(cuts), CLOSED])
        for visit in visits_between(shop(), after, until)
        for message in producer.passages(visit, after, until)
    ]
    events = [json.loads(message.value) for message in found]
    passed = sorted((e["visit_id"], e["event_type"]) for e in events)
    assert passed == sorted(
        (visit.visit_id, kind) for visit in visits(shop(), DAY) for kind in ("entry", "exit")
    )


class Shelves:
    """Stock folded from what was sent, as the topic has it."""

    def __init__(self) -> None:
        self.events: dict[str, Row] = {}

    def send(self, sent: Iterable[Sent]) -> list[Sent]:
        new = list(sent)
        self.events |= {e["event_id"]: e for e in of(new, "shelf_events")}
        return new

    def read(self) -> dict[str, int]:
        units: dict[str, int] = defaultdict(int)
        for event in self.events.values():
            units[event["shelf_id"]] += SIGNS[event["event_type"]] * event["quantity"]
        return units

    def close(self) -> None:
        """Nothing is open."""


def live(moments: Iterable[datetime], *, restart: bool = False, **faults: Any) -> list[Sent]:
    """A day as `producer-shelf` tells it, tick by tick."""
    sizes = {"simulation_stores": 2, "simulation_shelves": SHELVES, "simulation_seed": 1}
    worker, shelves = Worker("producer-shelf", Tables(), **sizes, **faults), Shelves()
    sent: list[Sent] = []
    for moment in moments:
        if restart:
            worker.restart()
        worker.service._component._stock = shelves
        sent += shelves.send(worker.tick(moment))
    return sent


HOURLY = [OPEN + timedelta(hours=n) for n in range(17)]


@pytest.fixture(scope="module")
def day() -> list[Sent]:
    return live(HOURLY)


def test_a_store_opens_with_profiles_policies_and_stock(day: list[Sent]) -> None:
    opening = [event for event in of(day, "shelf_events") if event["reason"] == "opening_balance"]
    assert len(of(day, "shelf_profiles")) == len(of(day, "wh_policies")) == 2 * SHELVES
    assert len(opening) == 2 * SHELVES
    assert {event["event_time"] for event in opening} == {OPEN}


def test_a_producer_that_starts_again_at_every_tick_tells_the_same_day(day: list[Sent]) -> None:
    assert live(HOURLY, restart=True) == day


def test_visits_behind_the_first_tick_are_told_by_a_producer_that_started_again() -> None:
    sizes = {"simulation_stores": 1, "simulation_shelves": SHELVES, "simulation_seed": 1}
    told = []
    for restart in (False, True):
        worker = Worker("producer-foot-traffic", Tables(), **sizes)
        sent = worker.tick(OPEN)
        if restart:
            worker.restart()
        told.append([*sent, *worker.tick(CLOSED)])
    assert told[0] == told[1] != []


def test_a_tick_that_does_not_move_time_tells_nothing_new(day: list[Sent]) -> None:
    assert live([at for at in HOURLY for _ in range(2)]) == day


def test_faults_on_demand_repeat_and_shuffle_what_is_sent(day: list[Sent]) -> None:
    sent = live(HOURLY, simulation_duplicates=0.5, simulation_reorder=True)
    ids = [event["event_id"] for event in of(sent, "shelf_events")]
    assert len(ids) > len(set(ids))
    assert set(ids) == {event["event_id"] for event in of(day, "shelf_events")}
    assert ids != sorted(ids)
    again = live(HOURLY, simulation_duplicates=0.5, simulation_reorder=True)
    assert again == sent
