"""A table of PostgreSQL comes into the lake as it was at one moment, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from lakeshelf.cli.data import lake
from lakeshelf.lake import Lake
from lakeshelf.lake.place.errors import Damaged, NotFound, SchemaError
from lakeshelf.lake.rows import tables
from lakeshelf.migration import Options, postgres
from lakeshelf.migration.postgres import migrate_postgres, rows_of
from tests.governance.postgres import Postgres

TABLE = """
    CREATE SCHEMA shop; CREATE TABLE shop."odd ""name" (
        id bigint PRIMARY KEY, code text, price numeric(12, 2), share double precision, active boolean, day date,
        at timestamptz, raw bytea)"""
NAME = 'shop.odd "name'
FILL = """
    INSERT INTO shop."odd ""name" SELECT n, lpad(n::text, 5, '0'), n / 10.0, 0.1 * n, n %% 2 = 0,
        date '2017-01-01' + (n %% 300)::int, timestamptz '2017-01-01Z' + n * interval '1 second', int8send(n)
    FROM generate_series(%s::bigint, %s::bigint) AS n"""
EDGES = """
    INSERT INTO shop."odd ""name" (id, code, price, share)
    VALUES (9223372036854775807, '', 9999999999.99, 'NaN'), (0, NULL, NULL, NULL)"""
OPTIONS = Options()


@pytest.fixture
def address(postgres: Postgres) -> Iterator[str]:
    made = postgres.create()
    with psycopg.connect(made) as connection:
        for statement in TABLE.split(";"):
            connection.execute(statement)
        connection.execute(FILL, [1, 1000])
        connection.execute(EDGES)
    yield made
    postgres.drop(made)


def rows(root: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = tables.rows(root, "curated/odd").sort_by("id").to_pylist()
    return found


def migrated(root: Path, address: str, name: str = NAME) -> Any:
    return migrate_postgres(Lake(root), address, name, "curated/odd", OPTIONS)


def test_rows_come_as_they_are_and_a_second_time_nothing_changes(
    tmp_path: Path, address: str
) -> None:
    report = migrated(tmp_path, address)
    assert report.source == f"postgresql:{NAME}"
    assert (report.outcome, report.rows, report.target_rows) == ("migrated", 1002, 1002)
    found = rows(tmp_path)
    with psycopg.connect(address) as connection:
        there = connection.execute('SELECT * FROM shop."odd ""name" ORDER BY id').fetchall()
    assert [repr(tuple(row.values())[:3]) for row in found] == [repr(row[:3]) for row in there]
    assert [row["at"] for row in found] == [row[6] for row in there]
    assert migrated(tmp_path, address).outcome == "unchanged"


def test_what_is_written_meanwhile_is_of_another_moment(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "ROWS", 100)
    with postgres._connected(address) as connection:
        count, _, batches = rows_of(connection, NAME)
        with psycopg.connect(address) as other:
            other.execute(FILL, [2000, 2500])
            other.execute('DELETE FROM shop."odd ""name" WHERE id = 900')
        assert count == sum(len(batch) for batch in batches) == 1002


def test_a_copy_that_lost_a_row_publishes_nothing(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pq.ParquetWriter.write_batch
    monkeypatch.setattr(
        pq.ParquetWriter, "write_batch", lambda self, batch: whole(self, batch.slice(1))
    )
    with pytest.raises(Damaged):
        migrated(tmp_path, address)
    assert not tables.exists(tmp_path, "curated/odd")


@pytest.mark.parametrize(
    "name", ["nothing", "shop.nothing", "shop.x; DROP TABLE y", "pg_catalog.", ""]
)
def test_a_table_that_is_not_there_is_refused(tmp_path: Path, address: str, name: str) -> None:
    with pytest.raises(NotFound):
        migrated(tmp_path, address, name)


@pytest.mark.parametrize("kind", ["numeric", "numeric(60, 2)", "jsonb", "integer[]", "interval"])
def test_a_type_that_delta_has_not_is_refused(tmp_path: Path, address: str, kind: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute(f"CREATE TABLE typed (id int PRIMARY KEY, value {kind})")
    with pytest.raises(SchemaError, match="value of typed"):
        migrated(tmp_path, address, "typed")


def test_a_value_that_a_type_has_not_is_refused(tmp_path: Path, address: str) -> None:
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE typed (value numeric(5, 2))")
        connection.execute("INSERT INTO typed VALUES ('NaN')")
    with pytest.raises(SchemaError):
        migrated(tmp_path, address, "typed")
    assert not tables.exists(tmp_path, "curated/odd")


def test_the_command_has_the_name_that_the_pages_say() -> None:
    assert "migrate-postgres" in {command.name for command in lake.app.registered_commands}
