"""Tables are created and evolved from the contract, and refused when they do not fit it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import Field, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG, LONG, STRING
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts import delta as delta_contract
from lakeshelf.errors import LakeError
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import merging

NAME, REFUSED = "cleansed/shelf_state", "raw/quarantine"
TABLE = CATALOG.tables[NAME]


def log(root: Path, name: str = NAME) -> list[Path]:
    return sorted((tables.location(root, name) / "_delta_log").glob("*.json"))


@pytest.mark.slow
def test_every_table_is_created_once(tmp_path: Path) -> None:
    first = tables.ensure_all(tmp_path)
    assert {created.outcome for created in first} == {"created"}
    before = {name: len(log(tmp_path, name)) for name in CATALOG.tables}
    again = tables.ensure_all(tmp_path)
    assert {created.outcome for created in again} == {"unchanged"}
    assert {name: len(log(tmp_path, name)) for name in CATALOG.tables} == before
    assert all(tables.exists(tmp_path, name) for name in CATALOG.tables)


def test_an_older_table_gets_the_columns_that_it_lacks_and_keeps_its_rows(tmp_path: Path) -> None:
    older = replace(TABLE, columns=TABLE.columns[:-2])
    tables.ensure(tmp_path, older)
    now = datetime(2017, 1, 1, tzinfo=UTC)
    row = {
        "shelf_id": "S1-I1", "store_id": "S1", "item_id": "I1", "balance": 1, "current_stock": 1,
        "last_event_time": now, "version": 1, "updated_at": now,
    }  # fmt: skip
    rows = pa.Table.from_pylist([row], schema=arrow_contract.schema(older.columns))
    write_deltalake(tables.open_table(tmp_path, NAME), rows, mode="append")
    created = tables.ensure(tmp_path, TABLE)
    assert (created.outcome, created.added) == ("evolved", ("first_event_time", "first_event_id"))
    added = {"first_event_time": None, "first_event_id": None}
    assert tables.open_table(tmp_path, NAME).to_pyarrow_table().to_pylist() == [{**row, **added}]
    assert tables.ensure(tmp_path, TABLE).outcome == "unchanged"


def test_an_older_table_gets_the_properties_of_the_contract(tmp_path: Path) -> None:
    tables.ensure(tmp_path, TABLE)
    older = {"delta.checkpointInterval": "7"}
    tables.open_table(tmp_path, NAME).alter.set_table_properties(older)
    assert tables.ensure(tmp_path, TABLE).outcome == "evolved"
    found = tables.open_table(tmp_path, NAME).metadata().configuration
    assert found.items() >= delta_contract.properties(TABLE).items()
    assert tables.ensure(tmp_path, TABLE).outcome == "unchanged"


def test_a_column_of_another_type_is_refused(tmp_path: Path) -> None:
    columns = tuple(replace(c, type=STRING) if c.name == "version" else c for c in TABLE.columns)
    tables.ensure(tmp_path, replace(TABLE, columns=columns))
    assert TABLE.column("version").type == LONG
    with pytest.raises(LakeError, match=r"cleansed/shelf_state has version as .*string"):
        tables.ensure(tmp_path, TABLE)


def test_constraints_of_the_contract_hold(tmp_path: Path) -> None:
    tables.ensure(tmp_path, TABLE)
    now = datetime(2017, 1, 1, tzinfo=UTC)
    row = {"shelf_id": "a", "store_id": "S", "item_id": "I", "balance": 5, "current_stock": 4}
    rows = pa.Table.from_pylist(
        [{**row, "last_event_time": now, "version": 1, "updated_at": now}],
        schema=arrow_contract.schema(TABLE.columns),
    )
    with pytest.raises(Exception, match="current_stock"):
        write_deltalake(tables.open_table(tmp_path, NAME), rows, mode="append")
    assert tables.row_count(tmp_path, NAME) == 0


def test_a_table_that_does_not_exist_is_named_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(
        LakeError, match=r"no Delta table cleansed/shelf_state .*lakeshelf bootstrap"
    ):
        tables.open_table(tmp_path, NAME)
    assert not tables.exists(tmp_path, NAME)


def test_a_table_newer_than_the_code_is_refused(tmp_path: Path) -> None:
    tables.ensure(tmp_path, TABLE)
    features = {"readerFeatures": ["deletionVectors"], "writerFeatures": ["deletionVectors"]}
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features}}
    number = len(log(tmp_path))
    commit = tables.location(tmp_path, NAME) / "_delta_log" / f"{number:020d}.json"
    commit.write_text(json.dumps(protocol))
    with pytest.raises(LakeError, match="needs Delta reader 3"):
        tables.open_table(tmp_path, NAME)
    with pytest.raises(LakeError, match="upgrade Lakeshelf"):
        tables.ensure(tmp_path, TABLE)


def test_a_lake_that_a_newer_version_wrote_is_refused_before_any_table_is_changed(
    tmp_path: Path,
) -> None:
    """This version would write rows without the column, and set settings of tables back."""
    last = list(CATALOG.tables.values())[-1]
    tables.ensure(tmp_path, replace(TABLE, columns=TABLE.columns[:-2]))
    tables.ensure(tmp_path, last)
    before = len(log(tmp_path))
    newer = Field("of_a_newer_version", "string", nullable=True)
    tables.open_table(tmp_path, last.name).alter.add_columns([newer])
    with pytest.raises(LakeError) as refused:
        tables.ensure_all(tmp_path)
    assert str(refused.value) == (
        f"table {last.name} has columns that this version does not know: of_a_newer_version; "
        "run the newer version that wrote the lake, or restore a backup from before it"
    )
    assert len(log(tmp_path)) == before
    assert {name for name in CATALOG.tables if tables.exists(tmp_path, name)} == {NAME, last.name}


@pytest.mark.parametrize("content", ["", "{", '{"metaData": 5}'])
def test_a_damaged_log_is_told_in_one_line(tmp_path: Path, content: str) -> None:
    tables.ensure(tmp_path, TABLE)
    for file in log(tmp_path):
        file.write_text(content)
    with pytest.raises(LakeError) as raised:
        tables.open_table(tmp_path, NAME)
    assert NAME in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.slow
def test_text_that_merges_wrote_is_found(tmp_path: Path) -> None:
    tables.ensure_all(tmp_path)
    name = "ops/wh_supplier_receipts"
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    for number in range(3):
        handle = tables.open_table(tmp_path, name)
        row = {"receipt_id": f"r{number}", "order_id": f"o{number}", "received_qty": 1}
        rows = pa.Table.from_pylist([row], schema)
        merging.upsert(handle, name, rows, ["receipt_id"], Write.once(Txn("test", number)))
    found = tables.rows(tmp_path, name, ["receipt_id"], [("order_id", "=", "o1")])
    assert found.to_pylist() == [{"receipt_id": "r1"}]
    assert tables.rows(tmp_path, name).num_rows == 3


OFFSETS = st.lists(
    st.tuples(st.sampled_from("ab"), st.integers(0, 9), st.integers(0, 2)), max_size=12
)


@settings(max_examples=8, deadline=None)
@given(places=OFFSETS, size=st.integers(1, 5))
def test_pages_of_a_table_are_its_rows_in_order_each_once(
    tmp_path_factory: pytest.TempPathFactory, places: list[tuple[str, int, int]], size: int
) -> None:
    root, start = tmp_path_factory.mktemp("pages"), datetime(2026, 3, 1, tzinfo=UTC)
    tables.ensure(root, CATALOG.tables[REFUSED])
    by_key = {(topic, offset): second for topic, offset, second in places}
    rows = [
        {
            "topic": topic,
            "partition": 0,
            "offset": offset,
            "kafka_timestamp": start + timedelta(seconds=second),
            "reason": "not_json",
            "detail": "",
            "ingested_at": start,
        }
        for (topic, offset), second in by_key.items()
    ]
    schema = arrow_contract.schema(CATALOG.tables[REFUSED].columns)
    written = pa.Table.from_pylist(rows, schema=schema)
    write_deltalake(tables.open_table(root, REFUSED), written, mode="append")
    order = [("kafka_timestamp", "descending"), ("topic", "ascending")]
    paged = []
    for offset in range(0, len(rows) + 1, size):
        page, total = tables.page(root, REFUSED, order, offset=offset, limit=size)
        paged += page.to_pylist()
        assert total == len(rows)
    kept = sorted(rows, key=lambda r: (-r["kafka_timestamp"].timestamp(), r["topic"], r["offset"]))
    assert [(r["topic"], r["offset"]) for r in paged] == [(r["topic"], r["offset"]) for r in kept]
