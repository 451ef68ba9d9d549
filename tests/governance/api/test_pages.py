"""The pages for managers, reviewers and operators: every command and every program in them does what they say."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import psycopg
import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.client import Client
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.people.sample import keep_secret
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision import governed
from lakeshelf.streams.declare.registry import discover
from tests.cli.shop.told_shop import write_all
from tests.conftest import Run
from tests.governance.api.floor import answering
from tests.governance.api.people import issue
from tests.governance.api.serving import listening
from tests.governance.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

DOCS = Path(__file__).parents[3] / "docs"
BLOCKS = re.compile(r"```(sh|python)\n(.*?)```", re.DOTALL)
NAMES = {"ann": "ann", "ben": "ben", "cat": "cat_", "vic": "vic"}
"""Person of the pages → user of the tests."""
ASKS = ("cr approve", "cr merge", "data discard")
"""Commands that ask somebody at a terminal; a script says `--yes`."""


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each block of a page that is executed."""
    return BLOCKS.findall((DOCS / page).read_text(encoding="utf-8"))


def lines(page: str) -> list[str]:
    """Commands of a page."""
    return [
        line.partition("#")[0].strip()
        for language, text in blocks(page)
        if language == "sh"
        for line in text.splitlines()
        if line.strip()
    ]


@pytest.fixture
def app(context: Context) -> FastAPI:
    """The API beside a shop whose tables are there."""
    assert context.root.folder is not None
    write_all(context.root.folder)
    jobs = discover(load_settings().home)
    shop = Shop(lambda: jobs, lambda: date(2026, 3, 1), lambda _: "id")
    return application(context, answering(shop))


class Reader:
    """Types the commands of a page."""

    def __init__(self, lakeshelf: Run) -> None:
        self._lakeshelf = lakeshelf

    def types(self, line: str, code: int = 0) -> str:
        line = line.replace("NUMBER", str(self.number)) if "NUMBER" in line else line
        program, *words = shlex.split(line)
        assert program == "lakeshelf"
        more = ["--yes"] if " ".join(words[:2]) in ASKS else []
        done = self._lakeshelf(*words, *more)
        assert done.code == code, f"{line}\n{done.out}\n{done.err}"
        return done.out

    @property
    def number(self) -> int:
        """The request that was submitted last."""
        listed = json.loads(self._lakeshelf("cr", "list", "--as", "ann", "--json").out)
        return max(int(one["CR"]) for one in listed)


@pytest.fixture
def reader(
    lakeshelf: Run,
    context: Context,
    address: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Reader:
    monkeypatch.setenv("LAKESHELF_API_URL", address)
    folder = governed.tokens(load_settings())
    for person, user in NAMES.items():
        keep_secret(folder / person, issue(context, user, f"secret of {user}"))
    monkeypatch.chdir(tmp_path)
    return Reader(lakeshelf)


def test_the_page_of_the_manager(reader: Reader, address: str) -> None:
    said = {line: reader.types(line) for line in lines("governed-steward.md")}
    [program] = [text for language, text in blocks("governed-steward.md") if language == "python"]
    token = (governed.tokens(load_settings()) / "ann").read_text().strip()
    with Client(address, token) as api, contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(program, {"api": api})
    assert printed.getvalue() == "a1 asked None\n"
    assert "25" in said["lakeshelf data show shelf_policies --as ann"]
    assert "SIM-001-00002" not in said["lakeshelf data show shelf_policies --as ann"]
    assert "ben" in said["lakeshelf data history shelf_policies SIM-001-00001 --as ann"]


def test_the_page_of_the_reviewer(reader: Reader) -> None:
    page = lines("governed-reviewer.md")
    nine = page.index('lakeshelf data submit shelf_policies --title "Nine" --as cat')
    for line in page[: nine + 1]:
        reader.types(line)
    assert "CONFLICT" in reader.types(page[nine + 1])
    for line in page[nine + 2 :]:
        reader.types(line)
    shown = json.loads(reader.types("lakeshelf data show shelf_policies --as vic --json"))
    assert {row["shelf_id"]: row["min_qty"] for row in shown} == {"SIM-001-00001": 9}


@pytest.fixture
def prices(postgres: Postgres, lake: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A table of PostgreSQL, where the commands on the lake look for it."""
    assert not lake.exists()
    database = postgres.create()
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.prices (sku text PRIMARY KEY, price numeric(12, 2))")
        connection.execute("INSERT INTO shop.prices VALUES ('milk', 1.09), ('bread', 2.49)")
    monkeypatch.setenv("LAKESHELF_POSTGRES", database)
    yield
    postgres.drop(database)


@pytest.fixture
def fresh(lake: Path) -> Iterator[str]:
    """The API over a lake in which nobody has made anything."""
    settings = load_settings()
    with Metadata.open(settings.governance_place) as metadata:
        context = Context(metadata, Root.at(lake), Worker(governed.worker(settings)))
        with listening(application(context)) as address:
            yield address


@pytest.mark.usefixtures("prices")
def test_the_page_of_the_operator(lakeshelf: Run, fresh: str) -> None:
    reader, outcomes = Reader(lakeshelf), list[str]()
    known = {"address": fresh}
    for language, text in blocks("governed-operator.md"):
        if language == "sh":
            outcomes += [reader.types(line) for line in text.splitlines()]
            continue
        known["token"] = (governed.tokens(load_settings()) / "ada").read_text().strip()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(text, known)
        outcomes.append(printed.getvalue())
    assert "ada project.created" in "".join(outcomes)
    assert "unchanged" in outcomes[-1]
