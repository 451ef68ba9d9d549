"""A table of PostgreSQL comes into the lake as it was at one moment, or not at all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest

from lakeshelf.cli.data import lake
from lakeshelf.lake import Lake
from lakeshelf.lake.form import commits
from lakeshelf.lake.place.errors import Conflict, Damaged, NotFound, SchemaError, StorageError
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.migration import Options, postgres
from lakeshelf.migration import rows as source
from lakeshelf.migration.postgres import migrate_postgres, rows_of
from tests.governance.migration import killed, measured
from tests.governance.postgres import Postgres
from tests.migration.layouts import left_over

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
CHECKOUT = Path(__file__).parents[3]
MOMENTS = 90
"""More than a migration of this table has; a run that is not killed at one of them ends the test."""
FEW, MANY, AT_A_TIME = 20_000, 160_000, 2_000
WIDE = """
    CREATE TABLE {0} (id bigint PRIMARY KEY, note text);
    INSERT INTO {0} SELECT n, repeat(md5(n::text), 16) FROM generate_series(1, {1}) AS n"""
FLAT_KIB = 60 * 1024
"""Less than the larger table has more than the smaller one, in whatever form; allocators differ by half of it."""


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


def child(module: ModuleType, *args: object) -> subprocess.CompletedProcess[str]:
    """Run a program of the tests in a process of its own."""
    command = [sys.executable, "-m", module.__name__, *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=CHECKOUT)


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


@pytest.fixture
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come as they do to the process that is killed, so that both make the same file of them."""
    monkeypatch.setattr(postgres, "ROWS", killed.ROWS)


def killed_everywhere(tmp_path: Path, address: str, moments: range) -> None:
    for moment in moments:
        root = tmp_path / str(moment)
        done = child(killed, root, address, NAME, "curated/odd", moment)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        if tables.exists(root, "curated/odd"):
            assert len(rows(root)) == 1002
        assert migrated(root, address).rows == 1002
        assert len({row["id"] for row in rows(root)}) == len(rows(root)) == 1002
        assert left_over(root) == []
        if done.returncode == 0:
            return
    assert moments.step > 1, "a migration has more moments than were tried"


@pytest.mark.faults
@pytest.mark.usefixtures("few_at_a_time")
def test_killed_at_some_moments_it_is_all_or_none_and_a_repeat_goes_on(
    tmp_path: Path, address: str
) -> None:
    killed_everywhere(tmp_path, address, range(2, MOMENTS, 13))


@pytest.mark.nightly
@pytest.mark.faults
@pytest.mark.usefixtures("few_at_a_time")
def test_killed_at_every_moment_it_is_all_or_none_and_a_repeat_goes_on(
    tmp_path: Path, address: str
) -> None:
    killed_everywhere(tmp_path, address, range(1, MOMENTS))


def died_after_loading(root: Path, address: str) -> None:
    class Died(BaseException):
        pass

    def progress(step: str, done: int = 0, total: int = 0) -> None:
        if step == "load" and done:
            raise Died

    with pytest.raises(Died):
        migrate_postgres(Lake(root), address, NAME, "curated/odd", OPTIONS, progress=progress)


def test_what_a_run_that_died_has_loaded_is_not_loaded_again(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    died_after_loading(tmp_path, address)
    assert not tables.exists(tmp_path, "curated/odd")
    monkeypatch.setattr(source, "converted", None)
    assert migrated(tmp_path, address).target_rows == 1002
    assert left_over(tmp_path) == []


def test_without_the_ledger_a_repeat_would_double_rows_which_is_found_out(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    died_after_loading(tmp_path, address)
    monkeypatch.setattr(commits.Write, "is_done", lambda *_: False)
    with pytest.raises(Damaged, match="the source has 1,002 rows, the target 2,004"):
        migrated(tmp_path, address)
    assert not tables.exists(tmp_path, "curated/odd")


def test_two_who_migrate_into_one_dataset_do_not_meet(tmp_path: Path, address: str) -> None:
    lock = tmp_path / "_migrations" / "curated.odd.lock"
    with FileLock(lock, "another"), pytest.raises(Conflict, match="migrates into curated/odd"):
        migrated(tmp_path, address)


def test_a_copy_that_has_no_room_leaves_nothing(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq.ParquetWriter, "write_batch", full)
    with pytest.raises(StorageError, match=r"was not copied to .*: .*No space left"):
        migrated(tmp_path, address)
    assert left_over(tmp_path) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_table_and_would_if_all_rows_came_at_once(
    tmp_path: Path, address: str
) -> None:
    with psycopg.connect(address) as connection:
        for name, count in (("warm", 100), ("few", FEW), ("many", MANY)):
            connection.execute(WIDE.format(name, count))

    def peak(name: str, at_a_time: int) -> int:
        done = child(measured, tmp_path / f"{name}{at_a_time}", address, name, at_a_time)
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    few = peak("few", AT_A_TIME)
    assert peak("many", AT_A_TIME) < few + FLAT_KIB
    assert peak("many", MANY) > few + 4 * FLAT_KIB


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
