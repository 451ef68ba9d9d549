"""The metadata of the tests: each test has a database of its own, in SQLite and in PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lakeshelf.governance.metadata import Metadata
from tests.governance.postgres import CannotRun, Postgres, running
from tests.governance.worker import process, worker

__all__ = ["process", "worker"]

NOW = datetime(2026, 3, 14, 10, 5, 11, 123456, UTC)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever needs a worker waits for its start, and is slow."""
    for item in items:
        if "worker" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server of PostgreSQL, started when the first test asks for it."""
    try:
        with running() as server:
            yield server
    except CannotRun as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def postgres_template(postgres: Postgres) -> str:
    """Name of a database whose schema is there."""
    address = postgres.create()
    Metadata.open(address).close()
    return postgres.name(address)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose schema is there."""
    file = tmp_path_factory.mktemp("metadata") / "template.db"
    Metadata.open(file).close()
    return file


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """A database of the test's own, with its schema and without rows."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        yield Path(shutil.copy(template, tmp_path / "metadata.db"))
    else:
        server: Postgres = request.getfixturevalue("postgres")
        address = server.create(request.getfixturevalue("postgres_template"))
        yield address
        server.drop(address)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """A database in which nothing is."""
    if request.param == "sqlite":
        yield tmp_path / "folder" / "metadata.db"
    else:
        server: Postgres = request.getfixturevalue("postgres")
        address = server.create()
        yield address
        server.drop(address)


@pytest.fixture
def metadata(database: Path | str) -> Iterator[Metadata]:
    """Open metadata."""
    with Metadata.open(database) as metadata:
        yield metadata
