"""Policies of unknown shelves, and commands that cannot be obeyed: refused, counted once, and never lost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.settings import Settings
from lakeshelf.streams import ledger, quarantine
from lakeshelf.streams.batch import BatchProcessor
from lakeshelf.streams.refusal import judge

from . import harness
from .bench import SHELF, START, Bench, lake, message, opened, planned, stocked
from .messages import framed
from .pipeline import Pipeline, record, send
from .rules import millis
from .strategies import event

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GHOST = "S1-I9"
ROOM = {"reorder_point_qty": 5, "batch_multiplier": 1, "near_expiry_days": 4, "active": True}
NEED = {"threshold_pct": 30.0, "min_qty": 1, "target_pct": 50.0, "near_expiry_days": 3}
ALERT, PLAN = f"refill_request:store:{SHELF}:{millis(START)}", f"restock:{SHELF}:{millis(START)}:0"
LOW = ("refill_request", "open")
Ask = tuple[str, str]


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root, ledger=True)


def ask(bench: Bench, *asks: Ask, actor: str = "ada") -> None:
    """Commands, of the coming batch."""
    for command, target in asks:
        told = {"command": command, "target_id": target, "actor": actor}
        bench.send("commands", event_type=command, **told)


def ghosts(bench: Bench, shelf: str = GHOST) -> None:
    """A policy of either kind, of the coming batch."""
    bench.tell("shelf_policies", shelf, **NEED, active=True)
    bench.tell("wh_policies", shelf, **ROOM)


def moved(bench: Bench, quantity: int) -> None:
    """A shelf whose count is corrected."""
    values = {"event_type": "adjustment", "quantity": quantity}
    bench.send("shelf_events", shelf_id=SHELF, item_id="I1", **values)


def details(bench: Bench) -> list[str]:
    """What refusals say, in the order of the commands."""
    return [detail for *_, detail in sorted(bench.refused(), key=lambda r: r[1].split("-")[-1])]


def counts(bench: Bench, topic: str) -> tuple[int, int, int, int]:
    """Rows in, valid, quarantined and duplicate of a topic, in all batches."""
    found = [row["topics"].get(topic, {}) for row in ledger.entries(bench.root)]
    names = ("rows_in", "valid", "quarantined", "duplicate")
    rows_in, *parts = (sum(row.get(name, 0) for row in found) for name in names)
    assert rows_in == sum(parts)
    return (rows_in, *parts)  # type: ignore[return-value]


@pytest.mark.slow
def test_a_policy_of_an_unknown_shelf_is_refused_and_takes_effect_with_the_profile(
    bench: Bench,
) -> None:
    ghosts(bench)
    ghosts(bench)
    ghosts(bench, "__GLOBAL__")
    bench.tell("shelf_policies", "S1-I8", deleted=True)
    bench.process()
    assert len(bench.refused()) == 4
    listed = quarantine.listed(bench.root, reason="unknown_shelf")
    assert {(row["topic"], row["key"], row["detail"]) for row in listed} == {
        (topic, GHOST, f"shelf {GHOST} has no profile")
        for topic in ("shelf_policies", "wh_policies")
    }
    assert counts(bench, "shelf_policies") == (4, 2, 2, 0)
    assert counts(bench, "wh_policies") == (3, 1, 2, 0)
    values = {"store_id": "S1", "item_id": "I9", "name": "tea", "max_stock": 10, "unit_price": 1}
    bench.tell("shelf_profiles", GHOST, **values, standard_batch_size=6)
    bench.tick(timedelta(0))
    bench.process()
    assert (planned(bench), planned(bench, "wh")) == ([("pending", 5)], [("pending", 6)])
    assert len(bench.refused()) == 4


@pytest.mark.slow
def test_a_shelf_whose_profile_comes_with_the_policy_is_known(bench: Bench) -> None:
    ghosts(bench, SHELF)
    stocked(bench, 2)
    assert bench.refused() == []
    bench.tell("shelf_profiles", SHELF, deleted=True)
    ghosts(bench, SHELF)
    bench.process()
    assert len(bench.refused()) == 2


@pytest.mark.slow
def test_before_everything_is_read_no_shelf_is_called_unknown(bench: Bench) -> None:
    """The profile may stand later in its topic than the policy in its own."""
    ghosts(bench)
    early, bench.coming = bench.coming, []
    bench.runner.ends = {"shelf_profiles": {"0": 1}}
    bench.runner.restart()
    bench.runner.run(0, early)
    assert bench.refused() == []
    ghosts(bench)
    late, bench.coming = bench.coming, []
    bench.runner.ends = {}
    bench.runner.restart()
    bench.runner.run(1, late)
    assert len(bench.refused()) == 2


def crash(*_: object, **__: object) -> None:
    raise harness.Crash


@pytest.mark.slow
@pytest.mark.parametrize("where", ["_object", "_quarantine", "_commit_ledger", None])
def test_a_crash_loses_and_doubles_no_refusal(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, where: str | None
) -> None:
    stocked(bench, 2)
    ghosts(bench)
    ask(bench, ("dismiss", ALERT), ("dismiss", ALERT), ("cancel", PLAN), ("cancel", "restock:x"))
    batch, bench.coming = bench.coming, []
    if where is None:
        bench.runner.run(1, batch)
    else:
        with monkeypatch.context() as patched:
            patched.setattr(BatchProcessor, where, crash)
            with pytest.raises(harness.Crash):
                bench.runner.run(1, batch)
    bench.shop.step(batch)
    for _ in range(2):
        bench.runner.again(1)
        bench.compare()
    assert counts(bench, "commands") == (4, 2, 2, 0)
    assert counts(bench, "shelf_policies") == (1, 0, 1, 0)


@pytest.mark.slow
def test_a_query_that_reads_its_topics_again_refuses_nothing_else(bench: Bench) -> None:
    """As after a rebuild: what was obeyed is closed by now, and what was refused stands in quarantine."""
    stocked(bench, 2)
    ghosts(bench)
    ask(bench, ("ack", ALERT), ("dismiss", ALERT), ("ack", ALERT), ("cancel", PLAN))
    bench.process()
    once = bench.refused()
    assert len(once) == 3
    bench.runner.as_new_query("another")
    bench.runner.again(0)
    assert bench.refused() == once
    bench.compare()


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


@pytest.mark.slow
def test_an_equal_version_with_other_content_leaves_the_good_policy(bench: Bench) -> None:
    good = message("shelf_policies", shelf_id="__GLOBAL__", version=1, **NEED, active=True)
    other = (good[0], {**good[1], "min_qty": 7})
    older = (good[0], {**good[1], "version": 0, "min_qty": 8})
    bench.runner.run(0, [good])
    bench.runner.run(1, [good, older, other])
    (row,) = harness.keyed(bench.root, "staging/shelf_policies").values()
    assert row["min_qty"] == NEED["min_qty"]
    assert [row[2] for row in bench.refused()] == ["conflicting_version"]
    assert counts(bench, "shelf_policies") == (4, 1, 1, 2)


@pytest.mark.parametrize(
    ("topic", "change", "reason"),
    [
        ("shelf_policies", {"threshold_pct": -0.5}, "impossible_value"),
        ("shelf_policies", {"threshold_pct": 100.5}, "impossible_value"),
        ("shelf_policies", {"target_pct": -1.0}, "impossible_value"),
        ("shelf_policies", {"target_pct": 101.0}, "impossible_value"),
        ("shelf_policies", {"min_qty": -1}, "impossible_value"),
        ("shelf_policies", {"near_expiry_days": -1}, "impossible_value"),
        ("wh_policies", {"reorder_point_qty": -1}, "impossible_value"),
        ("wh_policies", {"batch_multiplier": 0}, "impossible_value"),
        ("wh_policies", {"near_expiry_days": -1}, "impossible_value"),
        ("shelf_policies", {"producer": "shelf-alert-engine"}, "not_owner"),
        ("wh_policies", {"producer": None}, "not_owner"),
        ("shelf_policies", {}, None),
        ("wh_policies", {}, None),
    ],
)
def test_policies_that_cannot_be_are_refused(
    topic: str, change: dict[str, Any], reason: str | None
) -> None:
    contract = CATALOG.topics[topic]
    limits: dict[str, Any] = ROOM if topic == "wh_policies" else {**NEED, "active": True}
    values = {**limits, "version": 1, "updated_at": "2026-03-01T09:00:00Z"}
    values |= {name: value for name, value in change.items() if name in values}
    sent = framed(contract, orjson.dumps(values), values)
    row = {
        "topic": topic,
        "kafka_partition": 0,
        "kafka_offset": 3,
        "kafka_timestamp": START,
        "key": sent.key,
        "value": sent.value,
        "producer": change.get("producer", "publisher"),
        "header_version": 1,
    }
    judgement = judge(pa.Table.from_pylist([row]))
    assert [refused.reason for refused in judgement.refused] == ([reason] if reason else [])
    assert bool(judgement.valid) is (reason is None)


@pytest.mark.slow
@pytest.mark.parametrize("committer", ["driver", pytest.param("spark", marks=pytest.mark.nightly)])
def test_what_is_refused_is_told_as_it_came(
    settings: Settings, spark: SparkSession, client: dict[str, str], committer: str
) -> None:
    running = Pipeline(settings, spark, client, harness.deciding())
    told = {"command": "ack", "target_id": "door", "actor": "ada", "event_type": "ack"}
    ghost = message("wh_policies", shelf_id=GHOST, version=1, **ROOM)
    general = message("wh_policies", shelf_id="__GLOBAL__", version=1, **ROOM)
    refused = [record(*ghost), record("commands", event("commands", 1, START, **told))]
    send(client, [*refused, record(*general)])
    running.take(committer)
    running.again(committer)
    rows = harness.keyed(running.root, "raw/quarantine")
    found = {(topic, row["key"], row["value"]) for (topic, *_), row in rows.items()}
    assert found == {(sent.topic, sent.key, sent.value) for sent in refused}
    reasons = [
        orjson.loads(sent.value or b"")["reason"] for sent in running.published("quarantine")
    ]
    assert sorted(reasons) == ["refused_command"] * 2 + ["unknown_shelf"] * 2
    parts = {"valid": 1, "quarantined": 1, "duplicate": 0}
    assert running.counts("wh_policies") == {"rows_in": 2, **parts}
    assert running.counts("commands") == {"rows_in": 1, **parts, "valid": 0}
