"""A Delta table anywhere is read by its path as a dataset is by its name, and not written."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakeshelf import query
from lakeshelf.lake import (
    Conflict,
    Lake,
    NotFound,
    SchemaError,
    TimeOutOfRange,
    VersionNotFound,
    lake,
    open_table,
)
from lakeshelf.lake.readable import ReadableLake


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A table that others wrote, at a path that is no name."""
    place = tmp_path / "Others' täble"
    for n in range(2):
        rows = pa.table({"day": [date(2026, 5, n + 1)], "n": [n]})
        write_deltalake(str(place), rows, mode="append", partition_by=["day"])
    return place


def test_it_is_read_at_its_versions_with_history_and_differences(place: Path) -> None:
    table = open_table(place)
    assert sorted(table.read().read_all()["n"].to_pylist()) == [0, 1]
    assert table.read(0, columns=["n"]).read_all().to_pylist() == [{"n": 0}]
    assert table.read(where=[("n", ">", 0.5)]).read_all().num_rows == 1
    assert table.read(datetime.now(UTC)).read_all().num_rows == 2
    assert [entry.version for entry in table.history()] == [1, 0]
    (new,) = table.diff(0, 1).read_all().to_pylist()
    assert (new["_change_type"], new["n"]) == ("insert", 1)
    served = query.serve(table.snapshot(0), "duckdb", ["n"]).value
    assert served.fetchall() == [(0,)]


def test_every_write_of_a_lake_is_refused_with_the_way_out(place: Path) -> None:
    table = open_table(str(place))
    writes = {n for n in {*dir(Lake)} - {*dir(ReadableLake)} if not n.startswith("_")}
    assert {"create", "append", "merge", "delete", "update", "restore", "vacuum"} <= writes
    for name in writes:
        with pytest.raises(Conflict, match=f"opened by its path.*no `{name}`; write a dataset"):
            getattr(table, name)
    assert not hasattr(table, "nonsense")
    assert table.history()[0].version == 1


def test_what_is_not_there_is_said(place: Path, tmp_path: Path) -> None:
    table = open_table(place)
    with pytest.raises(NotFound, match=r"no Delta table at .*none; give the folder"):
        open_table(tmp_path / "none")
    with pytest.raises(NotFound, match="no Delta table"):
        open_table(tmp_path)
    with pytest.raises(VersionNotFound, match="has no version 7"):
        table.read(7)
    with pytest.raises(VersionNotFound, match="has no run 'may'"):
        table.read("may")
    with pytest.raises(TimeOutOfRange, match="lies before its history"):
        table.read(datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(SchemaError, match="has no column 'm'"):
        table.read(columns=["m"])


def test_a_lake_that_is_only_read_has_none_of_the_writes() -> None:
    assert issubclass(lake.Lake, ReadableLake)
    assert not hasattr(ReadableLake, "append")
