"""Who may do what: every operation of the OpenAPI document, for everybody, on what is theirs, others' and nobody's.

An operation without a row here fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.domain.permissions import SCOPES
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.services.context import Context
from tests.cli.shop.told_shop import SHELF
from tests.governance.api.floor import answering, shop, shop_template
from tests.governance.api.modelled import CANDIDATE
from tests.governance.api.operations import (
    BODIES,
    ENDLESS,
    OK,
    PARAMS,
    PREFIX,
    REFUSED_IN_BROWSERS,
    ROLES,
    SEEN_HASH,
    TABLE,
    THINGS,
    USERS,
    WEBHOOK,
)
from tests.governance.api.people import DATA, REQUESTS, Browser, Person, code, issue
from tests.governance.api.test_life import insert, proposed
from tests.governance.services.conftest import DATASET, PROJECT, START

__all__ = ["shop_template"]
pytestmark = pytest.mark.timeout(600)


@dataclass(frozen=True)
class World:
    """Everybody, and one of each thing.

    Attributes:
        people: Role → who calls.
        own: Name in an address → what is there.
        content_hash: Content of the change request.
    """

    people: Mapping[str, Person]
    own: Mapping[str, str]
    content_hash: str


@pytest.fixture
def app(context: Context, shop_template: Path) -> Iterator[FastAPI]:
    made = application(context, answering(shop(context, shop_template)))
    yield made
    ended(made)


@pytest.fixture
def world(app: FastAPI, context: Context) -> World:
    with context.metadata.transaction() as tx:
        for name, admin in (("dan", False), ("bot", False), ("ada", True)):
            tx.people.add(User(name, "", admin, START))
        tx.projects.set_role(Membership(PROJECT, "dan", "viewer", "ann", START))
        tx.projects.set_role(Membership(PROJECT, "bot", "service", "ann", START))
        tx.projects.add(Project("foreign", "", "", "ada", START))
    people = {role: Person(app, issue(context, user, role)) for role, user in USERS.items()}
    people["anonymous"] = Person(app, None)
    people["narrow"] = Person(app, issue(context, "ann", "narrow", scopes=["read"]))
    gone = issue(context, "ann", "expired", scopes=SCOPES, length=timedelta(0))
    people["expired"] = Person(app, gone)
    people["browser"] = Browser(app, "owner")
    people["forged"] = Browser(app, "owner", csrf="")
    people["foreign"] = Browser(app, "owner", origin="http://evil.example")
    author, owner = people["author"], people["owner"]
    request = proposed(author, insert("S1"))
    number = str(request["number"])
    owner.put(f"{REQUESTS}/{number}/reviewers/dan")
    own = {
        "project": PROJECT,
        "dataset": DATASET,
        "number": number,
        "session": author.post(f"{DATA}/live_sessions")["id"],
        "job": author.post(f"{PREFIX}/query", {"sql": "SELECT 1"})["job"],
        "webhook": owner.post(f"{PREFIX}/projects/{PROJECT}/webhooks", WEBHOOK)["webhook"]["id"],
        "event": str(_sent(context, owner, number)),
        "view": owner.post(f"{DATA}/views", {})["id"],
        "comment": owner.post(f"{REQUESTS}/{number}/comments", {"body": "x"})["id"],
        "run": owner.get(f"{REQUESTS}/{number}/validation")[0]["id"],
        "upload": owner.post(f"{DATA}/uploads?file_name=x.csv")["id"],
        "browser_session": _session(context, app),
        **{"alert": "a1", "plan": "p1", "shelf": SHELF, "layer": "ops", "table": "alerts"},
        "version": CANDIDATE,
        "act": owner.post(f"{PREFIX}/acts", BODIES["/acts"])[0]["id"],
        "user": "vic",
        "group": "pricing",
        "token": people["admin"].post(f"{PREFIX}/users/ann/tokens", {"days": 1})["token"]["id"],
    }
    return World(people, own, request["content_hash"])


def _sent(context: Context, owner: Person, number: str) -> int:
    """Number of an event that is on its way to the webhook."""
    owner.post(f"{REQUESTS}/{number}/comments", {"body": "x"})
    with context.metadata.reading() as tx:
        return tx.events.newest()


def _session(context: Context, app: FastAPI) -> str:
    """Id of a session of the owner."""
    browser = Browser(app, "owner")
    with context.metadata.reading() as tx:
        return tx.browsers.signed_in(browser.secret, context.clock())[1].id


def operations(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Operations of the document, without the prefix."""
    for path, found in app.openapi()["paths"].items():
        if path.startswith(PREFIX):
            yield from ((method.upper(), path.removeprefix(PREFIX)) for method in found)


def test_every_operation_has_a_row(app: FastAPI) -> None:
    assert {*operations(app)} == {*TABLE, ENDLESS}


def test_every_body_belongs_to_an_operation(app: FastAPI) -> None:
    paths = {path for _, path in operations(app)}
    assert paths.issuperset(BODIES)
    assert paths.issuperset(PARAMS)


def called(world: World, role: str, method: str, path: str, named: Mapping[str, str]) -> str:
    """What an operation answers: its code, or `ok` for what is not about who calls."""
    body = BODIES.get(path) if method != "GET" else None
    if body and body.get("content_hash") == SEEN_HASH:
        body = {**body, "content_hash": world.content_hash}
    address = PREFIX + path.format_map(named) + PARAMS.get(path, "")
    answer = world.people[role].call(method, address, body)
    assert answer.status_code < 500, answer.text
    return OK if answer.status_code < 400 else code(answer)


def kind(found: str) -> str:
    refusals = (
        "unauthenticated",
        "forbidden",
        "not_found",
        "author_approves",
        *REFUSED_IN_BROWSERS.values(),
    )
    return found if found in refusals else OK


@pytest.mark.parametrize("role", ROLES)
def test_an_operation_is_for_whom_the_table_names(app: FastAPI, world: World, role: str) -> None:
    wrong = {}
    for method, path in sorted(operations(app), key=_order):
        if (method, path) == ENDLESS:
            continue
        found = kind(called(world, role, method, path, world.own))
        expected = TABLE[method, path].expected(role, method)
        if found != expected:
            wrong[f"{method} {path}"] = f"{found}, not {expected}"
    assert wrong == {}


def _order(operation: tuple[str, str]) -> tuple[bool, int, str]:
    """What takes things away comes last, the smallest thing first."""
    method, path = operation
    ends = method == "DELETE" or path.endswith(("/submit", "/withdraw"))
    signs = path.startswith("/sign_")
    return ends or signs, -len(path), method


@pytest.mark.parametrize(
    "name",
    THINGS,
)
def test_what_is_unknown_or_in_a_foreign_project_is_not_found(
    app: FastAPI, world: World, name: str
) -> None:
    unknown = {"project": "unknown", "number": "999"}.get(name, "f" * 32)
    owner = world.people["owner"]
    others = [{**world.own, name: unknown}]
    if name == "project":
        others.append({**world.own, name: "foreign"})
    for method, path in operations(app):
        if f"{{{name}}}" not in path:
            continue
        for named in others:
            body = BODIES.get(path) if method != "GET" else None
            address = PREFIX + path.format_map(named) + PARAMS.get(path, "")
            answer = owner.call(method, address, body)
            assert code(answer) == "not_found", (method, address, answer.text)
