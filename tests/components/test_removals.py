"""Expired lots and their alerts: the component decides what the rules in plain Python decide."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import date, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from . import model
from .bench import Row, Sent, of
from .removing import Shop

D = date(2026, 3, 3)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
BEGIN = model.begin(D)
YESTERDAY = D - DAY
COMMAND = {"event_type": "command", "event_time": BEGIN, "store_id": "S1", "schema_version": 1}


@pytest.fixture
def shop() -> Shop:
    return Shop(BEGIN - 2 * DAY)


def removed(sent: list[Sent]) -> list[tuple[str, str, int]]:
    """Type, lot and units of removals, in their order."""
    return [
        (e["event_type"], e["batch_code"], e["quantity"])
        for topic, e in sent
        if topic in ("shelf_events", "wh_events")
    ]


def alerts(sent: list[Sent]) -> list[tuple[str, str, int]]:
    """Lot, status and units of alerts that were told, in their order."""
    return [(a["batch_code"], a["status"], a["current_stock"]) for a in of(sent, "alerts")]


def ask(shop: Shop, command: str, target: str) -> list[Sent]:
    """A command of a person."""
    values = {**COMMAND, "command": command, "target_id": target, "actor": "ada"}
    return shop.worker.hear("commands", event_id=f"{command}-{target}", **values)


@pytest.mark.parametrize(
    ("expiry", "expired"),
    [
        pytest.param(YESTERDAY, True, id="expired yesterday"),
        pytest.param(D, False, id="expires today"),
        pytest.param(D + DAY, False, id="expires tomorrow"),
        pytest.param(None, False, id="keeps"),
    ],
)
def test_a_lot_leaves_on_the_day_after_its_last(
    shop: Shop, expiry: date | None, expired: bool
) -> None:
    shop.bring("A", "L1", expiry, there=3, room=2)
    shop.fold()
    sent = shop.tick(BEGIN)
    assert removed(sent) == ([("removal", "L1", 3), ("wh_removal", "L1", 2)] if expired else [])
    assert alerts(sent) == ([("L1", "open", 3), ("L1", "open", 2)] if expired else [])


def test_a_removal_tells_when_it_was_due_and_is_named_by_lot_shelf_and_day(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=3)
    shop.fold()
    (event,) = of(shop.tick(BEGIN + timedelta(hours=9)), "shelf_events")
    assert event["event_time"] == BEGIN
    assert event["event_id"] == f"{model.millis(BEGIN)}-removal-A-L1-{D}"
    assert (event["actor"], event["reason"]) == ("removal-scheduler", "expired")


def test_goods_that_came_after_the_day_began_are_removed_when_they_came(shop: Shop) -> None:
    shop.now = BEGIN + timedelta(hours=2)
    shop.bring("A", "L1", YESTERDAY, there=3)
    shop.fold()
    (event,) = of(shop.tick(BEGIN + timedelta(hours=9)), "shelf_events")
    assert event["event_time"] == BEGIN + timedelta(hours=2)


def test_no_more_is_removed_than_stands_on_the_shelf(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=5)
    shop.take("A", 3, paid=False)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == [("removal", "L1", 2)]


def test_what_customers_carry_is_of_the_lot_that_expires_first(shop: Shop) -> None:
    """They will pay for it: taken off the shelf in its stead, good units of another lot would be lost."""
    shop.bring("A", "L1", YESTERDAY, there=3)
    shop.bring("A", "L2", D + DAY, there=4)
    shop.take("A", 2, paid=False)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == [("removal", "L1", 1)]


def test_an_empty_shelf_gives_an_alert_and_no_removal(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=5)
    shop.take("A", 5, paid=False)
    shop.fold()
    sent = shop.tick(BEGIN)
    assert (removed(sent), alerts(sent)) == ([], [("L1", "open", 5)])


def test_units_on_the_way_are_not_removed_before_they_arrive(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=3, coming=4)
    shop.bring("A", "L2", None, there=9)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == [("removal", "L1", 3)]
    shop.arrive()
    shop.fold()
    assert removed(shop.tick(BEGIN + DAY)) == [("removal", "L1", 4)]


def test_units_on_the_way_do_not_hold_back_what_is_in_the_back_room(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, coming=4, room=6)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == [("wh_removal", "L1", 6)]


def test_lots_of_a_shelf_leave_in_the_order_of_expiry_and_code(shop: Shop) -> None:
    for code, days in (("L2", 1), ("L1", 1), ("L3", 2)):
        shop.bring("A", code, D - DAY * days, there=4)
    shop.take("A", 3, paid=False)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == [
        ("removal", "L3", 1),
        ("removal", "L1", 4),
        ("removal", "L2", 4),
    ]


def test_the_rest_of_a_lot_leaves_on_the_next_day(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=5)
    shop.take("A", 3, paid=False)
    shop.fold()
    shop.tick(BEGIN)
    shop.put_back("A", 3)
    shop.fold()
    assert removed(shop.tick(BEGIN + timedelta(hours=20))) == []
    assert removed(shop.tick(BEGIN + DAY)) == [("removal", "L1", 3)]


def test_a_removal_counts_before_state_has_it(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=5, room=2)
    shop.fold()
    assert len(removed(shop.tick(BEGIN))) == 2
    shop.worker.restart()
    assert removed(shop.tick(BEGIN + DAY)) == []
    shop.fold()
    assert removed(shop.tick(BEGIN + 2 * DAY)) == []


def test_a_removal_that_state_has_counts_once(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=9)
    shop.take("A", 4, paid=False)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == [("removal", "L1", 5)]
    shop.fold()
    assert alerts(shop.tick(BEGIN + MINUTE)) == [("L1", "open", 4)]
    shop.put_back("A", 4)
    shop.fold()
    assert removed(shop.tick(BEGIN + DAY)) == [("removal", "L1", 4)]


@pytest.mark.parametrize("state_first", [False, True])
def test_while_a_batch_is_half_committed_nothing_is_decided(shop: Shop, state_first: bool) -> None:
    shop.bring("A", "L1", YESTERDAY, there=9)
    shop.take("A", 4, paid=False)
    shop.fold()
    shop.tick(BEGIN)
    shop.put_back("A", 4)
    shop.fold(ledger=False, state=state_first)
    assert shop.tick(BEGIN + MINUTE) == shop.tick(BEGIN + DAY) == []
    shop.fold()
    assert removed(shop.tick(BEGIN + DAY + MINUTE)) == [("removal", "L1", 4)]


def test_a_day_that_rolls_twice_removes_once(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=3)
    shop.fold()
    assert len(removed(shop.tick(BEGIN))) == 1
    shop.worker.restart()
    shop.bring("A", "L2", YESTERDAY, there=3)
    shop.fold()
    assert removed(shop.tick(BEGIN)) == removed(shop.tick(BEGIN + MINUTE)) == []


def test_missed_days_are_made_good_by_one_removal(shop: Shop) -> None:
    shop.tick(BEGIN)
    shop.bring("A", "L1", D, there=3)
    shop.fold()
    assert removed(shop.tick(BEGIN + 3 * DAY)) == [("removal", "L1", 3)]


def test_an_alert_opens_once_and_is_resolved_when_its_lot_is_gone(shop: Shop) -> None:
    shop.bring("A", "L1", YESTERDAY, there=3, coming=2)
    shop.fold()
    assert alerts(shop.tick(BEGIN)) == [("L1", "open", 5)]
    shop.fold()
    assert alerts(shop.tick(BEGIN + MINUTE)) == [("L1", "open", 2)]
    assert alerts(shop.tick(BEGIN + 2 * MINUTE)) == []
    shop.arrive()
    shop.fold()
    assert alerts(shop.tick(BEGIN + DAY)) == []
    assert alerts(shop.tick(BEGIN + DAY + MINUTE)) == [("L1", "resolved", 0)]
    assert alerts(shop.tick(BEGIN + 2 * DAY)) == []


def opened(shop: Shop) -> str:
    """A lot with an alert that a removal does not end; the alert's id."""
    shop.bring("A", "L1", YESTERDAY, coming=2)
    shop.fold()
    (alert,) = of(shop.tick(BEGIN), "alerts")
    assert alert["event_id"] == f"{alert['alert_id']}:1"
    return str(alert["alert_id"])


def test_an_acknowledged_alert_counts_as_open(shop: Shop) -> None:
    target = opened(shop)
    (alert,) = of(ask(shop, "ack", target), "alerts")
    assert (alert["status"], alert["actor"], alert["version"]) == ("ack", "ada", 2)
    assert alerts(shop.tick(BEGIN + DAY)) == []
    shop.arrive()
    shop.fold()
    shop.tick(BEGIN + 2 * DAY)
    assert alerts(shop.tick(BEGIN + 2 * DAY + MINUTE)) == [("L1", "resolved", 0)]


def test_a_dismissed_lot_is_left_alone_until_it_was_gone_at_a_tick(shop: Shop) -> None:
    target = opened(shop)
    assert alerts(ask(shop, "dismiss", target)) == [("L1", "dismissed", 2)]
    shop.worker.restart()
    assert alerts(shop.tick(BEGIN + DAY)) == []
    shop.arrive()
    shop.fold()
    assert removed(shop.tick(BEGIN + 2 * DAY)) == [("removal", "L1", 2)]
    shop.fold()
    assert shop.tick(BEGIN + 2 * DAY + MINUTE) == []
    shop.bring("A", "L1", YESTERDAY, there=1)
    shop.fold()
    assert alerts(shop.tick(BEGIN + 3 * DAY)) == [("L1", "open", 1)]


@pytest.mark.parametrize("command", ["cancel", "maintain"])
def test_a_command_that_no_alert_knows_is_refused(shop: Shop, command: str) -> None:
    (refused,) = of(ask(shop, command, opened(shop)), "quarantine")
    assert (refused["topic"], refused["reason"]) == ("commands", "refused_command")


def test_a_command_on_a_closed_or_unknown_alert_is_refused(shop: Shop) -> None:
    target = opened(shop)
    ask(shop, "dismiss", target)
    assert [topic for topic, _ in ask(shop, "ack", target)] == ["quarantine"]
    assert [topic for topic, _ in ask(shop, "ack", f"{target}0")] == ["quarantine"]


def test_commands_on_what_others_own_are_theirs(shop: Shop) -> None:
    opened(shop)
    assert ask(shop, "ack", "refill_request:store:A:1") == []


def test_a_command_that_comes_before_the_first_tick_is_kept_for_it(shop: Shop) -> None:
    target = opened(shop)
    shop.worker.restart()
    assert ask(shop, "ack", target) == []
    assert alerts(shop.tick(BEGIN + MINUTE)) == [("L1", "ack", 2)]


def test_a_command_does_not_stand_for_the_removals_of_its_day(shop: Shop) -> None:
    target = opened(shop)
    shop.arrive()
    shop.fold()
    tomorrow = BEGIN + DAY
    assert shop.worker.tick(tomorrow, "supply") == []
    ask(shop, "ack", target)
    assert removed(shop.worker.tick(tomorrow, "removals")) == [("removal", "L1", 2)]


def _named(events: Iterable[Row]) -> set[tuple[str, datetime, int]]:
    return {(e["event_id"], e["event_time"], e["quantity"]) for e in events}


class Removing(RuleBasedStateMachine):
    """Goods that come, sell and expire; state that lags; persons; days; restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.shop, self.rules = Shop(BEGIN), model.Removals()
        self.told: dict[str, Row] = {}

    @rule(
        shelf=st.sampled_from("AB"),
        code=st.sampled_from(("L1", "L2", "L3")),
        days=st.none() | st.integers(-2, 2),
        units=st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 3)),
    )
    def bring(self, shelf: str, code: str, days: int | None, units: tuple[int, int, int]) -> None:
        on_shelf, room, coming = units
        expiry = None if days is None else self.shop.now.date() + DAY * days
        self.shop.bring(shelf, code, expiry, there=on_shelf, room=room, coming=coming)

    @rule(shelf=st.sampled_from("AB"), units=st.integers(1, 4), paid=st.booleans())
    def take(self, shelf: str, units: int, paid: bool) -> None:
        self.shop.take(shelf, units, paid=paid)

    @rule(shelf=st.sampled_from("AB"), code=st.sampled_from(("L1", "L2")), units=st.integers(-3, 3))
    def count(self, shelf: str, code: str, units: int) -> None:
        self.shop.count(shelf, code, units)

    @rule()
    def arrive(self) -> None:
        self.shop.arrive()

    @rule(state=st.booleans(), ledger=st.booleans())
    def fold(self, state: bool, ledger: bool) -> None:
        """A batch is committed, or half of it."""
        self.shop.fold(state=state or ledger, ledger=ledger)
        if state or ledger:
            self.rules.facts, self.rules.pending = self.shop.facts, self.shop.pending

    @rule(hours=st.sampled_from((0, 1, 24, 24, 50)), folded=st.sampled_from((True, True, False)))
    def tick(self, hours: int, folded: bool) -> None:
        if folded:
            self.fold(state=True, ledger=True)
        now = self.shop.now + timedelta(hours=hours)
        sent = self.shop.tick(now)
        expected = [] if self.shop.unsure else self.rules.tick(now)
        events = [*of(sent, "shelf_events"), *of(sent, "wh_events")]
        assert _named(events) == _named(expected)
        self._compare(sent)

    @rule(hours=st.sampled_from((1, 24)))
    def tick_of_another_phase(self, hours: int) -> None:
        self.shop.now += timedelta(hours=hours)
        assert self.shop.worker.tick(self.shop.now, "sales") == []

    @rule(data=st.data(), command=st.sampled_from(("ack", "dismiss", "cancel")))
    def command(self, data: st.DataObject, command: str) -> None:
        if not self.rules.alerts:
            return
        target = data.draw(st.sampled_from(sorted(self.rules.alerts)))
        obeyed = self.shop.worker.service.tick and self.rules.ask(command, target, "ada")
        sent = ask(self.shop, command, target)
        assert len(of(sent, "alerts")) == bool(obeyed)
        self._compare(sent)

    def _compare(self, sent: list[Sent]) -> None:
        self.told |= {alert["alert_id"]: alert for alert in of(sent, "alerts")}
        names = ("status", "current_stock", "expiry_date", "actor")
        found = {key: {n: row[n] for n in names} for key, row in self.told.items()}
        assert found == self.rules.alerts

    @rule()
    def restart(self) -> None:
        self.shop.worker.restart()
        self.tick(0, folded=False)

    @invariant()
    def no_unit_is_removed_twice(self) -> None:
        gone = [e for e in self.rules.own if e["event_type"] == "removal"]
        assert len({e["event_id"] for e in gone}) == len(gone)


EXAMPLES = int(os.environ.get("LAKESHELF_TEST_EXAMPLES", "25"))
Removing.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)


class TestRemoving(Removing.TestCase):  # type: ignore[name-defined,misc]
    """Runs the machine."""
