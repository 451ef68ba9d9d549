"""Orders at cutoffs and their deliveries: the component decides what the rules in plain Python decide."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from lakeshelf.contracts.retail.shared import MAX_QUANTITY
from lakeshelf.contracts.retail.tables_decisions import MAX_ORDER

from . import model
from .bench import Row, Sent, Tables, Worker, of

SUNDAY = datetime(2026, 3, 1, 9, tzinfo=UTC)
"""Three hours before a cutoff."""
PLANS, ORDERS, RECEIPTS = (
    "ops/wh_supplier_plan",
    "ops/wh_supplier_orders",
    "ops/wh_supplier_receipts",
)
PROFILES = "curated/shelf_profiles"
LOT = ("order_id", "shelf_id", "quantity", "event_time", "received_date", "expiry_date")
ORDER = (
    "supplier_plan_id",
    "delivery_date",
    "shelf_id",
    "total_qty",
    "status",
    "cutoff_ts",
    "delivery_ts",
)


def at(weekday: str, hour: float, week: int = 0) -> datetime:
    """A time in the week that begins on Sunday, 1 March 2026."""
    names = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
    day = SUNDAY.replace(hour=0) + timedelta(days=7 * week + names.index(weekday))
    return day + timedelta(hours=hour)


def plan(shelf: str, created: datetime, quantity: int = 12, **values: Any) -> Row:
    """A pending plan."""
    return {
        "supplier_plan_id": f"supply:{shelf}:{model.millis(created)}:0",
        "store_id": "S1",
        "shelf_id": shelf,
        "suggested_qty": quantity,
        "status": "pending",
        "created_at": created,
        **values,
    }


def profile(shelf: str, size: int = 12, life: int | None = 7) -> Row:
    """What is delivered for a shelf."""
    return {
        "shelf_id": shelf,
        "item_id": "I1",
        "standard_batch_size": size,
        "shelf_life_days": life,
    }


@pytest.fixture
def lake() -> Tables:
    tables = Tables()
    tables.keep(PROFILES, profile("A"), profile("B", 5, None))
    return tables


@pytest.fixture
def worker(lake: Tables) -> Worker:
    return Worker("wh-supplier-manager", lake)


def ordered(sent: list[Sent]) -> list[tuple[str, int]]:
    """Shelf and units of orders that were placed."""
    orders = of(sent, "wh_supplier_orders")
    return [(o["shelf_id"], o["total_qty"]) for o in orders if o["status"] == "issued"]


def arrived(sent: list[Sent]) -> list[tuple[str, int]]:
    """Lot and units of goods that were delivered."""
    return [(lot["batch_code"], lot["quantity"]) for lot in of(sent, "wh_events")]


@pytest.mark.parametrize(
    ("created", "taken"),
    [
        pytest.param(timedelta(microseconds=-1), True, id="just before"),
        pytest.param(timedelta(0), False, id="exactly at the cutoff"),
        pytest.param(timedelta(microseconds=1), False, id="just behind"),
    ],
)
def test_a_plan_has_to_be_older_than_the_cutoff(
    lake: Tables, worker: Worker, created: timedelta, taken: bool
) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", at("Sun", 12) + created))
    assert ordered(worker.tick(at("Sun", 12.5))) == ([("A", 12)] if taken else [])
    assert ordered(worker.tick(at("Tue", 12))) == ([] if taken else [("A", 12)])


@pytest.mark.parametrize(
    ("weekday", "delivered"),
    [("Sun", "Mon"), ("Tue", "Wed"), ("Thu", "Fri")],
)
def test_each_cutoff_has_the_delivery_of_the_next_morning(
    lake: Tables, worker: Worker, weekday: str, delivered: str
) -> None:
    worker.tick(SUNDAY - timedelta(days=1))
    lake.keep(PLANS, plan("A", at(weekday, 11)))
    assert worker.tick(at(weekday, 11.999)) == []
    (order,) = of(worker.tick(at(weekday, 12)), "wh_supplier_orders")
    assert order["delivery_date"] == at(delivered, 8).date()
    assert worker.tick(at(delivered, 7.999)) == []
    assert arrived(worker.tick(at(delivered, 8))) == [(f"{order['order_id']}:1", 12)]


@pytest.mark.parametrize("weekday", ["Mon", "Wed", "Fri", "Sat"])
def test_no_other_noon_is_a_cutoff(lake: Tables, worker: Worker, weekday: str) -> None:
    lake.keep(PLANS, plan("A", SUNDAY - timedelta(days=7)))
    worker.tick(at(weekday, 11))
    assert worker.tick(at(weekday, 12)) == worker.tick(at(weekday, 23)) == []


@pytest.mark.parametrize("weekday", ["Sun", "Tue", "Thu", "Sat"])
def test_no_other_morning_brings_goods(lake: Tables, worker: Worker, weekday: str) -> None:
    lake.keep(ORDERS, order_of("A", date(2026, 2, 27)))
    worker.tick(at(weekday, 7))
    assert worker.tick(at(weekday, 9)) == []


def order_of(shelf: str, day: date) -> Row:
    """An order that waits for its delivery."""
    times = {"cutoff_ts": SUNDAY, "created_at": SUNDAY, "updated_at": SUNDAY}
    names = {"order_id": f"{day}:{shelf}", "supplier_plan_id": "P", "store_id": "S1"}
    figures = {"shelf_id": shelf, "total_qty": 12, "status": "issued", "version": 1}
    return {**names, **times, **figures, "delivery_date": day, "delivery_ts": None}


def test_a_shelf_has_one_order_a_delivery_whichever_plan_asks(lake: Tables, worker: Worker) -> None:
    worker.tick(SUNDAY)
    lake.keep(ORDERS, order_of("A", at("Mon", 8).date()))
    lake.keep(PLANS, plan("A", at("Sun", 11)), plan("B", at("Sun", 11)))
    assert ordered(worker.tick(at("Sun", 12))) == [("B", 12)]


def test_goods_of_a_missed_delivery_keep_their_date_and_have_the_true_time(
    lake: Tables, worker: Worker
) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY))
    worker.tick(at("Sun", 12))
    late = at("Thu", 10)
    sent = worker.tick(late)
    (lot,), (order,) = of(sent, "wh_events"), of(sent, "wh_supplier_orders")
    assert (order["delivery_date"], order["delivery_ts"]) == (date(2026, 3, 2), late)
    assert (lot["event_time"], lot["received_date"]) == (late, late.date())
    assert lot["expiry_date"] == late.date() + timedelta(days=7)
    assert lot["event_id"].startswith(str(model.millis(late)))
    (receipt,) = lake.kept[RECEIPTS]
    assert (receipt["delivery_date"], receipt["created_at"]) == (date(2026, 3, 2), late)


def test_missed_cutoffs_and_deliveries_run_in_the_order_of_the_calendar(
    lake: Tables, worker: Worker
) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY), plan("B", at("Mon", 9), 7))
    sent = worker.tick(at("Fri", 9))
    assert ordered(sent) == [("A", 12), ("B", 7)]
    assert arrived(sent) == [
        ("2026-03-02:A:1", 12),
        ("2026-03-04:B:1", 5),
        ("2026-03-04:B:2", 2),
    ]
    assert [e.decision.entry_id[:8] for e in worker.journal.entries[1:]] == [
        "cutoff:2",
        "delivery",
        "cutoff:2",
        "delivery",
        "cutoff:2",
        "delivery",
    ]


def test_the_first_tick_finds_nothing_missed(lake: Tables, worker: Worker) -> None:
    lake.keep(PLANS, plan("A", SUNDAY - timedelta(days=3)))
    assert worker.tick(at("Sun", 12.001)) == []
    assert ordered(worker.tick(at("Tue", 12))) == [("A", 12)]


def test_the_first_tick_may_itself_be_a_cutoff(lake: Tables, worker: Worker) -> None:
    lake.keep(PLANS, plan("A", SUNDAY))
    assert ordered(worker.tick(at("Sun", 12))) == [("A", 12)]


def test_a_day_that_rolls_twice_orders_and_delivers_once(lake: Tables, worker: Worker) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY))
    for moment in (at("Sun", 12), at("Mon", 8)):
        assert worker.tick(moment) != []
        assert worker.tick(moment) == worker.tick(moment + timedelta(minutes=1)) == []
    assert len(lake.kept[ORDERS]) == len(lake.kept[RECEIPTS]) == 1


def test_a_service_that_starts_again_goes_on_where_its_journal_ends(
    lake: Tables, worker: Worker
) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY))
    worker.restart()
    assert ordered(worker.tick(at("Sun", 12))) == [("A", 12)]
    worker.restart()
    assert worker.tick(at("Sun", 12)) == []
    assert len(arrived(worker.tick(at("Mon", 8)))) == 1


def test_a_tick_of_another_part_of_the_step_waits_for_its_own(lake: Tables, worker: Worker) -> None:
    worker.tick(SUNDAY, "supply")
    lake.keep(PLANS, plan("A", SUNDAY))
    for phase in ("removals", "discounts", "picks", "arrivals", "sales"):
        assert worker.tick(at("Sun", 12), phase) == []
    assert ordered(worker.tick(at("Sun", 12), "supply")) == [("A", 12)]


@pytest.mark.parametrize(
    ("quantity", "lots"), [(1, [1]), (4, [4]), (5, [5]), (6, [5, 1]), (10, [5, 5]), (12, [5, 5, 2])]
)
def test_a_delivery_is_cut_into_lots_of_at_most_the_batch_size(
    lake: Tables, worker: Worker, quantity: int, lots: list[int]
) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("B", SUNDAY, quantity))
    worker.tick(at("Sun", 12))
    sent = worker.tick(at("Mon", 8))
    assert [units for _, units in arrived(sent)] == lots
    assert len({lot["batch_code"] for lot in of(sent, "wh_events")}) == len(lots)
    assert sum(row["received_qty"] for row in lake.kept[RECEIPTS]) == quantity


@pytest.mark.parametrize(
    ("quantity", "number", "largest"),
    [(1_000, 1_000, 1), (1_001, 501, 2), (MAX_ORDER, 1_000, MAX_QUANTITY)],
)
def test_an_order_has_so_many_lots_at_most_and_each_is_a_movement(
    lake: Tables, worker: Worker, quantity: int, number: int, largest: int
) -> None:
    lake.keep(PROFILES, profile("A", 1))
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY, quantity))
    worker.tick(at("Sun", 12))
    units = [units for _, units in arrived(worker.tick(at("Mon", 8)))]
    assert (len(units), max(units), sum(units)) == (number, largest, quantity)


@pytest.mark.parametrize(
    ("life", "expiry"), [(0, date(2026, 3, 2)), (3, date(2026, 3, 5)), (None, None)]
)
def test_goods_have_the_shelf_life_of_their_item(
    lake: Tables, worker: Worker, life: int | None, expiry: date | None
) -> None:
    lake.keep(PROFILES, profile("A", 12, life))
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY))
    worker.tick(at("Sun", 12))
    (lot,) = of(worker.tick(at("Mon", 8)), "wh_events")
    assert lot["expiry_date"] == expiry


def test_a_shelf_has_one_order_a_delivery_date(lake: Tables, worker: Worker) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY, 6), plan("A", SUNDAY + timedelta(hours=1), 9))
    worker.tick(at("Sun", 12))
    (order,) = lake.kept[ORDERS]
    assert order["total_qty"] == 9


def test_a_plan_that_is_ordered_is_not_ordered_again_while_its_engine_lags(
    lake: Tables, worker: Worker
) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY))
    assert ordered(worker.tick(at("Sun", 12))) == [("A", 12)]
    assert ordered(worker.tick(at("Tue", 12))) == []


@pytest.mark.parametrize("status", ["issued", "completed", "canceled"])
def test_only_pending_plans_are_ordered(lake: Tables, worker: Worker, status: str) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("A", SUNDAY, status=status))
    assert worker.tick(at("Sun", 12)) == []


def test_an_order_of_a_shelf_without_a_profile_waits_for_it(lake: Tables, worker: Worker) -> None:
    worker.tick(SUNDAY)
    lake.keep(PLANS, plan("C", SUNDAY))
    worker.tick(at("Sun", 12))
    assert worker.tick(at("Mon", 8)) == []
    lake.keep(PROFILES, profile("C"))
    sent = worker.tick(at("Wed", 8))
    assert arrived(sent) == [("2026-03-02:C:1", 12)]


class Supplying(RuleBasedStateMachine):
    """Plans that come and go, any steps of time, restarts, and an engine that lags."""

    def __init__(self) -> None:
        super().__init__()
        self.lake, self.rules = Tables(), model.Supplier()
        self.worker = Worker("wh-supplier-manager", self.lake)
        self.now = SUNDAY

    @rule(
        hours=st.sampled_from((0, 3, 12, 24, 80)),
        extra=st.sampled_from((timedelta(0), timedelta(0), timedelta(minutes=30))),
    )
    def tick(self, hours: int, extra: timedelta) -> None:
        self.wait(hours, extra)
        sent = self.worker.tick(self.now)
        known = len(self.rules.lots)
        self.rules.tick(self.now)
        told = [tuple(lot[name] for name in LOT) for lot in of(sent, "wh_events")]
        new = [tuple(lot[name] for name in LOT) for lot in self.rules.lots[known:]]
        assert sorted(map(str, told)) == sorted(map(str, new))
        self._compare()

    @rule(hours=st.sampled_from((3, 24)), extra=st.just(timedelta(0)))
    def wait(self, hours: int, extra: timedelta) -> None:
        """Time in which no tick reaches the component."""
        self.now += timedelta(hours=hours) + (extra if hours else timedelta(0))

    def _compare(self) -> None:
        kept = {o["order_id"]: {n: o[n] for n in ORDER} for o in self.lake.kept[ORDERS]}
        assert kept == self.rules.orders
        received = sum(row["received_qty"] for row in self.lake.kept[RECEIPTS])
        assert received == sum(lot["quantity"] for lot in self.rules.lots)

    @rule(shelf=st.sampled_from("ABC"), quantity=st.integers(1, 30))
    def need(self, shelf: str, quantity: int) -> None:
        """A shelf has at most one pending plan, which follows the figures."""
        pending = [
            p
            for p in self.rules.plans.values()
            if p["shelf_id"] == shelf and p["status"] == "pending"
        ]
        new = plan(shelf, self.now, quantity)
        self._tell({**pending[0], "suggested_qty": quantity} if pending else new)

    @rule(data=st.data(), status=st.sampled_from(("issued", "canceled", "completed")))
    def engine(self, data: st.DataObject, status: str) -> None:
        pending = [p for p in self.rules.plans.values() if p["status"] == "pending"]
        if pending:
            self._tell({**data.draw(st.sampled_from(pending)), "status": status})

    def _tell(self, row: Row) -> None:
        if self.rules.plans.get(row["supplier_plan_id"], row)["status"] == "pending":
            self.rules.plans[row["supplier_plan_id"]] = row
            self.lake.keep(PLANS, row)

    @rule(shelf=st.sampled_from("ABC"), size=st.integers(1, 12), life=st.none() | st.integers(0, 9))
    def profile(self, shelf: str, size: int, life: int | None) -> None:
        self.rules.goods[shelf] = profile(shelf, size, life)
        self.lake.keep(PROFILES, self.rules.goods[shelf])

    @rule()
    def restart(self) -> None:
        self.worker.restart()


EXAMPLES = int(os.environ.get("LAKESHELF_TEST_EXAMPLES", "25"))
Supplying.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class TestSupplying(Supplying.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine."""
