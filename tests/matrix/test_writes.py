"""A write to a table with any feature: Spark reads it back, or it is refused before a file is written."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.form import features
from lakeshelf.lake.place.errors import FeatureRefused, SchemaError
from tests.matrix import cells, written
from tests.matrix.conftest import Matrix
from tests.matrix.reading import reading
from tests.matrix.written import TABLES

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def a_row(lake: Lake, name: str, id_: int, **values: object) -> pa.Table:
    """A row of the table under another id; what Spark generates is what it would be."""
    row = lake.read(name).read_all().slice(0, 1)
    changed = {"id": id_, "twice": 2 * id_, **values}
    for place, field in enumerate(row.schema):
        if field.name in changed:
            row = row.set_column(place, field, pa.array([changed[field.name]], field.type))
    return row


WRITES: dict[str, Callable[[Lake, str, pa.Table], object]] = {
    "append": lambda lake, name, row: lake.append(name, row),
    "merge": lambda lake, name, row: lake.merge(name, row, keys=["id"]),
    "overwrite": lambda lake, name, row: lake.overwrite(name, row),
}
READABLE = [table for table, made in TABLES.items() if not features.cannot_read(made.features)]
WRITTEN = [table for table in READABLE if not features.cannot_write(TABLES[table].features)]
COPIED = [t for t in WRITTEN if reading("arrow", cells.needs(t)) == "works"]
"""Those whose rows the library reads, to write one like them."""


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("table", [table for table in READABLE if table not in WRITTEN])
def test_a_write_to_what_spark_alone_writes_is_refused_before_a_file(
    matrix: Matrix, table: str, write: str
) -> None:
    name, before = written.dataset(table), files(written.place(matrix.root, table))
    row = matrix.lake.read(name).read_all().slice(0, 1)
    with pytest.raises(FeatureRefused, match=f"cannot write table {name}: it has"):
        WRITES[write](matrix.lake, name, row)
    assert files(written.place(matrix.root, table)) == before


@pytest.mark.parametrize("table", [table for table in TABLES if table not in READABLE])
def test_a_write_to_what_cannot_be_read_is_refused_before_a_file(
    matrix: Matrix, table: str
) -> None:
    before = files(written.place(matrix.root, table))
    for write in WRITES.values():
        with pytest.raises(FeatureRefused):
            write(matrix.lake, written.dataset(table), pa.table({"id": [1]}))
    assert files(written.place(matrix.root, table)) == before


@pytest.mark.parametrize("table", [table for table in COPIED if table != "appendOnly"])
def test_a_write_is_read_back_by_spark(matrix: Matrix, table: str, tmp_path: Path) -> None:
    name = written.dataset(table)
    shutil.copytree(written.place(matrix.root, table), tmp_path / name)
    lake = Lake(tmp_path, catalog={})
    first, changed, second = (
        a_row(lake, name, 777), a_row(lake, name, 777, s="changed"), a_row(lake, name, 778),
    )  # fmt: skip
    held = matrix.rows[table]
    for write, rows, wanted in (
        ("append", first, [*held, *first.to_pylist()]),
        ("merge", (both := pa.concat_tables([changed, second])), [*held, *both.to_pylist()]),
        ("overwrite", second, second.to_pylist()),
    ):
        before = spark_rows(matrix, tmp_path / name), files(tmp_path / name)
        if write in TABLES[table].refused:
            with pytest.raises((FeatureRefused, SchemaError), match=name):
                WRITES[write](lake, name, rows)
            assert (spark_rows(matrix, tmp_path / name), files(tmp_path / name)) == before
            continue
        WRITES[write](lake, name, rows)
        assert spark_rows(matrix, tmp_path / name) == cells.multiset(wanted), write


def test_a_table_that_is_append_only_takes_more_rows_and_keeps_those_it_has(
    matrix: Matrix, tmp_path: Path
) -> None:
    name = written.dataset("appendOnly")
    shutil.copytree(written.place(matrix.root, "appendOnly"), tmp_path / name)
    lake = Lake(tmp_path, catalog={})
    row, held = a_row(lake, name, 777), matrix.rows["appendOnly"]
    lake.append(name, row)
    before = files(tmp_path / name)
    with pytest.raises(FeatureRefused, match="append-only"):
        lake.overwrite(name, row)
    with pytest.raises(FeatureRefused, match="append-only"):
        lake.replace(name, row, [("id", "=", 777)])
    assert files(tmp_path / name) == before, "refused before a file"
    version = lake.snapshot(name).version
    with pytest.raises(FeatureRefused, match="append-only"):
        lake.merge(name, a_row(lake, name, 777, s="changed"), keys=["id"])
    assert lake.snapshot(name).version == version, "tried once, and not committed"
    assert lake.merge(name, a_row(lake, name, 778), keys=["id"]).rows == 1
    wanted = cells.multiset([*held, *row.to_pylist(), {**row.to_pylist()[0], "id": 778}])
    assert spark_rows(matrix, tmp_path / name) == wanted


def spark_rows(matrix: Matrix, folder: Path) -> Counter[str]:
    frame = matrix.spark.read.format("delta").load(str(folder))
    return cells.multiset(written.rows_of(frame))
