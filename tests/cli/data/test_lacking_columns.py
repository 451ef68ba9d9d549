"""A table of the lake without the columns of its contract, of an older version or of somebody else, is named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakeshelf.choices import FEW
from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables

READERS = {
    "alerts list": "ops/alerts",
    "plans list": "ops/shelf_restock_plan",
    "stock low": "curated/shelf_profiles",
    "stock show S1-I1": "curated/shelf_profiles",
    "whatif": "curated/shelf_profiles",
    "quarantine list": "raw/quarantine",
    "quarantine list --topic shelf_events": "raw/quarantine",
    "lake runs": "ops/runs",
    "lake cursors": "ops/cursors",
}


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake whose tables have one column, which no contract has; it is only read."""
    root = tmp_path_factory.mktemp("foreign") / "lake"
    for name in set(READERS.values()):
        write_deltalake(root / name, pa.table({"strange": ["a"]}))
    return root


@pytest.mark.parametrize(("command", "table"), READERS.items())
def test_it_is_named_with_its_columns_and_what_adds_them(lakeshelf, foreign, command, table):
    refused = lakeshelf("--lake", foreign, *command.split())
    assert refused.code == 1
    (line,) = refused.error.splitlines()
    columns = [column.name for column in CATALOG.tables[table].columns]
    assert f"table {table} lacks columns of its contract: {', '.join(columns[:FEW])}" in line
    assert line.endswith(
        f"; `lakeshelf --lake {foreign} bootstrap` adds what a table of an older version lacks"
    )


def test_what_is_only_asked_for_a_column_is_told_the_same(foreign):
    with pytest.raises(tables.SchemaError, match="table ops/alerts lacks columns of its contract"):
        tables.rows(foreign, "ops/alerts", where=[("status", "=", "open")])
    with pytest.raises(tables.SchemaError, match="table ops/alerts lacks columns of its contract"):
        tables.page(foreign, "ops/alerts", [("created_at", "descending")])


def test_what_is_said_adds_the_columns(lakeshelf, tmp_path):
    table = tables.location(tmp_path / "lake", "ops/alerts")
    write_deltalake(table, pa.table({"alert_id": pa.array([], pa.string())}))
    tables.ensure(tmp_path / "lake", CATALOG.tables["ops/alerts"])
    assert DeltaTable(table).version() > 0
    assert lakeshelf("alerts", "list").code == 0
