"""Results of engines go into tables as streams, and never as nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.lake import Conflict, Lake
from lakeshelf.lake.rows.sources import Source
from tests.query import streaming

ENGINES = ("duckdb", "datafusion", "ibis", "polars")
# Rows, MB that they are, MB that writing them may take; Polars works ahead in batches of its own choice.
SIZES = dict.fromkeys(ENGINES, (9000000, 1200, 700)) | {"polars": (18_000_000, 2_400, 1_800)}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_result_is_appended_overwritten_and_merged(tmp_path: Path, engine: str) -> None:
    lake = Lake(tmp_path)
    assert lake.append("test/rows", streaming.result(engine, 10)).rows == 10
    assert lake.overwrite("test/rows", streaming.result(engine, 20)).rows == 20
    assert lake.merge("test/rows", streaming.result(engine, 25), keys=["id"]).rows == 5
    found = lake.read("test/rows").read_all()
    assert sorted(found["id"].to_pylist()) == list(range(25))
    assert found["text"].to_pylist()[0].endswith(streaming.TEXT)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_result_is_written_in_less_memory_than_it_has(tmp_path: Path, engine: str) -> None:
    rows, data_mb, limit_mb = SIZES[engine]
    command = [sys.executable, streaming.__file__, engine, str(rows), str(tmp_path)]
    path = os.pathsep.join([str(Path(__file__).parents[2] / "src"), *sys.path])
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["rows"], told["version"]) == (rows, 1)
    assert told["grown_mb"] < limit_mb < data_mb


@pytest.mark.parametrize("engine", ENGINES)
def test_a_result_can_be_read_again(engine: str) -> None:
    source = Source.of(streaming.result(engine, 10))
    assert [source.reader().read_all().num_rows for _ in range(2)] == [10, 10]


def test_a_relation_that_was_looked_at_gives_all_its_rows(tmp_path: Path) -> None:
    relation = streaming.result("duckdb", 10)
    assert relation.fetchone() is not None
    assert relation.to_arrow_reader().read_all().num_rows == 0  # what would be written else
    assert Lake(tmp_path).append("test/rows", streaming.result("duckdb", 10)).rows == 10
    relation = streaming.result("duckdb", 10)
    relation.fetchone()
    assert Lake(tmp_path).append("test/rows", relation).rows == 10


class Dry:
    """A stream of a library that nobody knows, which is dry after the first time."""

    def __init__(self) -> None:
        self._reader = pa.table({"id": [1, 2]}).to_reader()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        return self._reader.__arrow_c_stream__(requested_schema)


def test_a_source_that_is_dry_the_second_time_is_no_empty_write() -> None:
    source = Source.of(Dry())
    assert source.reader().read_all().num_rows == 2
    with pytest.raises(Conflict, match="only once"):
        source.reader().read_all()


def test_a_result_on_a_connection_is_read_once(tmp_path: Path) -> None:
    import duckdb

    lake = Lake(tmp_path)
    answered = duckdb.connect().execute("SELECT 1::BIGINT AS id")
    source = Source.of(answered)
    assert lake.append("test/rows", source).rows == 1
    with pytest.raises(Conflict, match="only once"):
        lake.append("test/rows", source)
    assert lake.read("test/rows").read_all().num_rows == 1
