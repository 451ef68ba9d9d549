"""The application in this process, with a token for each person."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import Person, issue
from tests.governance.api.serving import address
from tests.governance.services.conftest import clock, context

__all__ = ["address", "clock", "context"]


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Path:
    """One database is enough here: what differs between the two is tested below the API."""
    file = tmp_path / "metadata.db"
    file.write_bytes(sqlite_template.read_bytes())
    return file


@pytest.fixture
def app(context: Context) -> FastAPI:
    return application(context)


@pytest.fixture
def ann(app: FastAPI, context: Context) -> Person:
    return Person(app, issue(context, "ann", "ann"))


@pytest.fixture
def ben(app: FastAPI, context: Context) -> Person:
    return Person(app, issue(context, "ben", "ben"))


@pytest.fixture
def cat(app: FastAPI, context: Context) -> Person:
    return Person(app, issue(context, "cat_", "cat_"))


@pytest.fixture
def vic(app: FastAPI, context: Context) -> Person:
    return Person(app, issue(context, "vic", "vic"))


@pytest.fixture
def eve(app: FastAPI, context: Context) -> Person:
    return Person(app, issue(context, "eve", "eve"))
