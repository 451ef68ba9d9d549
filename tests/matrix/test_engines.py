"""Every engine reads what Spark wrote with every feature, or refuses it: the declarations are what happens."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf import query
from lakeshelf.lake import Lake
from lakeshelf.lake.form import features
from lakeshelf.lake.place.errors import FeatureRefused
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.snapshot import Snapshot
from lakeshelf.query import duck, engines, serving
from tests.matrix import cells, written
from tests.matrix.conftest import Matrix
from tests.matrix.reading import reading
from tests.matrix.written import TABLES
from tests.query import model
from tests.query.test_serving import session

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def session_of(matrix: Matrix, engine: str) -> Any:
    return matrix.spark if engine == "spark" else session(engine)


def needs_of(snapshot: Snapshot) -> list[str]:
    return [*features.used(snapshot.handle), *traits.of(snapshot.handle)]


@pytest.mark.parametrize("table", [name for name in TABLES if name != "catalogManaged"])
def test_what_spark_wrote_has_the_feature_in_force(matrix: Matrix, table: str) -> None:
    handle = DeltaTable(str(written.place(matrix.root, table)))
    assert set(TABLES[table].features) <= features.in_force(handle)
    assert set(traits.of(handle)) == set(TABLES[table].traits)
    assert len(matrix.rows[table]) > 0


@pytest.mark.parametrize(("engine", "table"), cells.served())
def test_an_engine_is_served_the_rows_that_spark_reads(
    matrix: Matrix, engine: str, table: str
) -> None:
    snapshot = matrix.lake.snapshot(written.dataset(table))
    served = query.serve(snapshot, engine, session=session_of(matrix, engine))
    assert served.version == snapshot.version
    assert served.route == engines.route(engine, needs_of(snapshot))
    given = written.rows_of(served.value) if engine == "spark" else model.read(served)
    found, wanted = cells.multiset(given), cells.multiset(matrix.rows[table])
    assert found == wanted, (served.route, found - wanted, wanted - found)


@pytest.mark.parametrize(("engine", "table"), cells.handed_over())
def test_the_own_route_is_still_wrong_where_arrow_is_handed_over(
    matrix: Matrix, engine: str, table: str
) -> None:
    snapshot = matrix.lake.snapshot(written.dataset(table))
    value = serving._OWN[engine](serving.Rows(snapshot), session_of(matrix, engine))
    found = model.read(query.Served(engine, "own", snapshot.version, value))
    assert cells.multiset(found) == cells.multiset(matrix.rows[table])


@pytest.mark.parametrize("table", TABLES)
def test_sql_gives_the_rows_that_spark_reads_or_refuses_them(matrix: Matrix, table: str) -> None:
    reads = reading("duckdb", cells.needs(table)) == "works"
    text = f'FROM matrix."{written.dataset(table).partition("/")[2]}"'
    with nullcontext() if reads else pytest.raises(FeatureRefused, match="matrix/"):
        with query.run(matrix.lake, text) as result:
            found = result.read_all().to_pylist()
        assert cells.multiset(found) == cells.multiset(matrix.rows[table]), result.pins


def test_a_connection_stays_usable_after_a_table_that_was_refused(matrix: Matrix) -> None:
    with duck.connected() as connection:
        for table in ("char partitions", "typeWidening"):
            with pytest.raises(FeatureRefused, match="matrix/"):
                query.serve(
                    matrix.lake.snapshot(written.dataset(table)), "duckdb", session=connection
                )
        plain = matrix.lake.snapshot(written.dataset("plain"))
        found = model.read(query.serve(plain, "duckdb", session=connection))
        assert cells.multiset(found) == cells.multiset(matrix.rows["plain"])


def test_what_is_notimpl_the_engine_reads_by_itself(matrix: Matrix) -> None:
    table = "typeWidening"
    assert reading("duckdb", TABLES[table].features) == "notimpl"
    with duck.connected() as connection:
        folder = str(written.place(matrix.root, table))
        found = connection.execute("FROM delta_scan(?)", [folder]).to_arrow_table().to_pylist()
    assert cells.multiset(found) == cells.multiset(matrix.rows[table])


def test_a_refusal_names_the_table_the_feature_and_who_can(matrix: Matrix) -> None:
    with pytest.raises(FeatureRefused, match=r"matrix/typewidening: it has typeWidening") as caught:
        matrix.lake.snapshot(written.dataset("typeWidening"))
    assert "features" in str(caught.value.hint)


def test_rows_as_nulls_without_an_error_are_what_arrow_datasets_give_of_renamed_columns(
    matrix: Matrix,
) -> None:
    table = DeltaTable(str(written.place(matrix.root, "columnMapping")))
    wrong = table.to_pyarrow_table().to_pylist()
    assert len(wrong) == len(matrix.rows["columnMapping"])
    assert {value for row in wrong for value in row.values()} == {None}


def test_rows_that_are_deleted_in_place_are_still_counted_by_delta_rs(matrix: Matrix) -> None:
    table = DeltaTable(str(written.place(matrix.root, "deletionVectors")))
    assert (table.count(), len(matrix.rows["deletionVectors"])) == (10, 8)


def test_variants_lead_to_arrow_only_where_a_column_is_one(matrix: Matrix) -> None:
    lake = Lake(matrix.root / "ours", catalog={})
    lake.create("test/x", pa.schema([("n", pa.int64())]), profile="spark_only")
    ours = lake.snapshot("test/x")
    assert "variantType" in features.in_force(ours.handle), "delta-rs brought it"
    assert query.serve(ours, "duckdb", session=session("duckdb")).route == "delta_scan"
    theirs = matrix.lake.snapshot(written.dataset("variantType"))
    assert query.serve(theirs, "duckdb", session=session("duckdb")).route == engines.SCAN
