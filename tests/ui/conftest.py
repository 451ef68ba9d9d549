"""The application with its pages, as browsers find it."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from fastapi import FastAPI
from playwright.sync_api import Browser, Page

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from tests.governance.api.conftest import ann, ben, cat, database, eve, vic
from tests.governance.api.serving import address
from tests.governance.conftest import metadata, process, sqlite_template, worker
from tests.governance.services.conftest import clock, context
from tests.ui.browser import pictured, required

__all__ = [
    "address",
    "ann",
    "ben",
    "cat",
    "clock",
    "context",
    "database",
    "eve",
    "metadata",
    "process",
    "sqlite_template",
    "vic",
    "worker",
]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Pages of a test that failed are pictured while they are open."""
    report = yield
    if report.failed and report.when == "call":
        held = getattr(item, "funcargs", {}).values()
        for page in (getattr(one, "page", one) for one in held):
            if isinstance(page, Page):
                pictured(page)
    return report


@pytest.fixture
def app(context: Context) -> FastAPI:
    made = application(context)
    serving.install(made)
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for the tests of a file."""
    with required() as made:
        yield made
