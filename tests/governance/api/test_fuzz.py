"""Whatever is sent to whichever operation, the API answers it or refuses it in the one shape, and never breaks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from httpx import Response
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core import NOT_SET

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.domain.permissions import Role
from lakeshelf.governance.errors import CODES
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.modelled import CANDIDATE
from tests.governance.api.operations import ENDLESS, PREFIX
from tests.governance.api.people import DATA, REQUESTS, Person, issue
from tests.governance.api.test_life import act, insert, proposed, set_
from tests.governance.services.conftest import DATASET, PROJECT

__all__ = ["shop_template"]
pytestmark = pytest.mark.timeout(1_800)
ROLES: Mapping[str, Role] = {"ann": "owner", "ben": "contributor"}


@pytest.fixture(scope="module")
def app(
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
    worker: Worker,
    shop_template: Path,
) -> Iterator[FastAPI]:
    folder = tmp_path_factory.mktemp("fuzz")
    file = folder / "metadata.db"
    file.write_bytes(sqlite_template.read_bytes())
    with Metadata.open(file) as metadata:
        context = Context(metadata, Root.at(folder / "lake"), worker)
        now = context.clock()
        with metadata.transaction() as tx:
            for name in ROLES:
                tx.people.add(User(name, "", True, now))
            tx.projects.add(Project(PROJECT, "", "", "ann", now))
            tx.projects.set_role(Membership(PROJECT, "ben", "contributor", "ann", now))
        datasets.create(context, Caller("ann"), PROJECT, DATASET, bound(CATALOG.topics[DATASET]))
        made = application(context, answering(shop(context, shop_template)))
        yield made
        ended(made)


@pytest.fixture(scope="module")
def ann(app: FastAPI) -> Person:
    return Person(app, issue(app.state.context, "ann", "ann"))


@pytest.fixture(scope="module")
def known(app: FastAPI, ann: Person) -> Mapping[str, str]:
    """Name in an address → what is there."""
    ben = Person(app, issue(app.state.context, "ben", "ben"))
    first = proposed(ann, insert("S1"), insert("S2"))
    act(ben, first, "approve")
    act(ann, first, "merge")
    number = str(proposed(ben, set_("S1", "min_qty", 5))["number"])
    return {
        "project": PROJECT,
        "dataset": DATASET,
        "number": number,
        "session": ann.post(f"{DATA}/live_sessions")["id"],
        "view": ann.post(f"{DATA}/views", {})["id"],
        "comment": ann.post(f"{REQUESTS}/{number}/comments", {"body": "x"})["id"],
        **{"alert": "a1", "plan": "p1", "shelf": SHELF, "layer": "ops", "table": "alerts"},
        "version": CANDIDATE,
        "row_id": "S1",
        "column": "min_qty",
    }


def operations(app: FastAPI) -> list[Any]:
    schema = schemathesis.openapi.from_dict(app.openapi())
    found = [result.ok() for result in schema.get_all_operations()]
    return [
        one for one in found if (one.method.upper(), one.path) != (ENDLESS[0], PREFIX + ENDLESS[1])
    ]


def sent(person: Person, case: Any, known: Mapping[str, str]) -> Response:
    """A generated call; the things that are known are put in the place of generated ones."""
    named = {**(case.path_parameters or {}), **known}
    address = case.path
    for name, value in named.items():
        address = address.replace(f"{{{name}}}", str(value).replace("/", "%2F") or "-")
    query = {n: known.get(n, value) for n, value in (case.query or {}).items()}
    raw = isinstance(case.body, bytes)
    content = {} if case.body is NOT_SET else {"content" if raw else "json": case.body}
    return asyncio.run(
        person.sent(case.method.upper(), address, headers={}, params=query, **content)
    )


def fuzzed(app: FastAPI, person: Person, known: Mapping[str, str], examples: int) -> None:
    broken: dict[str, str] = {}
    for operation in operations(app):

        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), real=st.sampled_from([True, True, True, False]))
        def answered(case: Any, real: bool) -> None:
            try:
                answer = sent(person, case, known if real else {})
            except (UnicodeEncodeError, ValueError):
                return  # no client can send it
            if answer.status_code >= 500:
                broken[f"{case.method.upper()} {case.path}"] = f"{case.body!r} {answer.text}"[:400]
            elif answer.status_code >= 400:
                error = answer.json()["error"]
                assert CODES[error["code"]] == answer.status_code

        answered()
    assert broken == {}


def test_no_call_breaks_the_api(app: FastAPI, ann: Person, known: Mapping[str, str]) -> None:
    fuzzed(app, ann, known, 4)


@pytest.mark.nightly
def test_no_call_breaks_the_api_for_long(
    app: FastAPI, ann: Person, known: Mapping[str, str]
) -> None:
    fuzzed(app, ann, known, 200)
