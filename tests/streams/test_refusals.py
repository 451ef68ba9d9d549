"""What is refused is counted once and never lost; policies of unknown shelves take effect with the profile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
from confluent_kafka import Message

from lakeshelf.contracts import CATALOG
from lakeshelf.settings import Settings
from lakeshelf.streams.recover import quarantine
from lakeshelf.streams.run.batch import BatchProcessor
from lakeshelf.streams.take.refusal import accepted, judge

from . import harness
from .bench import SHELF, START, Bench, lake, message, planned, stocked
from .messages import framed
from .pipeline import Pipeline, record, send
from .refusing import ALERT, GHOST, NEED, PLAN, ROOM, ask, counts, ghosts
from .strategies import event

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root, ledger=True)


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
@pytest.mark.parametrize("where", ["_object", "_quarantine", "_enter", None])
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
        ("shelf_policies", {"header_version": "2"}, "impossible_value"),
        ("wh_policies", {"header_version": "01"}, "impossible_value"),
        ("wh_policies", {"header_version": "one"}, "impossible_value"),
        ("shelf_policies", {"header_version": None}, None),
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
        "header_version": change.get("header_version", "1"),
    }
    judgement = judge(pa.Table.from_pylist([row]))
    assert [refused.reason for refused in judgement.refused] == ([reason] if reason else [])
    assert bool(judgement.valid) is (reason is None)


@pytest.mark.parametrize(
    ("key", "headers", "version"),
    [
        (b"S1", (("producer", b"publisher"), ("version", b"4")), 4),
        (b"S1", (("producer", b"publisher"),), None),
        (b"S1", (("producer", b"publisher"), ("version", b"four")), None),
        (b"S1", (("producer", b"somebody"), ("version", b"4")), None),
        (b"\xff", (("producer", b"publisher"), ("version", b"4")), None),
        (None, (("producer", b"publisher"), ("version", b"4")), None),
        (b"S1", (), None),
    ],
)
def test_a_consumer_takes_what_the_jobs_take(
    key: bytes | None, headers: tuple[tuple[str, bytes], ...], version: int | None
) -> None:
    tombstone = Message(topic="shelf_policies", partition=0, offset=3, key=key, headers=[*headers])
    row = accepted(tombstone)
    assert (row and (row["shelf_id"], row["version"], row["deleted"])) == (
        None if version is None else ("S1", version, True)
    )


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
