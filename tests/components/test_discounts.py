"""Discounts of the day: the component decides what the rules in plain Python decide."""

from __future__ import annotations

import os
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from lakeshelf.contracts.types import LIST_LENGTH

from . import model
from .bench import Row, Sent, Tables, Worker, module, of

D = date(2026, 3, 3)
DAY = timedelta(days=1)
LOTS, DISCOUNTS = "cleansed/shelf_batch_state", "analytics/daily_discounts"
EXTRAS = (Decimal("0.3"), Decimal("0.4"), Decimal("0.5"))
FRACTIONS = st.integers(0, 7500).map(lambda n: Decimal(n).scaleb(-4))


def extra(shelf: str, day: date = D) -> Decimal:
    """The extra of a shelf, as the component chooses it."""
    chosen: Decimal = module("daily-discount-manager").extra(shelf, day)
    return chosen


def lot(shelf: str, code: str, expiry: date | None, units: int = 3) -> Row:
    """Units of a lot that are in a store."""
    stock = {"balance": units, "batch_quantity_store": max(units, 0)}
    return {"shelf_id": shelf, "batch_code": code, "expiry_date": expiry, **stock}


def given_before(discount: str, *codes: str) -> Row:
    """The discount of shelf A on the day before."""
    return {
        "shelf_id": "A",
        "discount_date": D - DAY,
        "discount": Decimal(discount),
        "batch_codes": list(codes),
        "version": 1,
    }


@pytest.fixture
def lake() -> Tables:
    return Tables()


@pytest.fixture
def worker(lake: Tables) -> Worker:
    return Worker("daily-discount-manager", lake)


def told(sent: list[Sent]) -> dict[str, tuple[Decimal, list[str]]]:
    """Shelf → discount and the lots that caused it."""
    rows = of(sent, "daily_discounts")
    return {row["shelf_id"]: (row["discount"], row["batch_codes"]) for row in rows}


def test_an_extra_is_30_40_or_50_percent_and_stays_what_it_is() -> None:
    found = {
        (f"S{n}", D + DAY * d): extra(f"S{n}", D + DAY * d) for n in range(40) for d in range(5)
    }
    assert set(found.values()) == set(EXTRAS)
    assert found == {key: extra(*key) for key in found}
    assert [str(extra(f"S1-I{n}").normalize()) for n in range(4)] == ["0.3", "0.3", "0.4", "0.5"]


@pytest.mark.parametrize(
    ("days", "discounted"),
    [
        pytest.param(-1, False, id="D-1"),
        pytest.param(0, True, id="D"),
        pytest.param(1, True, id="D+1"),
        pytest.param(2, False, id="D+2"),
        pytest.param(None, False, id="never"),
    ],
)
def test_lots_that_expire_today_or_tomorrow_give_a_discount(
    lake: Tables, worker: Worker, days: int | None, discounted: bool
) -> None:
    lake.keep(LOTS, lot("A", "L1", None if days is None else D + DAY * days))
    found = told(worker.tick(model.begin(D)))
    assert found == ({"A": (extra("A"), ["L1"])} if discounted else {})


def test_a_lot_without_units_gives_none(lake: Tables, worker: Worker) -> None:
    lake.keep(LOTS, lot("A", "L1", D, 0), lot("B", "L2", D, -2))
    assert told(worker.tick(model.begin(D))) == {}


def test_a_row_names_the_lots_that_caused_it(lake: Tables, worker: Worker) -> None:
    lake.keep(LOTS, lot("A", "L3", D + DAY), lot("A", "L1", D), lot("A", "L2", D + 2 * DAY))
    (row,) = of(worker.tick(model.begin(D) + timedelta(hours=7)), "daily_discounts")
    assert row["batch_codes"] == ["L1", "L3"]
    assert (row["discount_date"], row["created_at"]) == (D, model.begin(D))


def test_a_row_names_no_more_lots_than_a_message_holds(lake: Tables, worker: Worker) -> None:
    today = [lot("A", f"A{n:03d}", D) for n in range(LIST_LENGTH)]
    lake.keep(LOTS, *today, lot("A", "Z", D + DAY), lot("A", "Y", D + DAY))
    (row,) = of(worker.tick(model.begin(D)), "daily_discounts")
    assert row["batch_codes"] == [*(f"A{n:03d}" for n in range(LIST_LENGTH - 2)), "Y", "Z"]


@pytest.mark.parametrize(
    ("existing", "lots", "carried"),
    [
        pytest.param(["L1"], [lot("A", "L1", D)], True, id="its lot has units"),
        pytest.param(
            ["L1"], [lot("A", "L1", D, 0), lot("A", "L2", D)], False, id="its lot is sold"
        ),
        pytest.param(
            ["L0"], [lot("A", "L0", D - DAY), lot("A", "L2", D)], False, id="its lot has expired"
        ),
        pytest.param(
            ["L0", "L1"],
            [lot("A", "L0", D - DAY), lot("A", "L1", D, 1)],
            True,
            id="one of its lots has units",
        ),
        pytest.param(
            ["L3"],
            [lot("A", "L3", D + 9 * DAY), lot("A", "L2", D)],
            True,
            id="its lot lasts longer",
        ),
        pytest.param(
            ["L1"], [lot("B", "L1", D), lot("A", "L2", D)], False, id="its lot is elsewhere"
        ),
        pytest.param([], [lot("A", "L1", D)], False, id="it names none"),
    ],
)
def test_an_existing_discount_counts_while_one_of_its_lots_has_units(
    lake: Tables, worker: Worker, existing: list[str], lots: list[Row], carried: bool
) -> None:
    lake.keep(DISCOUNTS, given_before("0.2", *existing))
    lake.keep(LOTS, *lots)
    expected = 1 - (1 - Decimal("0.2")) * (1 - extra("A")) if carried else extra("A")
    assert told(worker.tick(model.begin(D)))["A"][0] == expected


def test_an_older_discount_does_not_count(lake: Tables, worker: Worker) -> None:
    lake.keep(DISCOUNTS, {**given_before("0.2", "L1"), "discount_date": D - 2 * DAY})
    lake.keep(LOTS, lot("A", "L1", D))
    assert told(worker.tick(model.begin(D)))["A"][0] == extra("A")


@pytest.mark.parametrize(
    ("existing", "more", "both"),
    [
        ("0", "0.3", "0.3000"),
        ("0.3", "0.3", "0.5100"),
        ("0.51", "0.3", "0.6570"),
        ("0.5", "0.5", "0.7500"),
        ("0.65", "0.4", "0.7500"),
        ("0.75", "0.3", "0.7500"),
        ("0.1235", "0.3", "0.3865"),
        ("0.1236", "0.3", "0.3865"),
        ("0.1237", "0.3", "0.3866"),
    ],
)
def test_discounts_follow_one_another_up_to_75_percent(existing: str, more: str, both: str) -> None:
    combined = module("daily-discount-manager").combined(Decimal(existing), Decimal(more))
    assert str(combined) == both


def test_a_day_is_discounted_once(lake: Tables, worker: Worker) -> None:
    lake.keep(LOTS, lot("A", "L1", D + DAY))
    first = worker.tick(model.begin(D))
    rows = list(lake.kept[DISCOUNTS])
    lake.keep(LOTS, lot("B", "L2", D))
    for _ in range(2):
        assert worker.tick(model.begin(D) + timedelta(hours=9)) == []
        worker.restart()
    assert told(first).keys() == {"A"}
    assert lake.kept[DISCOUNTS] == rows


def test_another_component_would_decide_the_same(lake: Tables, worker: Worker) -> None:
    lake.keep(DISCOUNTS, given_before("0.3", "L1"))
    lake.keep(LOTS, lot("A", "L1", D + DAY), lot("B", "L2", D))
    worker.tick(model.begin(D))
    rows = list(lake.kept[DISCOUNTS])
    Worker("daily-discount-manager", lake).tick(model.begin(D) + timedelta(hours=9))
    assert lake.kept[DISCOUNTS] == rows


def test_missed_days_follow_one_another(lake: Tables, worker: Worker) -> None:
    worker.tick(model.begin(D))
    lake.keep(LOTS, lot("A", "L1", D + 3 * DAY))
    rows = of(worker.tick(model.begin(D + 3 * DAY)), "daily_discounts")
    second = model.discount(extra("A", D + 2 * DAY), extra("A", D + 3 * DAY))
    assert [(row["discount_date"], row["discount"]) for row in rows] == [
        (D + 2 * DAY, extra("A", D + 2 * DAY)),
        (D + 3 * DAY, second),
    ]


@given(existing=FRACTIONS, more=st.sampled_from(EXTRAS))
def test_two_discounts_are_rounded_to_four_places(existing: Decimal, more: Decimal) -> None:
    combined = module("daily-discount-manager").combined(existing, more)
    assert combined == model.discount(existing, more)
    assert max(existing, more) - Decimal("0.0001") <= combined <= Decimal("0.75")


class Discounting(RuleBasedStateMachine):
    """Lots that come, sell and expire; days that roll or are missed; restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.lake = Tables()
        self.worker = Worker("daily-discount-manager", self.lake)
        self.now = model.begin(D)
        self.rows: dict[date, dict[str, Row]] = {}

    @rule(
        shelf=st.sampled_from("AB"),
        code=st.sampled_from(("L1", "L2", "L3")),
        days=st.sampled_from((None, -1, 0, 1, 1, 2, 3)),
        units=st.integers(0, 2),
    )
    def move(self, shelf: str, code: str, days: int | None, units: int) -> None:
        expiry = None if days is None else self.now.date() + DAY * days
        self.lake.keep(LOTS, lot(shelf, code, expiry, units))

    @rule(hours=st.sampled_from((0, 24, 24, 24, 60)))
    def tick(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.worker.tick(self.now)
        first = max(self.rows) + DAY if self.rows else self.now.date()
        for n in range((self.now.date() - first).days + 1):
            self.rows[first + DAY * n] = self._expected(first + DAY * n)
        kept = {(r["discount_date"], r["shelf_id"]): r for r in self.lake.kept[DISCOUNTS]}
        found = {key: (row["discount"], row["batch_codes"]) for key, row in kept.items()}
        expected: dict[tuple[date, str], Any] = {
            (day, shelf): (row["discount"], row["batch_codes"])
            for day, rows in self.rows.items()
            for shelf, row in rows.items()
        }
        assert found == expected

    def _expected(self, day: date) -> dict[str, Row]:
        lots = [{**row, "units": row["batch_quantity_store"]} for row in self.lake.kept[LOTS]]
        extras = {shelf: extra(shelf, day) for shelf in "AB"}
        found = model.discounts(day, lots, self.rows.get(day - DAY, {}), extras)
        return {s: {"discount": d, "batch_codes": codes} for s, (d, codes) in found.items()}

    @rule()
    def restart(self) -> None:
        self.worker.restart()


EXAMPLES = int(os.environ.get("LAKESHELF_TEST_EXAMPLES", "25"))
Discounting.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class TestDiscounting(Discounting.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine."""
