"""Properties and constraints, on real Delta tables."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import DeltaError

from lakeshelf.contracts import CATALOG, DOUBLE, LONG, Decimal, Field, Table, arrow, delta

NOON = dt.datetime(2017, 1, 1, 12, tzinfo=dt.UTC)


def create(table: Table, root: Path) -> DeltaTable:
    created = DeltaTable.create(
        root / table.name,
        schema=arrow.schema(table.columns, comments=True),
        partition_by=list(table.partition_by),
        configuration=delta.properties(table),
    )
    if checks := delta.constraints(table):
        created.alter.add_constraint(checks)
    return DeltaTable(root / table.name)


def rows(table: Table, *changes: dict[str, Any]) -> pa.Table:
    schema = arrow.schema(table.columns)
    plain = {column.name: value(column) for column in table.columns}
    return pa.Table.from_pylist([plain | change for change in changes], schema=schema)


def value(column: Field) -> Any:
    if column.enum:
        return column.enum[0]
    if column.maximum is not None and column.maximum < 7:
        return column.maximum if column.type == DOUBLE else int(column.maximum)
    kind = arrow.data_type(column.type)
    if pa.types.is_timestamp(kind):
        return NOON
    if pa.types.is_date(kind):
        return NOON.date()
    return {pa.string(): "x", pa.int64(): 7, pa.float64(): 7.0, pa.bool_(): True}.get(kind)


def merge(target: DeltaTable, source: pa.Table, key: tuple[str, ...]) -> None:
    predicate = " AND ".join(f"t.`{name}` = s.`{name}`" for name in key)
    merger = target.merge(source, predicate, source_alias="s", target_alias="t")
    merger.when_matched_update_all().when_not_matched_insert_all().execute()


@pytest.mark.parametrize("name", CATALOG.tables)
def test_a_table_can_be_created_appended_and_merged(name: str, tmp_path: Path) -> None:
    table = CATALOG.tables[name]
    target = create(table, tmp_path)
    write_deltalake(target, rows(table, {}), mode="append")
    merge(target, rows(table, {}), table.key)
    again = DeltaTable(tmp_path / name)
    assert again.count() == 1
    assert again.protocol().min_reader_version == 1
    assert again.protocol().min_writer_version <= 4


@pytest.mark.parametrize("name", CATALOG.tables)
def test_what_is_stored_is_what_is_declared(name: str, tmp_path: Path) -> None:
    table = CATALOG.tables[name]
    stored = create(table, tmp_path).metadata().configuration
    prefix = "delta.constraints."
    checks = {k.removeprefix(prefix): v for k, v in stored.items() if k.startswith(prefix)}
    assert checks == delta.constraints(table)
    assert {k: v for k, v in stored.items() if not k.startswith(prefix)} == delta.properties(table)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("cleansed/shelf_state", {"balance": -1, "current_stock": -1}),
        ("cleansed/shelf_state", {"balance": 7, "current_stock": 6}),
        ("cleansed/shelf_state", {"balance": 7, "current_stock": 0}),
        ("cleansed/wh_batch_state", {"balance": -1, "batch_quantity_warehouse": -1}),
        ("ops/alerts", {"status": "lost"}),
        ("ops/alerts", {"threshold_pct": 101.0}),
        ("ops/wh_supplier_orders", {"version": 3}),
        ("ops/stock_discrepancies", {"missing_qty": -1}),
    ],
)
def test_a_row_that_cannot_be_is_refused(name: str, change: dict[str, Any], tmp_path: Path) -> None:
    table = CATALOG.tables[name]
    target = create(table, tmp_path)
    with pytest.raises(DeltaError, match="failed validation"):
        write_deltalake(target, rows(table, change), mode="append")
    with pytest.raises(DeltaError, match="failed validation"):
        merge(target, rows(table, change), table.key)


def test_a_negative_balance_has_a_stock_of_zero(tmp_path: Path) -> None:
    table = CATALOG.tables["cleansed/shelf_state"]
    target = create(table, tmp_path)
    write_deltalake(target, rows(table, {"balance": -3, "current_stock": 0}), mode="append")
    assert target.count() == 1


def test_a_null_passes_where_it_may_stand(tmp_path: Path) -> None:
    table = CATALOG.tables["ops/alerts"]
    target = create(table, tmp_path)
    nothing = {column.name: None for column in table.columns if not column.required}
    write_deltalake(target, rows(table, nothing), mode="append")
    assert target.count() == 1


def test_statistics_are_kept_of_what_is_pruned_by(tmp_path: Path) -> None:
    table = CATALOG.tables["raw/shelf_events"]
    target = create(table, tmp_path)
    write_deltalake(target, rows(table, {}), mode="append")
    names = set(target.get_add_actions(flatten=True).schema.names)
    kept = {name.removeprefix("min.") for name in names if name.startswith("min.")}
    assert kept == {"event_id", "event_time", "kafka_partition", "kafka_offset"}


def test_comments_become_the_comments_of_columns(tmp_path: Path) -> None:
    table = CATALOG.tables["cleansed/shelf_state"]
    fields = create(table, tmp_path).schema().fields
    assert {f.name: f.metadata["comment"] for f in fields} == {
        column.name: column.doc for column in table.columns
    }


@pytest.mark.parametrize(
    ("profile", "feed"), [("append_log", None), ("state", None), ("shared", "true")]
)
def test_only_shared_tables_have_a_change_feed(profile: str, feed: str | None) -> None:
    tables = [table for table in CATALOG.tables.values() if table.profile == profile]
    assert tables
    for table in tables:
        found = delta.properties(table)
        assert found.get("delta.enableChangeDataFeed") == feed
        assert found["delta.enableDeletionVectors"] == "false"


def test_bounds_of_decimals_are_not_left_to_delta() -> None:
    money = Field("price", Decimal(12, 2), "A price.", minimum=0)
    size = Field("size", LONG, "A size.", required=False, minimum=0, maximum=9)
    table = Table("ops/things", ("size",), "someone", (money, size), "Things.")
    assert delta.constraints(table) == {
        "size_min": "size IS NULL OR size >= 0",
        "size_max": "size IS NULL OR size <= 9",
    }
