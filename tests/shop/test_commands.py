"""What people ask of alerts and plans: obeyed, or refused with the reason, and counted once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.streams import harness
from tests.streams.bench import SHELF, START, Bench, lake, opened, planned, stocked
from tests.streams.refusing import ALERT, LOW, PLAN, ROOM, Ask, ask, counts, details, moved


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root, ledger=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asks", "refused", "left"),
    [
        pytest.param([("ack", ALERT)], [], "ack", id="ack of an open one"),
        pytest.param([("ack", ALERT)] * 2, [], "ack", id="ack counts as open"),
        pytest.param([("dismiss", ALERT)], [], "dismissed", id="dismiss"),
        pytest.param([("ack", ALERT), ("dismiss", ALERT)], [], "dismissed", id="the stronger"),
        pytest.param(
            [("dismiss", ALERT)] * 2,
            [f"alert {ALERT} is dismissed"],
            "dismissed",
            id="the same ask again",
        ),
        pytest.param(
            [("dismiss", ALERT), ("ack", ALERT)],
            [f"alert {ALERT} is dismissed"],
            "dismissed",
            id="the weaker comes too late",
        ),
        pytest.param(
            [("cancel", ALERT)], [f"alert {ALERT} does not know cancel"], "open", id="no plan"
        ),
        pytest.param([("open", ALERT)], ["there is no command open"], "open", id="no such word"),
        pytest.param([("maintain", "raw/shelf_events")], [], "open", id="not for an engine"),
        pytest.param(
            [("dismiss", f"expired_removal:store:{SHELF}:L1:5")], [], "open", id="not of an engine"
        ),
        pytest.param(
            [("dismiss", f"expired-removal:store:{SHELF}:L1:5")],
            [f"no alert or plan is called expired-removal:store:{SHELF}:L1:5"],
            "open",
            id="almost not of an engine",
        ),
        pytest.param(
            [("ack", "door")], ["no alert or plan is called door"], "open", id="about nothing"
        ),
        pytest.param(
            [("ack", f"near_expiry:warehouse:{SHELF}:L9:5")],
            [f"no alert or plan is called near_expiry:warehouse:{SHELF}:L9:5"],
            "open",
            id="of the other engine, unknown",
        ),
    ],
)
@pytest.mark.parametrize("together", [True, False], ids=["one batch", "a batch each"])
def test_what_is_asked_of_an_alert(
    bench: Bench, asks: list[Ask], refused: list[str], left: str, together: bool
) -> None:
    stocked(bench, 2)
    for one in asks:
        ask(bench, one)
        if not together:
            bench.process()
    if together:
        bench.process()
    assert (opened(bench), details(bench)) == ({("refill_request", left)}, refused)
    assert counts(bench, "commands")[2] == len(refused)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asks", "refused", "left"),
    [
        pytest.param(["cancel"], [], "canceled", id="cancel"),
        pytest.param(["cancel"] * 2, [f"plan {PLAN} is canceled"], "canceled", id="twice"),
        pytest.param(["ack"], [f"plan {PLAN} does not know ack"], "pending", id="no alert"),
    ],
)
def test_what_is_asked_of_a_plan(
    bench: Bench, asks: list[str], refused: list[str], left: str
) -> None:
    stocked(bench, 2)
    ask(bench, *((command, PLAN) for command in asks))
    bench.process()
    assert (planned(bench), details(bench)) == ([(left, 6)], refused)


@pytest.mark.slow
@pytest.mark.parametrize("together", [True, False], ids=["with its wh_out", "after it"])
def test_only_a_pending_plan_can_be_canceled(bench: Bench, together: bool) -> None:
    stocked(bench, 2, back_room=20)
    bench.tick(timedelta(minutes=2))
    bench.process()
    if not together:
        bench.process()
    ask(bench, ("cancel", PLAN))
    bench.process()
    assert (planned(bench), details(bench)) == ([("issued", 6)], [f"plan {PLAN} is issued"])


@pytest.mark.slow
def test_a_supplier_plan_that_was_ordered_cannot_be_canceled(bench: Bench) -> None:
    stocked(bench, 9, back_room=3)
    bench.tell("wh_policies", SHELF, **ROOM)
    bench.process()
    (plan,) = bench.shop.plans["wh"]
    order = {"supplier_plan_id": plan, "shelf_id": SHELF, "store_id": "S1", "total_qty": 6}
    dates = {"delivery_date": START.date(), "cutoff_ts": START, "created_at": START}
    bench.tell("wh_supplier_orders", "O1", status="issued", **order, **dates)
    ask(bench, ("cancel", plan))
    bench.process()
    assert (planned(bench, "wh"), details(bench)) == ([("issued", 6)], [f"plan {plan} is issued"])


@pytest.mark.slow
def test_what_was_refused_has_no_effect_when_the_alert_opens_again_as_itself(bench: Bench) -> None:
    stocked(bench, 2)
    ask(bench, ("ack", ALERT))
    moved(bench, 5)
    bench.process()
    assert (opened(bench), details(bench)) == ({("refill_request", "resolved")}, [])
    ask(bench, ("dismiss", ALERT))
    bench.process()
    moved(bench, -5)
    bench.process()
    moved(bench, -1)
    bench.process()
    assert (opened(bench), details(bench)) == ({LOW}, [f"alert {ALERT} is resolved"])


@pytest.mark.slow
def test_a_command_that_comes_with_its_target_is_obeyed(bench: Bench) -> None:
    ask(bench, ("dismiss", ALERT), ("cancel", PLAN), actor="bob")
    stocked(bench, 2)
    assert bench.refused() == []
    assert opened(bench) == {("refill_request", "dismissed")}
    assert planned(bench) == [("canceled", 6)]


@pytest.mark.slow
def test_a_command_before_its_target_is_refused_and_kept(bench: Bench) -> None:
    ask(bench, ("ack", ALERT))
    bench.process()
    assert details(bench) == [f"no alert or plan is called {ALERT}"]
    stocked(bench, 2)
    assert opened(bench) == {("refill_request", "ack")}


@pytest.mark.slow
def test_commands_that_come_before_anything_may_be_decided_are_judged_alike(bench: Bench) -> None:
    stocked(bench, 2)
    bench.runner.ends = {"clock": {"0": 3}}
    bench.runner.restart()
    unknown = ("dismiss", f"{ALERT}9")
    for number, one in enumerate((("dismiss", ALERT), ("dismiss", ALERT), unknown), start=1):
        ask(bench, one)
        batch, bench.coming = bench.coming, []
        bench.runner.run(number, batch)
    assert details(bench) == [f"alert {ALERT} is dismissed"]
    for number in (4, 5):
        bench.tick(timedelta(minutes=1))
        batch, bench.coming = bench.coming, []
        bench.runner.run(number, batch)
    status = {row["status"] for row in harness.keyed(bench.root, "ops/shelf_alerts").values()}
    assert status == {"dismissed"}
    assert details(bench) == [f"alert {ALERT} is dismissed"]


@pytest.mark.slow
def test_a_refused_command_that_is_corrected_and_sent_back_is_judged_anew(bench: Bench) -> None:
    stocked(bench, 2)
    ask(bench, ("dismiss", "door"))
    (sent,) = bench.coming
    bench.process()
    for target in (ALERT, PLAN):
        again = (sent[0], {**sent[1], "target_id": target})
        bench.runner.run(bench.batches, [again])
    status = {row["status"] for row in harness.keyed(bench.root, "ops/shelf_alerts").values()}
    assert status == {"dismissed"}, "it counts once: what follows under its id says nothing new"
    assert details(bench) == ["no alert or plan is called door"]
