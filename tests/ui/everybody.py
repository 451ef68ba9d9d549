"""Everybody in front of the pages, on a lake where each form of `FORMS` stands on a page."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from lakeshelf.governance.api.app import application, ended
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership
from lakeshelf.governance.metadata.tables.work import BackgroundJob
from lakeshelf.governance.services.context import Context
from lakeshelf.ui import serving
from lakeshelf.ui.pages import whatif
from tests.cli.shop.told_shop import OPENED, SHELF, write
from tests.governance.api.floor import answering, shop
from tests.governance.api.modelled import CANDIDATE, CHAMPION
from tests.governance.api.operations import MEMBERS, PREFIX, USERS, WEBHOOK
from tests.governance.api.people import DATA, REQUESTS, Browser, Person, issue
from tests.governance.api.test_life import act, done, insert, proposed, set_
from tests.governance.services.conftest import DATASET, PROJECT, START

NARROW = "narrow"
"""An owner who signed in with a token for reading."""
SIGNED_IN = (*MEMBERS, "outsider", "admin", NARROW)
OFFSET = 7


@dataclass(frozen=True)
class Everybody:
    """Who is signed in, and what there is.

    Attributes:
        browsers: Role → their browser.
        own: Name in an address → what is there, as the matrix of the API has it.
        content_hash: Content of the change request that is pending.
        requests: State of a change request → its number.
        sent: Messages and records that left.
    """

    browsers: Mapping[str, Browser]
    own: Mapping[str, str]
    content_hash: str
    requests: Mapping[str, str]
    sent: list[Any] = field(default_factory=list)

    def addresses(self, path: str) -> list[str]:
        """Where a page of the declarations is, in all states that its forms need."""
        own = self.own
        queries = {
            "/explore": [f"?job={own['job']}"],
            "/whatif": [f"?job={own['replay']}"],
            "/pipeline": [f"?fix=shelf_events:0:{OFFSET}"],
            "/admin": [
                f"?project={own['project']}&dataset={own['dataset']}&webhook={own['webhook']}&user=vic",
                "?user=ann",
            ],
            "/audit": [f"?project={own['project']}"],
            "/data/{project}/{dataset}/blame": ["?row_id=S1"],
        }
        names = [own]
        if "{number}" in path:
            names = [{**own, "number": number} for number in self.requests.values()]
        if "{version}" in path:
            names = [{**own, "version": version} for version in (CANDIDATE, CHAMPION)]
        filled = [
            path.replace("{id:path}", SHELF).replace(":path", "").format_map(one) for one in names
        ]
        return [place + query for place in filled for query in queries.get(path, [""])]


@contextmanager
def pages(
    context: Context, template: Path, sent: list[Any], today: date | None = None
) -> Iterator[FastAPI]:
    """The application with its pages, whose shop has a record that was refused, and is open where a day is named."""
    made = answering(shop(context, template), sent)
    held = {"topic": "shelf_events", "partition": 0, "kafka_timestamp": OPENED, "key": b"k"}
    record = {**held, "offset": OFFSET, "value": b"{", "reason": "not_json", "detail": ""}
    assert context.root.folder is not None
    write(context.root.folder, "raw/quarantine", {**record, "ingested_at": OPENED})

    def correct(records: Sequence[Mapping[str, Any]]) -> int:
        sent.extend(records)
        return len(records)

    app = application(context, replace(made, correct=correct, today=lambda: today))
    serving.install(app)
    try:
        yield app
    finally:
        ended(app)


def everybody(app: FastAPI, context: Context, sent: list[Any]) -> Everybody:
    """Everybody, signed in, and one of each thing."""
    with context.metadata.transaction() as tx:
        for name, is_admin in (("dan", False), ("bot", False), ("ada", True), ("sys", True)):
            tx.people.add(User(name, "", is_admin, START))
        tx.projects.set_role(Membership(PROJECT, "dan", "viewer", "ann", START))
        tx.projects.set_role(Membership(PROJECT, "bot", "service", "ann", START))
    secrets = {role: issue(context, user, role) for role, user in USERS.items()}
    people = {role: Person(app, secret) for role, secret in secrets.items()}
    issue(context, "ann", NARROW, scopes=["read"])
    other_admin = Person(app, issue(context, "sys", "sys"))
    for user in ("ada", "eve"):
        other_admin.post(f"{PREFIX}/users/{user}/tokens", {"days": 1})
    owner, author = people["owner"], people["author"]
    requests = _requests(people)
    owner.post(f"{DATA}/snapshots", {"name": "kept"})
    owner.put(f"{PREFIX}/projects/{PROJECT}/groups/pricing/members/vic")
    owner.put(f"{DATA}/reviewers/dan")
    comment = owner.post(f"{REQUESTS}/{requests['pending']}/comments", {"body": "x"})
    hook = owner.post(f"{PREFIX}/projects/{PROJECT}/webhooks", WEBHOOK)["webhook"]["id"]
    owner.post(f"{REQUESTS}/{requests['pending']}/comments", {"body": "told the webhook"})
    with context.metadata.reading() as tx:
        event = tx.events.newest()
    browsers = {role: Browser(app, secret) for role, secret in {**secrets, NARROW: NARROW}.items()}
    own = {
        "project": PROJECT,
        "dataset": DATASET,
        "number": requests["pending"],
        "job": _running(context, "cat_", "query", {"sql": "SELECT 1"}),
        "replay": _running(context, "cat_", "whatif", dict.fromkeys(whatif.PLAIN) | {"set": {}}),
        "version": CANDIDATE,
        "webhook": hook,
        "event": str(event),
        "comment": comment["id"],
        "upload": _uploaded(owner),
        "browser_session": _session(context, browsers["owner"]),
        "shelf": SHELF,
        "user": "vic",
        "group": "pricing",
        "token": people["admin"].get(f"{PREFIX}/users/ann/tokens")[0]["id"],
        "act": author.post(f"{PREFIX}/acts", {"command": "ack", "targets": ["a1"]})[0]["id"],
    }
    sent.clear()
    content_hash = author.get(f"{REQUESTS}/{requests['pending']}")["request"]["content_hash"]
    return Everybody(browsers, own, content_hash, requests, sent)


def _requests(people: Mapping[str, Person]) -> dict[str, str]:
    """A change request in each state in which something can be done with it; all by the author."""
    owner, reviewer, author = (people[role] for role in ("owner", "contributor", "author"))
    merged = done(author, reviewer, insert("S1"), insert("S2"))
    clashing = proposed(author, set_("S2", "min_qty", 4))
    done(owner, reviewer, set_("S2", "min_qty", 6))
    rejected, approved, pending = (
        proposed(author, set_("S1", column, 7))
        for column in ("min_qty", "target_pct", "threshold_pct")
    )
    act(reviewer, rejected, "reject", comment="no")
    act(reviewer, approved, "approve")
    made = {
        "pending": pending,
        "approved": approved,
        "rejected": rejected,
        "merged": merged,
        "clashing": clashing,
    }
    for one in made.values():
        if one is not merged:
            owner.put(f"{REQUESTS}/{one['number']}/reviewers/dan")
    return {state: str(one["number"]) for state, one in made.items()}


def _running(context: Context, user: str, kind: str, params: dict[str, Any]) -> str:
    """A job of somebody that runs, in a process that says that it lives."""
    now = context.clock()
    job = BackgroundJob(
        *(context.new_id(), "", user, kind, params, "running", now),
        *("elsewhere", now + timedelta(days=1)),
        started_at=now,
    )
    with context.metadata.transaction() as tx:
        return tx.jobs.add(job).id


def _uploaded(person: Person) -> str:
    headers = {"Content-Type": "application/octet-stream"}
    place = f"{DATA}/uploads?file_name=x.csv"
    sent = person.sent("POST", place, headers=headers, content=b"shelf_id,min_qty\nS1,3\n")
    return str(asyncio.run(sent).json()["id"])


def _session(context: Context, browser: Browser) -> str:
    with context.metadata.reading() as tx:
        return tx.browsers.signed_in(browser.secret, context.clock())[1].id
