"""Every engine gives the rows of the model, at the version that was pinned."""

from __future__ import annotations

import tempfile
from functools import cache
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from lakeshelf import query
from lakeshelf.lake import Lake
from lakeshelf.lake.rows.predicates import quoted
from lakeshelf.query import duck
from tests.query import model

ENGINES = [name for name in query.ENGINES if name != "spark"]
NAME = "test/rows"


@cache
def session(engine: str) -> Any:
    """Sessions are kept, because loading the extension of DuckDB takes longer than an example."""
    if engine == "duckdb":
        return duck.connected()
    return ibis.duckdb.from_connection(session("duckdb")) if engine == "ibis" else None


def forget_tables() -> None:
    """Let go of the tables that the kept sessions have attached, each of which holds files open."""
    databases = session("duckdb").execute("SELECT database_name FROM duckdb_databases()").fetchall()
    for name in (name for (name,) in databases if "@" in name):
        session("duckdb").execute(f"DETACH {quoted(name)}")


def table(rows: list[model.Row]) -> pa.Table:
    return pa.Table.from_pylist(rows, model.SCHEMA)


@pytest.mark.slow
@settings(
    max_examples=40,
    phases=[Phase.explicit, Phase.generate],
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(model.rows, model.rows, model.columns, model.conditions())
def test_every_engine_gives_the_rows_of_the_model(
    first: list[model.Row], second: list[model.Row], columns: Any, where: Any
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        lake.create(NAME, model.SCHEMA)
        lake.append(NAME, table(first))
        pinned = lake.snapshot(NAME)
        lake.append(NAME, table(second))
        for snapshot, held in ((pinned, first), (lake.snapshot(NAME), [*first, *second])):
            wanted = model.multiset(model.chosen(held, columns, where))
            for engine in ENGINES:
                served = query.serve(snapshot, engine, columns, where, session(engine))
                assert served.version == snapshot.version
                found = model.multiset(model.read(served))
                assert found == wanted, (engine, served.route, found - wanted, wanted - found)
