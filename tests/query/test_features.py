"""Tables with deletion vectors and column mapping: right rows in every engine, and the route is told."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf import query
from lakeshelf.errors import ConfigurationError, LakeError
from lakeshelf.lake import Lake, PredicateError, SchemaError
from lakeshelf.query import engines
from lakeshelf.query.session import Pin
from tests.query import foreign, model
from tests.query.test_serving import session

NAME = "other/table"
KINDS = {
    "vectors": {"deleted": (1, 3)},
    "mapping": {"mapped": True},
    "both": {"deleted": (1, 3), "mapped": True},
}
SCANNED = {
    ("datafusion", "vectors"),
    ("datafusion", "both"),
    ("polars", "mapping"),
    ("polars", "both"),
}
ENGINES = [name for name in query.ENGINES if name != "spark"]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_rows_are_right_and_the_route_is_told(lake: Lake, engine: str, kind: str) -> None:
    foreign.table(Path(lake.root.uri) / NAME, **KINDS[kind])
    gone = set(KINDS[kind].get("deleted", ()))
    served = query.serve(
        lake.snapshot(NAME), engine, ["s", "id"], [("id", ">=", 2)], session(engine)
    )
    wanted = [{"s": f"v{n}", "id": n} for n in range(2, 10) if n not in gone]
    assert model.multiset(model.read(served)) == model.multiset(wanted)
    own = engine not in ("arrow", "pandas") and (engine, kind) not in SCANNED
    assert served.route == (query.ENGINES[engine].route if own else engines.SCAN)


@pytest.mark.parametrize(("engine", "kind"), sorted(SCANNED))
def test_the_own_route_of_an_engine_that_is_not_used_is_wrong(
    lake: Lake, engine: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign.table(Path(lake.root.uri) / NAME, **KINDS[kind])
    capable = dataclasses.replace(
        query.ENGINES[engine], reads=dict.fromkeys(engines.ENGINES["duckdb"].reads, "works")
    )
    monkeypatch.setitem(engines.ENGINES, engine, capable)
    with pytest.raises(Exception, match=r"vector|columnMapping|went out of scope"):
        model.read(query.serve(lake.snapshot(NAME), engine))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sql_reads_them(lake: Lake, kind: str) -> None:
    foreign.table(Path(lake.root.uri) / NAME, **KINDS[kind])
    with query.run(lake, "SELECT count(*) AS n, max(s) AS s FROM other.table") as result:
        wanted = 10 - len(KINDS[kind].get("deleted", ()))
        assert result.read_all().to_pylist() == [{"n": wanted, "s": "v9"}]
        assert [pin.route for pin in result.pins] == ["delta_scan"]
    if "deleted" in KINDS[kind]:
        with query.run(lake, "FROM other.table AT (VERSION => 0)") as result:
            assert result.read_all().num_rows == 10
            assert result.pins == (Pin(NAME, 0, "delta_scan"),)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_condition_on_a_float_sees_nan_where_statistics_do_not(lake: Lake, engine: str) -> None:
    lake.append("test/x", pa.table({"x": [math.nan, 1.0], "n": [1, 2]}))
    served = query.serve(
        lake.snapshot("test/x"), engine, ["n"], [("x", "!=", 1.0)], session(engine)
    )
    assert [row["n"] for row in model.read(served)] == [1]
    assert served.route == engines.SCAN


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_not_there_is_refused_in_the_lakes_words(lake: Lake, engine: str) -> None:
    lake.append("test/x", pa.table({"n": [1, 2]}))
    with pytest.raises(SchemaError, match="no column 'm'; it has n"):
        query.serve(lake.snapshot("test/x"), engine, ["m"])
    with pytest.raises(PredicateError, match="give a value of that type"):
        query.serve(lake.snapshot("test/x"), engine, where=[("n", "=", "1 OR 1=1")])


def test_an_unknown_engine_names_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match="no engine 'excel'; there are arrow"):
        engines.engine_of("excel")


def test_another_version_of_a_library_is_told_and_not_tried(
    monkeypatch: pytest.MonkeyPatch, lake: Lake
) -> None:
    monkeypatch.setitem(engines.TESTED, "polars", "1.0.0")
    lake.append("test/x", pa.table({"n": [1]}))
    with pytest.raises(
        query.UntestedVersions, match=r"polars 2.* installed, 1\.0\.0 was"
    ) as caught:
        query.serve(lake.snapshot("test/x"), "polars")
    assert caught.value.exit_code == 3


def test_the_tested_versions_are_those_of_the_distribution() -> None:
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for package, version in engines.TESTED.items():
        assert f'"{package}=={version}"' in text or f'"{package}[duckdb]=={version}"' in text


def test_a_table_that_is_damaged_is_one_line(lake: Lake) -> None:
    lake.append("test/x", pa.table({"n": [1]}))
    snapshot = lake.snapshot("test/x")
    for file in (Path(lake.root.uri) / "test/x").glob("*.parquet"):
        file.unlink()
    with pytest.raises(LakeError):
        query.serve(snapshot, "pandas")
