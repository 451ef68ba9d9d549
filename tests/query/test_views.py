"""A view of the contract is read like a table, over the versions that the statement pins."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf import query
from lakeshelf.cli.data import prompt
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.query import SqlError

NAME = "curated.sales_lines"
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RECEIPT = {
    "event_id": "t1",
    "event_type": "sale",
    "event_time": NOW,
    "event_date": NOW.date(),
    "store_id": "S1",
    "schema_version": 1,
    "transaction_id": "t1",
    "customer_id": "C1",
}
SOLD = {"unit_price": Decimal("2.50"), "discount": Decimal("0.1"), "total_price": Decimal("5.00")}
LINES = [
    {"line": 1, "item_id": "I1", "shelf_id": "S1-I1", "quantity": 2, **SOLD},
    {"line": 2, "item_id": "I9", "shelf_id": "S1-I9", "quantity": 1, **SOLD},
]
PROFILE = {
    "shelf_id": "S1-I1",
    "store_id": "S1",
    "item_id": "I1",
    "name": "Milk",
    "max_stock": 10,
    "unit_price": Decimal("2.5"),
    "standard_batch_size": 10,
    "version": 1,
    "updated_at": NOW,
}


def write(root: Path, name: str, *rows: dict[str, Any]) -> None:
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    handle = tables.open_table(root, name)
    txn = Write.once(Txn("test", handle.version() + 1))
    writing.append(handle, name, pa.Table.from_pylist(list(rows), schema=schema), txn)


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    """A receipt of two lines, one of a shelf without a profile, and one without lines."""
    for name in CATALOG.views["curated/sales_lines"].tables:
        tables.ensure(tmp_path, CATALOG.tables[name])
    empty = {**RECEIPT, "event_id": "t2", "transaction_id": "t2", "items": []}
    write(tmp_path, "raw/pos_transactions", {**RECEIPT, "items": LINES}, empty)
    write(tmp_path, "curated/shelf_profiles", PROFILE)
    return Lake(tmp_path)


def read(lake: Lake, text: str, **given: Any) -> pa.Table:
    with query.run(lake, text, **given) as result:
        return result.read_all()


@pytest.mark.parametrize("name", CATALOG.views)
def test_a_view_has_the_columns_that_the_contract_tells(tmp_path: Path, name: str) -> None:
    for table in CATALOG.views[name].tables:
        tables.ensure(tmp_path, CATALOG.tables[table])
    found = read(Lake(tmp_path), f"FROM {name.replace('/', '.')}").schema
    assert found.equals(arrow_contract.schema(CATALOG.views[name].columns).remove_metadata())


def test_each_line_of_a_receipt_is_a_row_with_the_name_of_what_was_sold(shop: Lake) -> None:
    rows = read(shop, f"FROM {NAME} ORDER BY line").to_pylist()
    assert [(r["transaction_id"], r["line"], r["name"], r["quantity"]) for r in rows] == [
        ("t1", 1, "Milk", 2),
        ("t1", 2, None, 1),
    ]


def test_the_tables_of_a_view_are_pinned_and_named(shop: Lake) -> None:
    with query.run(
        shop, f"SELECT count(*) FROM {NAME} JOIN raw.pos_transactions ON true"
    ) as result:
        pins = {pin.name: pin.version for pin in result.pins}
    read_by_view = CATALOG.views["curated/sales_lines"].tables
    assert pins == {name: tables.open_table(shop.root, name).version() for name in read_by_view}


@pytest.mark.slow
def test_a_view_is_read_at_a_time_and_has_no_versions(shop: Lake) -> None:
    then = datetime.now(UTC)
    write(shop.root.folder, "raw/pos_transactions", {**RECEIPT, "event_id": "t3", "items": LINES})
    count = "SELECT count(*) AS n FROM"
    assert read(shop, f"{count} {NAME}")["n"].to_pylist() == [4]
    assert read(shop, f"{count} {NAME} AT (TIMESTAMP => '{then}')")["n"].to_pylist() == [2]
    assert read(shop, f"{count} {NAME}", at=then)["n"].to_pylist() == [2]
    for text, given in ((f"FROM {NAME} AT (VERSION => 1)", {}), (f"FROM {NAME}", {"at": 1})):
        with pytest.raises(SqlError, match="is a view and has no versions"):
            read(shop, text, **given)


@pytest.mark.slow
def test_a_view_is_listed_where_its_tables_are(shop: Lake, tmp_path: Path) -> None:
    assert NAME in read(shop, "SHOW TABLES")["name"].to_pylist()
    assert read(Lake(tmp_path / "other"), "SHOW TABLES").num_rows == 0


def test_a_dataset_of_the_lake_comes_before_a_view_of_its_name(shop: Lake) -> None:
    shop.append("curated/sales_lines", pa.table({"mine": [7]}))
    assert read(shop, f"FROM {NAME}").to_pylist() == [{"mine": 7}]


def test_the_prompt_describes_a_view_as_the_contract_does(shop: Lake) -> None:
    told = {row["column"]: row for row in prompt.columns(shop, "curated/sales_lines")}
    assert list(told) == [field.name for field in CATALOG.views["curated/sales_lines"].columns]
    assert told["quantity"]["unit"] == "units"
    assert NAME in {row["table"] for row in prompt.tables(shop)}
