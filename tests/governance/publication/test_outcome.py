"""A merged row is published, then in force once every job that follows the topic holds it, or refused by one."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Ops, Raw, Staging
from lakeshelf.contracts.messages import encode
from lakeshelf.governance.publication.outcome import KeyOutcome, counted, outcomes
from lakeshelf.lake.form.commits import Write
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import merging, writing

NOW = datetime(2026, 3, 1, 9, tzinfo=UTC)
DATASET, MERGE = "retail/batch_catalog", 7
LOT = {"item_id": "i1", "expiry_date": None, "standard_batch_size": 5}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for name in (
        Ops.PUBLICATIONS,
        Raw.QUARANTINE,
        Staging.LOT_CATALOG_STORE,
        Staging.LOT_CATALOG_WH,
    ):
        tables.ensure(tmp_path, CATALOG.tables[name])
    return Root.at(tmp_path)


def put(root: Root, name: str, *rows: dict[str, Any]) -> None:
    schema = arrow.schema(CATALOG.tables[name].columns)
    table = pa.Table.from_pylist(list(rows), schema)
    writing.append(tables.open_table(root, name), name, table, Write())


def sent(root: Root, key: str, delta_version: int, topic_id: str = "T1") -> None:
    stamps = {"delta_version": delta_version, "version": delta_version, "published_at": NOW}
    told = {"dataset": DATASET, "topic": "batch_catalog", "topic_id": topic_id, "deleted": False}
    put(root, Ops.PUBLICATIONS, {**told, **stamps, "key": key})


def held(root: Root, name: str, key: str, version: int) -> None:
    contract = CATALOG.tables[name]
    row = {"batch_code": key, **LOT, "version": version, "deleted": False, "updated_at": NOW}
    rows = pa.Table.from_pylist([row], arrow.schema(contract.columns))
    merging.upsert(tables.open_table(root, name), name, rows, contract.key, Write())


def quarantined(root: Root, key: str, version: int) -> None:
    value = encode(CATALOG.topics["batch_catalog"], {**LOT, "version": version, "updated_at": NOW})
    place = {"topic": "batch_catalog", "partition": 0, "offset": version, "kafka_timestamp": NOW}
    why = {"reason": "impossible_value", "detail": "too many", "ingested_at": NOW}
    put(root, Raw.QUARANTINE, {**place, "key": key.encode(), "value": value, **why})


def state(root: Root, key: str = "b1") -> KeyOutcome:
    (found,) = outcomes(root, DATASET, "batch_catalog", "T1", MERGE, [key])
    return found


def test_a_row_is_merged_until_it_is_sent(root: Root) -> None:
    assert state(root) == KeyOutcome("b1", "merged")
    sent(root, "b1", MERGE - 1)
    sent(root, "b1", MERGE, topic_id="T0")
    assert state(root) == KeyOutcome("b1", "merged"), "an earlier row, and one of another topic"
    sent(root, "b1", MERGE + 1)
    assert state(root) == KeyOutcome("b1", "published", MERGE + 1), "what it became since"


def test_a_row_is_in_force_once_every_job_that_follows_the_topic_holds_it(root: Root) -> None:
    sent(root, "b1", MERGE)
    held(root, Staging.LOT_CATALOG_STORE, "b1", MERGE)
    held(root, Staging.LOT_CATALOG_WH, "b1", MERGE - 1)
    assert state(root).state == "published"
    held(root, Staging.LOT_CATALOG_WH, "b1", MERGE + 3)
    assert state(root) == KeyOutcome("b1", "in_force", MERGE)


def test_a_row_is_refused_where_the_quarantine_holds_its_message_and_no_other(root: Root) -> None:
    sent(root, "b1", MERGE)
    quarantined(root, "b1", MERGE - 1)
    quarantined(root, "b2", MERGE)
    assert state(root).state == "published"
    quarantined(root, "b1", MERGE)
    assert state(root) == KeyOutcome("b1", "refused", MERGE, "impossible_value: too many")


def test_keys_are_counted_by_state(root: Root) -> None:
    sent(root, "b1", MERGE)
    found = outcomes(root, DATASET, "batch_catalog", "T1", MERGE, ["b1", "b2", "b3"])
    assert counted(found) == {"merged": 2, "published": 1, "in_force": 0, "refused": 0}


def test_a_lake_without_these_tables_knows_of_nothing(tmp_path: Path) -> None:
    assert state(Root.at(tmp_path)) == KeyOutcome("b1", "merged")
