"""One suite for both committers: exactly once on real Kafka, Spark and Delta."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.follower import PartitionFollower
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.streams.declare.plan import QueryPlan, plan
from lakeshelf.streams.resume import checkpoint
from lakeshelf.streams.run.batch import BatchProcessor
from lakeshelf.streams.run.query import RunningQuery
from tests.streams import harness, model
from tests.streams.messages import Record
from tests.streams.pipeline import Pipeline, record, send
from tests.streams.strategies import TIMES, catalog_message, event, facts, receipt
from tests.support import eventually

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# The spark committer re-plans every query of a batch: minutes, so not in every run.
pytestmark = pytest.mark.slow

WH, CATALOGUE = "wh_events", "batch_catalog"
Make = Callable[[QueryPlan], Pipeline]
Known = list[tuple[str, dict[str, Any]]]


@pytest.fixture(params=["driver", "spark"])
def committer(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pipeline(settings: Settings, spark: SparkSession, client: dict[str, str]) -> Make:
    return lambda found: Pipeline(settings, spark, client, found)


def warehouse() -> QueryPlan:
    """Raw, a fold, a catalogue and a view: every kind of table, and few of them."""
    return plan(harness.jobs()[name] for name in ("wh-aggregator", "wh-batch-state-updater"))[0]


def aggregator() -> QueryPlan:
    """Raw and one fold."""
    return plan([harness.jobs()["wh-aggregator"]])[0]


def moved(number: int, kind: str = "wh_in", **values: Any) -> tuple[str, dict[str, Any]]:
    fields = {"event_type": kind, "shelf_id": "S1-I1", "item_id": "I1", "batch_code": "L1"}
    return WH, event(WH, number, TIMES[number % 5], **{**fields, "quantity": number, **values})


def described(code: str, version: int, **values: Any) -> tuple[str, dict[str, Any]]:
    return CATALOGUE, catalog_message(code, version, **values)


FIRST: Known = [
    moved(1),
    moved(2, shelf_id="S1-I2", batch_code="L2"),
    moved(9, "wh_out"),
    described("L1", 1, expiry_date=model.date(2017, 1, 9)),
]
MOVED = FIRST[:3]
SECOND: Known = [
    moved(3),
    moved(4, "wh_adjustment", quantity=-2, shelf_id="S1-I2", batch_code="L2"),
    described("L2", 1, expiry_date=model.date(2017, 1, 8)),
    described("L1", 2, deleted=True),
]


def wire(known: Known) -> list[Record]:
    return [record(topic, values) for topic, values in known]


def expected(found: QueryPlan, known: Known) -> dict[str, model.Rows]:
    return {
        name: rows
        for name, rows in model.tables(facts(list(known))).items()
        if name in found.tables
    }


def test_tables_equal_the_model_and_a_repeat_changes_nothing(
    pipeline: Make, committer: str
) -> None:
    running = pipeline(warehouse())
    for known in (FIRST, [*SECOND, *FIRST[:2]]):
        send(running.client, wire(known))
        running.take(committer)
    before, versions = running.everything(), delta_versions(running)
    running.again(committer)
    assert running.everything() == before
    assert delta_versions(running) == versions
    ids = {name: txn(running, name) for name in running.plan.tables}
    assert ids == dict.fromkeys(running.plan.tables, 1)
    assert running.state() == expected(running.plan, [*FIRST, *SECOND])
    assert running.counts(WH) == {"rows_in": 7, "valid": 5, "quarantined": 0, "duplicate": 2}
    assert tables.row_count(running.root, "raw/wh_events") == 5


def test_a_repeat_publishes_the_rows_of_the_table_again(pipeline: Make, committer: str) -> None:
    running = pipeline(aggregator())
    send(running.client, wire(MOVED))
    running.take(committer)
    once = running.published("wh_state")
    assert latest(once) == {
        r["shelf_id"]: r["balance"] for r in rows_of(running, "cleansed/wh_state")
    }
    running.again(committer)
    twice = running.published("wh_state")
    assert sorted(twice, key=str) == sorted([*once, *once], key=str)


def test_a_crash_before_publication_is_made_good_by_the_repeat(
    pipeline: Make, committer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = pipeline(aggregator())
    send(running.client, wire(MOVED))
    with monkeypatch.context() as patched:
        patched.setattr(BatchProcessor, "_tell", crash)
        with pytest.raises(Crash):
            running.take(committer)
    assert running.published("wh_state") == []
    running.again(committer)
    assert len(latest(running.published("wh_state"))) == 2
    assert running.state() == expected(running.plan, MOVED)
    assert running.counts(WH)["rows_in"] == 3


def test_records_that_cannot_be_fetched_are_handed_over_by_spark(
    pipeline: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> None:
        raise BrokerError("no record came")

    running = pipeline(aggregator())
    send(running.client, wire(MOVED))
    monkeypatch.setattr(PartitionFollower, "read", lost)
    running.take("driver")
    assert running.state() == expected(running.plan, MOVED)


@pytest.mark.parametrize("awaited", [True, False])
def test_a_crash_between_raw_and_the_tables_is_made_good_by_the_repeat(
    pipeline: Make,
    committer: str,
    awaited: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What somebody waits for stands before raw does, and other tables behind it."""
    running = pipeline(plan([replace(harness.jobs()["wh-aggregator"], awaited=awaited)])[0])
    send(running.client, wire([*MOVED, MOVED[0]]))
    second, crashing = ("_commit_raw", crash) if awaited else ("_update", crash_at_tables)
    with monkeypatch.context() as patched:
        patched.setattr(BatchProcessor, second, crashing)
        with pytest.raises(Crash):
            running.take(committer)
    running.again(committer)
    assert running.state() == expected(running.plan, MOVED)
    assert running.counts(WH) == {"rows_in": 4, "valid": 3, "quarantined": 0, "duplicate": 1}


def test_a_committer_that_forgets_what_is_committed_is_noticed(
    pipeline: Make, committer: str
) -> None:
    running = pipeline(aggregator())
    send(running.client, wire(MOVED))
    running.take(committer)
    assert running.state() == expected(running.plan, MOVED)
    running.again(f"forgetful {committer}")
    assert running.state() != expected(running.plan, MOVED)
    assert tables.row_count(running.root, "raw/wh_events") == 3, "raw asks what stands at a place"


@pytest.mark.parametrize("committer", ["driver", pytest.param("spark", marks=pytest.mark.nightly)])
def test_all_folding_jobs_in_one_query(pipeline: Make, committer: str) -> None:
    shelf = {"shelf_id": "S1-I1", "item_id": "I1"}
    known: Known = [
        ("shelf_events", event("shelf_events", 1, TIMES[0], event_type="restock", quantity=5,
                               reason="opening_balance", batch_code="L3", **shelf)),
        ("shelf_events", event("shelf_events", 2, TIMES[1], event_type="pickup", quantity=2, **shelf)),
        ("shelf_events", event("shelf_events", 3, TIMES[2], event_type="weight_change",
                               delta_weight=-1.5, **shelf)),
        moved(1, quantity=6),
        moved(2, "wh_out", quantity=4),
        ("pos_transactions", receipt(3, TIMES[3], [{"shelf_id": "S1-I1", "quantity": 11},
                                                   {"shelf_id": "S1-I1", "quantity": 1, "batch_code": "L3"}])),
        described("L3", 1, expiry_date=model.date(2017, 1, 3)),
    ]  # fmt: skip
    running = pipeline(harness.folding())
    send(running.client, wire(known[::2]))
    running.take(committer)
    send(running.client, wire([*known[1::2], known[0]]))
    running.take(committer)
    assert running.state() == expected(running.plan, known)
    unallotted = running.state()["cleansed/shelf_batch_state"]["S1-I1", model.UNALLOTTED]
    assert unallotted["balance"] == -3


def test_a_table_that_changes_its_committer_loses_and_doubles_nothing(pipeline: Make) -> None:
    running = pipeline(warehouse())
    known: Known = []
    parts = (FIRST, SECOND, [moved(6), moved(7)])
    for name, part in zip(("driver", "spark", "driver"), parts, strict=True):
        known += part
        send(running.client, wire([*part, known[0]]))
        running.take(name)
        before = running.everything()
        running.again("spark" if name == "driver" else "driver")
        assert running.everything() == before
    assert running.state() == expected(running.plan, known)
    assert running.counts(WH)["duplicate"] == 3


LOST = "lost_sales"


def lost(number: int, **values: Any) -> dict[str, Any]:
    fields = {"event_type": "lost_sale", "shelf_id": "S1", "item_id": "I1", "customer_id": "C1"}
    return event(LOST, number, TIMES[0], **{**fields, "quantity": 1, **values})


def spoiled() -> dict[str, list[Record]]:
    """Records by the reason for which they are refused, the first good one of a pair left out."""
    message, catalog = moved(20)[1], catalog_message("L9", 5)
    good = record(WH, message)
    assert good.value is not None

    def with_value(value: bytes | None) -> Record:
        return replace(good, value=value)

    def with_(**values: Any) -> Record:
        return with_value(json.dumps({**json.loads(good.value or b""), **values}).encode())

    return {
        "not_json": [
            with_value(b"{"),
            with_value(None),
            with_value(b"\xff\xfe"),
            with_value(good.value + b"x"),
        ],
        "not_object": [with_value(b"[1]"), with_value(b"null")],
        "missing_field": [with_(item_id=None), with_(item_id="")],
        "wrong_type": [with_(quantity="2"), with_(quantity=2.0), with_(shelf_id=5)],
        "unknown_event_type": [with_(event_type="wh_lost")],
        "bad_quantity": [with_(quantity=0), with_(quantity=10_000_001)],
        "bad_event_time": [with_(event_time="1999-12-31T23:59:59Z")],
        "impossible_value": [
            record(CATALOGUE, {**catalog_message("L8", 1), "standard_batch_size": 0})
        ],
        "not_owner": [
            replace(
                record(CATALOGUE, catalog), headers=(("version", b"6"), ("producer", b"someone"))
            )
        ],
        "conflicting_duplicate": [with_(event_id="twin", quantity=2)],
        "conflicting_version": [record(CATALOGUE, {**catalog, "standard_batch_size": 7})],
    }


def test_what_is_refused_stands_in_quarantine_with_its_reason(
    pipeline: Make, committer: str
) -> None:
    running = pipeline(warehouse())
    refused = spoiled()
    twin = record(WH, {**moved(20)[1], "event_id": "twin"})
    good = [twin, record(CATALOGUE, catalog_message("L9", 5))]
    stale = record(CATALOGUE, catalog_message("L9", 4))
    send(running.client, [*good, *(r for found in refused.values() for r in found), stale])
    running.take(committer)
    running.again(committer)
    rows = tables.open_table(running.root, "raw/quarantine").to_pyarrow_table().to_pylist()
    found = sorted((r["reason"], r["topic"], str(r["key"]), str(r["value"])) for r in rows)
    assert found == sorted(
        (reason, r.topic, str(r.key), str(r.value))
        for reason, many in refused.items()
        for r in many
    )
    assert {json.loads(r.value or b"")["reason"] for r in running.published("quarantine")} == set(
        refused
    )
    catalogue = ("impossible_value", "not_owner", "conflicting_version")
    bad = sum(len(many) for reason, many in refused.items() if reason not in catalogue)
    assert running.counts(WH) == {
        "rows_in": bad + 1,
        "valid": 1,
        "quarantined": bad,
        "duplicate": 0,
    }
    assert running.counts(CATALOGUE) == {"rows_in": 5, "valid": 1, "quarantined": 3, "duplicate": 1}
    assert [r["version"] for r in rows_of(running, "staging/lot_catalog_wh")] == [5]
    assert tables.row_count(running.root, "raw/wh_events") == 1


def test_a_batch_of_refused_records_alone_is_a_batch(pipeline: Make, committer: str) -> None:
    running = pipeline(aggregator())
    send(running.client, spoiled()["not_json"])
    running.take(committer)
    assert running.counts(WH) == {"rows_in": 4, "valid": 0, "quarantined": 4, "duplicate": 0}
    assert running.state() == expected(running.plan, [])


def test_a_query_goes_on_where_another_committer_stopped(
    pipeline: Make, committer: str, settings: Settings, spark: SparkSession
) -> None:
    """Real triggers: one table is the other committer's, then all tables change theirs."""
    other = "spark" if committer == "driver" else "driver"
    running = pipeline(warehouse())
    starting = {topic.name: running.begun[topic.name] for topic in running.plan.topics}
    checkpoint.begin(settings.checkpoint_dir, running.plan.name, starting)
    runs = (
        {
            "committer": committer,
            "table_committers": {"cleansed/wh_state": other, "raw/wh_events": other},
        },
        {"committer": other},
    )
    known: Known = []
    for change, part in zip(runs, (FIRST, SECOND), strict=True):
        known += part
        send(running.client, wire([*part, known[0]]))
        run_query(
            RunningQuery(running.plan, settings.model_copy(update=change), spark, running.client),
            running,
        )
    assert running.state() == expected(running.plan, known)
    assert running.counts(WH) == {"rows_in": 7, "valid": 5, "quarantined": 0, "duplicate": 2}
    query_id = checkpoint.current(settings.checkpoint_dir, running.plan.name).identity()
    assert txn(running, "cleansed/wh_state", query_id) is not None


def run_query(query: RunningQuery, running: Pipeline) -> None:
    """Run a query until it has folded everything, then stop it."""

    def folded() -> bool:
        query.tend()
        assert not query.progress.error, query.progress.error
        ends = {name: end for name, end in running.ends().items() if name in reads}
        return query.progress.offsets == ends

    reads = {topic.name for topic in running.plan.topics}
    eventually(folded, f"{running.plan.name} folds everything")
    query.stop()
    assert query.progress.state == "stopped"


def txn(running: Pipeline, table: str, app_id: str = "") -> int | None:
    """Batch id in the table's `txn` action."""
    handle = tables.open_table(running.root, table)
    version: int | None = handle.transaction_version(f"{app_id or running.app_id}:{table}")
    return version


def delta_versions(running: Pipeline) -> dict[str, int]:
    return {name: tables.open_table(running.root, name).version() for name in running.plan.tables}


def rows_of(running: Pipeline, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (
        tables.open_table(running.root, name).to_pyarrow_table().to_pylist()
    )
    return rows


def latest(found: list[Record]) -> dict[str, int]:
    """Balance by shelf of the messages with the highest version."""
    values = sorted((json.loads(r.value or b"{}") for r in found), key=lambda v: v["version"])
    assert all(r.valid for r in found), "an own message is not valid"
    return {value["shelf_id"]: value["balance"] for value in values}


class Crash(Exception):
    """A process that ends here."""


def crash(*_: object) -> None:
    raise Crash


def crash_at_tables(*steps: Any) -> None:
    if steps[-1]:
        raise Crash
