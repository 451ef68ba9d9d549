"""A shop in which people have lived, and each of its pages as full as one is."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.ui.pages import PAGES
from tests.cli.shop import sold_shop
from tests.cli.shop.told_shop import ALERT, LOT, OPENED, SHELF, write
from tests.governance.api.operations import PREFIX, USERS
from tests.governance.api.people import DATA, REQUESTS, Person, told
from tests.governance.api.serving import listening
from tests.governance.api.test_life import done, insert, proposed, set_
from tests.governance.services.conftest import DATASET, PROJECT, Clock, services
from tests.ui import everybody
from tests.ui.everybody import Everybody

POLICIES = 60
SOLD = sold_shop.past(8, 35)
CROWD, CROWDED = "S9", 100
"""A store with so many shelves."""
STATEMENT = "SELECT alert_id, event_type, current_stock, created_at FROM ops.alerts"
FILE = b"""shelf_id,threshold_pct,min_qty,target_pct,near_expiry_days,active
S9,30,1,80,5,true
S8,30,many,80,5,true
S7,130,,80,5,perhaps
"""
"""What somebody uploads; its cells are not all values."""


@dataclass(frozen=True)
class Lived:
    """The shop.

    Attributes:
        address: Where its pages listen.
        context: What its API stands on.
        all: Who is there.
        people: Role → who calls the API as that.
        number: Of a change request that is looked at.
    """

    address: str
    context: Context
    all: Everybody
    people: Mapping[str, Person]
    number: str


@contextmanager
def shop(template: Path, worker: Worker) -> Iterator[Lived]:
    """A shop that listens for as long as the block takes.

    Args:
        template: A lake in which something has happened.
        worker: What judges its rows.
    """
    folder = Path(tempfile.mkdtemp(prefix="lakeshelf-"))
    lake = folder / "lake"
    try:
        with Metadata.open(folder / "metadata.db") as metadata:
            context = services(metadata, lake, worker, Clock())
            with (
                everybody.pages(context, template, [], OPENED.date()) as app,
                listening(app) as address,
            ):
                sold_shop.make(lake, SOLD)
                _stocked(lake)
                all_ = everybody.everybody(app, context, [])
                people = {role: Person(app, role) for role in USERS}
                yield Lived(address, context, all_, people, _lived(people))
    finally:
        shutil.rmtree(folder)


def _stocked(root: Path) -> None:
    """Goods in the back room of the shelf, and on their way from there."""
    here = {"shelf_id": SHELF, "store_id": "S1", "item_id": "I1"}
    known = {"last_event_time": OPENED, "updated_at": OPENED, "version": 2, "balance": 18}
    first = {"first_event_time": OPENED, "first_event_id": "w0"}
    write(root, "cleansed/wh_state", {**here, **known, **first, "wh_current_stock": 18})
    lot = {"batch_code": LOT, "received_date": OPENED.date(), "batch_quantity_warehouse": 18}
    write(root, "cleansed/wh_batch_state", {"shelf_id": SHELF, **known, **lot})
    moved = {"sent": 4, "arrived": 2, "updated_at": OPENED}
    write(root, "staging/shelf_transit", {"shelf_id": SHELF, **moved})


def _lived(people: Mapping[str, Person]) -> str:
    """Policies, a change request of them that is looked at, and its number."""
    owner, reviewer, author = (people[role] for role in ("owner", "contributor", "author"))
    shelves = [SHELF, *(f"S{1 + n % 4}-I{2 + n}" for n in range(POLICIES - 1))]
    rows = [
        insert(shelf, threshold_pct=40 - n % 4 * 5, min_qty=4) for n, shelf in enumerate(shelves)
    ]
    done(owner, reviewer, *rows)
    edits = [set_(shelf, "threshold_pct", 15) for shelf in shelves[:6]]
    words = {"title": "Lower thresholds for dairy", "description": "It is delivered daily now."}
    number = str(proposed(author, *edits, set_(SHELF, "min_qty", 2), **words)["number"])
    remark = {"body": "Why 2?", "row_id": SHELF, "column": "min_qty"}
    reviewer.post(f"{REQUESTS}/{number}/comments", remark)
    return number


def chosen(lived: Lived) -> dict[str, str]:
    """Page → the address that is pictured, where nobody is in the middle of something."""
    listed = {page.path: lived.all.addresses(page.path)[0] for page in PAGES}
    return listed | {
        "/reviews/{project}/{number}": f"/reviews/{PROJECT}/{lived.number}",
        "/explore": "/explore",
        "/whatif": "/whatif",
        "/pipeline": "/pipeline",
        "/plans": "/plans?status=issued",
        "/trace": "/trace",
        "/shelves/{shelf:path}": f"/shelves/{SHELF}?order=shown",
    }


def full(lived: Lived) -> dict[str, list[str]]:
    """Page → its addresses at which an owner who is an admin finds most, once they have done what fills them."""
    owner, own = lived.people["owner"], lived.all.own
    told(lived.people["admin"].call("PATCH", f"{PREFIX}/users/{USERS['owner']}", {"admin": True}))
    _edited(owner)
    proposed(owner, set_("S2", "target_pct", 70), title="Of the owner")
    owner.post(f"{PREFIX}/shelves/{SHELF}/adjust", {"quantity": 1})
    here = f"/data/{PROJECT}/{DATASET}"
    numbers = (lived.number, *(lived.all.requests[state] for state in ("clashing", "merged")))
    hook = {"project": PROJECT, "dataset": DATASET, "webhook": own["webhook"], "user": "ann"}
    return {
        **{page: [address] for page, address in chosen(lived).items()},
        "/reviews/{project}/{number}": [f"/reviews/{PROJECT}/{number}" for number in numbers],
        "/alerts": ["/alerts?store=S1"],
        "/admin": [f"/admin?{urlencode(hook)}"],
        "/audit": [f"/audit?project={PROJECT}"],
        "/explore": [_explored(owner)],
        "/whatif": [_replayed(owner)],
        "/pipeline": lived.all.addresses("/pipeline"),
        "/data/{project}/{dataset}": [f"{here}?facet.active=true"],
        "/data/{project}/{dataset}/history": [f"{here}/history?before=1&after=3"],
        "/data/{project}/{dataset}/blame": [f"{here}/blame?row_id={SHELF}"],
        "/imports/{project}/{upload}": [f"/imports/{PROJECT}/{_looked_through(owner)}"],
    }


def _edited(person: Person) -> None:
    """Edits that are not submitted, of which the rules refuse one."""
    session = f"{PREFIX}/live_sessions/{person.post(f'{DATA}/live_sessions')['id']}"
    edits = [set_(SHELF, "threshold_pct", 0), set_("S1", "threshold_pct", 130), insert("S99")]
    assert person.post(f"{session}/edits", {"edits": edits})["refusals"] == []


def _explored(person: Person) -> str:
    job = _ended(person, person.post(f"{PREFIX}/query", {"sql": STATEMENT})["job"])
    return f"/explore?{urlencode({'job': job, 'x': 'alert_id', 'y': 'current_stock'})}"


def _replayed(person: Person) -> str:
    question = {"set": {"threshold_pct": "50", "reorder_point_qty": "4"}, "frontier": True}
    return f"/whatif?job={_ended(person, person.post(f'{PREFIX}/whatif', question)['id'])}"


def _ended(person: Person, job: str) -> str:
    seen: dict[str, Any] = person.get(f"{PREFIX}/jobs/{job}", wait=9)
    assert seen["status"] == "done", seen
    return job


def _looked_through(person: Person) -> str:
    """An upload of which is known what is refused."""
    headers = {"Content-Type": "application/octet-stream"}
    place = f"{DATA}/uploads?file_name=policies.csv"
    upload = told(asyncio.run(person.sent("POST", place, headers=headers, content=FILE)))["id"]
    place = f"{PREFIX}/projects/{PROJECT}/uploads/{upload}"
    person.post(f"{place}/load", {"dry_run": True})
    return str(upload)


def crowded(lived: Lived) -> list[str]:
    """Addresses of lists that hold as many rows as a page shows."""
    reviewer, author = (lived.people[role] for role in ("contributor", "author"))
    folder = lived.context.root.folder
    assert folder is not None
    shelves = [f"{CROWD}-I{n}" for n in range(CROWDED)]
    places = [{"store_id": CROWD, "shelf_id": shelf, "item_id": shelf} for shelf in shelves]
    kept = {"max_stock": 10, "unit_price": Decimal(2), "standard_batch_size": 10}
    named = {"name": "Whole milk", "version": 1, "updated_at": OPENED}
    write(folder, "curated/shelf_profiles", *({**kept, **named, **one} for one in places))
    write(folder, "ops/alerts", *({**ALERT, **one, "alert_id": one["shelf_id"]} for one in places))
    done(author, reviewer, *map(insert, shelves))
    edits = [set_(shelf, column, 7) for shelf in shelves for column in ("min_qty", "target_pct")]
    number = proposed(author, *edits, title="All of a store")["number"]
    return [f"/alerts?store={CROWD}", f"/reviews/{PROJECT}/{number}"]
