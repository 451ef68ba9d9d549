"""A database is made, brought up or refused when it is opened."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
import traceback
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.database import engines, schema
from lakeshelf.governance.metadata.database.records import TABLES
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.settings import Settings
from tests.governance.conftest import NOW
from tests.governance.postgres import PASSWORD, Postgres

ANN = User("ann", "Ann", admin=True, created_at=NOW)


def run(place: Path | str, statement: str) -> None:
    engine = engines.engine(engines.address(place))
    with engine.connect() as connection:
        engines.begin(connection, writes=True)
        connection.execute(text(statement))
        connection.commit()
    engine.dispose()


def test_a_migration_is_in_the_file_of_its_version() -> None:
    folder = ScriptDirectory(str(schema.FOLDER))
    assert [script.revision for script in folder.walk_revisions()] == schema.KNOWN[::-1]


@pytest.mark.slow
def test_the_migrations_make_the_tables_that_are_declared(empty_database: Path | str) -> None:
    with Metadata.open(empty_database) as metadata, metadata._connected(writes=False) as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, TABLES) == []


def test_a_table_that_no_migration_makes_is_noticed(metadata: Metadata) -> None:
    with metadata._connected(writes=True) as connection:
        connection.execute(text('ALTER TABLE "user" DROP COLUMN label'))
        context = MigrationContext.configure(
            connection, opts={"version_table": schema.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, TABLES) != []


def test_a_database_is_opened_again_with_what_it_holds(empty_database: Path | str) -> None:
    for _ in range(2):
        with Metadata.open(empty_database) as metadata, metadata.transaction() as tx:
            if not tx.people.find("ann"):
                tx.people.add(ANN)
            assert tx.people.all() == [ANN]


def test_a_database_of_the_schema_before_is_brought_up_with_what_it_holds(
    empty_database: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def before(connection: Connection) -> None:
        command.upgrade(schema._config(connection), schema.KNOWN[-2])

    with monkeypatch.context() as older:
        older.setattr(schema, "bring_up", before)
        with Metadata.open(empty_database) as metadata, metadata.transaction() as tx:
            tx.people.add(ANN)
    assert Metadata.present(empty_database) is None
    with Metadata.open(empty_database) as metadata, metadata.reading() as tx:
        assert tx.people.all() == [ANN]


def test_of_many_who_open_an_empty_database_one_makes_the_schema(
    empty_database: Path | str,
) -> None:
    failures: list[BaseException] = []

    def opening() -> None:
        try:
            Metadata.open(empty_database).close()
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=opening) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_database_of_a_newer_release_is_refused(database: Path | str) -> None:
    run(database, f"UPDATE {schema.VERSION_TABLE} SET version_num = 'v9000'")
    with pytest.raises(GovernanceError, match=r"is of a newer release \(schema v9000") as refused:
        Metadata.open(database)
    assert refused.value.code == "storage_unavailable"
    assert "upgrade Lakeshelf" in refused.value.hint


def test_a_database_of_somebody_else_is_refused_and_stays_as_it_is(
    empty_database: Path | str,
) -> None:
    if isinstance(empty_database, Path):
        empty_database.parent.mkdir()
    run(empty_database, "CREATE TABLE invoice (number integer)")
    for _ in range(2):
        with pytest.raises(GovernanceError, match="somebody else's: it holds the table invoice"):
            Metadata.open(empty_database)


def test_a_schema_of_our_own_in_a_database_of_somebody_else_will_do(postgres: Postgres) -> None:
    address = postgres.create()
    run(address, "CREATE TABLE invoice (number integer)")
    run(address, "CREATE SCHEMA governance")
    within = f"{address}&options=-csearch_path%3Dgovernance"
    for _ in range(2):
        with Metadata.open(within) as metadata, metadata.transaction() as tx:
            assert tx.people.all() == []
    with pytest.raises(GovernanceError, match="somebody else's"):
        Metadata.open(address)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("dusty shelves " * 100)
    with pytest.raises(GovernanceError, match="not a database") as refused:
        Metadata.open(file)
    assert refused.value.status == 503
    assert file.read_text() == "dusty shelves " * 100


def test_the_file_is_for_its_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "metadata.db"
    before = os.umask(0)
    try:
        with Metadata.open(file) as metadata, metadata.transaction() as tx:
            tx.people.add(ANN)
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in file.parent.iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(["metadata.db", "metadata.db-wal", "metadata.db-shm"], 0o600)


def test_a_full_disk_undoes_the_transaction_and_says_so(tmp_path: Path) -> None:
    def fill(metadata: Metadata) -> None:
        with metadata.transaction() as tx:
            pages = tx._connection.exec_driver_sql("PRAGMA page_count").scalar_one()
            tx._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            tx.people.add(ANN)
            tx.people.change("ann", label="x" * 100_000)

    with Metadata.open(tmp_path / "metadata.db") as metadata:
        with pytest.raises(GovernanceError, match=r"disk is full; free some space"):
            fill(metadata)
        with metadata.reading() as tx:
            assert tx.people.all() == []


@pytest.mark.parametrize(
    "address",
    [
        "mysql://u:not-to-be-shown@h/d",
        "not-to-be-shown",
        "sqlite://",
        "",
        "postgresql://u:not-to-be-shown@h:port/d",
    ],
)
def test_an_address_that_cannot_be_is_refused_without_being_shown(address: str) -> None:
    with pytest.raises(GovernanceError, match="cannot be read") as refused:
        Metadata.open(address)
    assert "LAKESHELF_GOVERNANCE_DATABASE" in refused.value.hint
    assert PASSWORD not in "".join(traceback.format_exception(refused.value))


def test_a_server_that_is_down_is_named_without_its_password() -> None:
    with pytest.raises(
        GovernanceError, match=r"database postgresql://\*\*\*@127.0.0.1:1/shop cannot"
    ) as error:
        Metadata.open(f"postgresql://{PASSWORD}:{PASSWORD}@127.0.0.1:1/shop?password={PASSWORD}")
    assert error.value.code == "storage_unavailable"
    assert PASSWORD not in "".join(traceback.format_exception(error.value))


def test_an_option_that_no_connection_has_is_refused() -> None:
    with pytest.raises(GovernanceError, match=r'option "colour"; correct LAKESHELF_GOVERNANCE'):
        Metadata.open(f"postgresql://u:{PASSWORD}@127.0.0.1:1/shop?colour=red")


def test_a_wrong_password_is_not_shown(postgres: Postgres) -> None:
    address = postgres.address("postgres").replace(PASSWORD, "guessed")
    with pytest.raises(GovernanceError, match="authentication failed") as error:
        Metadata.open(address)
    assert "guessed" not in "".join(traceback.format_exception(error.value))


def test_a_server_that_goes_away_costs_the_transaction_alone(postgres: Postgres) -> None:
    def cut_off(metadata: Metadata) -> None:
        with metadata.transaction() as tx:
            tx.people.add(ANN)
            postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
            )
            tx.people.all()

    with Metadata.open(postgres.create()) as metadata:
        with pytest.raises(GovernanceError, match=r"it was cut off: try again"):
            cut_off(metadata)
        with metadata.transaction() as tx:
            assert tx.people.all() == []


def test_the_database_is_beside_the_state_of_the_lake_unless_it_is_named(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)
    assert settings.governance_place == tmp_path / "_governance" / "metadata.db"
    address = f"postgresql://ann:{PASSWORD}@db/shop"
    named = Settings(state_dir=tmp_path, governance_database=address)
    assert named.governance_place == address
    assert PASSWORD not in f"{named!r} {named.model_dump(mode='json')}"


def test_words_of_the_metadata_never_show_the_password(postgres: Postgres) -> None:
    with Metadata.open(postgres.create()) as metadata:
        assert PASSWORD not in f"{metadata!r} {metadata.place}"
        assert "***@" in metadata.place


def test_sqlite_waits_for_its_disk_and_holds_keys_together(tmp_path: Path) -> None:
    with (
        Metadata.open(tmp_path / "metadata.db") as metadata,
        metadata._connected(writes=False) as connection,
    ):
        pragmas = ["journal_mode", "synchronous", "foreign_keys", "busy_timeout"]
        values = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in pragmas]
    assert values == ["wal", 2, 1, engines.WAIT_S * 1000]
    with sqlite3.connect(tmp_path / "metadata.db") as connection:
        assert connection.execute("SELECT count(*) FROM governance_version").fetchone() == (1,)
    connection.close()
