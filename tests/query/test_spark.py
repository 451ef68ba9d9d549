"""Spark is served like the others, and tables that it wrote with its own features are read right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from lakeshelf import query
from lakeshelf.lake import Lake
from tests.query import model
from tests.query.test_serving import session
from tests.streams.conftest import own_settings, spark  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

NAME = "other/table"


@pytest.mark.slow
@pytest.mark.spark
def test_every_engine_reads_deletion_vectors_and_column_mapping(
    spark: SparkSession,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path)
    spark.sql(
        f"CREATE TABLE delta.`{tmp_path}/{NAME}` (`odd name` STRING, n BIGINT, x DOUBLE) USING delta "
        "TBLPROPERTIES ('delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name')"
    )
    spark.range(20).selectExpr(
        "concat('v', id) AS `odd name`", "id AS n", "CAST('NaN' AS DOUBLE) AS x"
    ).coalesce(1).write.format("delta").mode("append").save(f"{tmp_path}/{NAME}")
    spark.sql(f"DELETE FROM delta.`{tmp_path}/{NAME}` WHERE n IN (3, 4)")
    assert "deletionVector" in "".join(
        file.read_text() for file in (tmp_path / NAME / "_delta_log").glob("*.json")
    )
    before, after = lake.snapshot(NAME, 1), lake.snapshot(NAME)
    for snapshot, gone in ((before, set()), (after, {3, 4})):
        wanted = [{"odd name": f"v{n}"} for n in range(2, 20) if n not in gone]
        for engine in query.ENGINES:
            own = spark if engine == "spark" else session(engine)
            served = query.serve(snapshot, engine, ["odd name"], [("n", ">=", 2)], own)
            found = model.multiset(model.read(served))
            assert found == model.multiset(wanted), (engine, served.route, snapshot.version)


@pytest.mark.slow
@pytest.mark.spark
def test_spark_is_served_the_rows_of_the_model(
    spark: SparkSession,  # noqa: F811 - the fixture
    tmp_path: Path,
) -> None:
    lake = Lake(tmp_path)
    rows = [
        dict.fromkeys(model.VALUES)
        | {"n": n, "x": float("nan") if n % 2 else 1.0, "s": "b'\\; DROP", "raw": b"\xff"}
        for n in range(10)
    ]
    lake.append("test/rows", pa.Table.from_pylist(rows, model.SCHEMA))
    snapshot = lake.snapshot("test/rows")
    lake.append("test/rows", pa.Table.from_pylist(rows, model.SCHEMA))
    for where in (
        [("s", "=", "b'\\; DROP"), ("n", ">", 3)],
        [("raw", "in", [b"\xff"]), ("n", "not in", [1, 2])],
        [("day", "is null"), ("x", "!=", 1.0)],
    ):
        served = query.serve(snapshot, "spark", ["n", "x", "s"], where, spark)
        wanted = model.chosen(rows, ["n", "x", "s"], where)
        assert model.multiset(model.read(served)) == model.multiset(wanted), served.route
        floats = any(condition[0] == "x" for condition in where)
        assert served.route == ("scan" if floats else "delta")
