"""Levels that cannot be are refused, and leave the level that was there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.streams.take.refusal import judge

from . import harness
from .bench import SHELF, START, Bench, lake, level, stocked
from .messages import framed
from .refusing import ROOM, counts

TOPIC = CATALOG.topics["order_levels"]
LEVEL: dict[str, Any] = {
    "store_id": "S1",
    "item_id": "I1",
    "level_qty": 30,
    "feature_date": "2026-03-01",
    "valid_until": "2026-03-04T00:00:00Z",
    "model_name": "M",
    "model_version": "V1",
    "version": 1,
    "updated_at": "2026-03-01T09:00:00Z",
}


@pytest.mark.parametrize(
    ("change", "producer", "reason"),
    [
        ({}, "inference-service", None),
        ({}, "wh-alert-engine", "not_owner"),
        ({}, "publisher", "not_owner"),
        ({}, None, "not_owner"),
        ({"level_qty": -1}, "inference-service", "impossible_value"),
        ({"lot_level_qty": -1}, "inference-service", "impossible_value"),
        ({"level_qty": 2.5}, "inference-service", "wrong_type"),
        ({"service_level": 0.999}, "inference-service", "impossible_value"),
        ({"valid_until": "2026-03-09T00:00:00Z"}, "inference-service", None),
        ({"valid_until": "2026-03-09T00:00:01Z"}, "inference-service", "impossible_value"),
        ({"valid_until": "2026-02-28T23:59:59Z"}, "inference-service", "impossible_value"),
        ({"model_version": None}, "inference-service", "missing_field"),
    ],
)
def test_levels_that_cannot_be_are_refused(
    change: dict[str, Any], producer: str | None, reason: str | None
) -> None:
    values = {**LEVEL, **change}
    sent = framed(TOPIC, orjson.dumps(values), {**values, "shelf_id": SHELF})
    row = {
        "topic": TOPIC.name,
        "kafka_partition": 0,
        "kafka_offset": 3,
        "kafka_timestamp": START,
        "key": sent.key,
        "value": sent.value,
        "producer": producer,
        "header_version": "1",
    }
    judgement = judge(pa.Table.from_pylist([row]))
    assert [refused.reason for refused in judgement.refused] == ([reason] if reason else [])
    assert bool(judgement.valid) is (reason is None)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with lake() as root:
        yield Bench(root, ledger=True)


@pytest.mark.slow
def test_an_older_level_changes_nothing_and_another_one_of_the_same_day_is_refused(
    bench: Bench,
) -> None:
    stocked(bench, 5)
    bench.tell("wh_policies", SHELF, **ROOM, plan_source="ml")
    level(bench, 30)
    level(bench, 24)
    bench.process()
    bench.versions[f"order_levels{SHELF}"] = 0
    level(bench, 99)  # version 1, again
    level(bench, 24)  # version 2, again
    batch, bench.coming = bench.coming, []
    bench.runner.run(bench.batches, batch)
    bench.batches += 1
    bench.compare()
    assert counts(bench, "order_levels") == (4, 2, 0, 2)
    bench.versions[f"order_levels{SHELF}"] = 1
    level(bench, 99)
    batch, bench.coming = bench.coming, []
    bench.runner.run(bench.batches, batch)
    assert [row[2] for row in bench.refused()] == ["conflicting_version"]
    (held,) = harness.keyed(bench.root, "staging/order_levels").values()
    assert (held["level_qty"], held["version"]) == (24, 2)
