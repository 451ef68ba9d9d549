"""The Python client does the whole life of a change by itself, over a socket."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import httpx
import pytest

from lakeshelf.governance.client import Client, Project, Request
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.governance.services.acting import ROW
from tests.governance.services.conftest import DATASET, PROJECT
from tests.governance.services.imports.filing import edited, workbook

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
As = Callable[[str], Client]


@pytest.fixture
def as_(address: str, context: Context) -> Iterator[As]:
    """The client of a user."""
    clients: list[Client] = []

    def of(user: str) -> Client:
        clients.append(Client(address, issue(context, user, user)))
        return clients[-1]

    yield of
    for one in clients:
        one.close()


def seen(request: Request) -> str:
    content: str = request.get()["request"]["content_hash"]
    return content


def merged(request: Request, reviewer: Client) -> None:
    """A request that somebody approves and merges."""
    own = reviewer.project(PROJECT).request(request.number)
    own.approve(seen(own))
    own.merge(seen(own))


def test_a_change_lives_from_edit_to_revert(as_: As) -> None:
    ann, ben, cat = as_("ann"), as_("ben"), as_("cat_")
    policies = ann.project(PROJECT).dataset(DATASET)
    session = policies.open_session()
    edited = session.edit(
        [{"op": "insert", "row_id": f"S{n}", "value": {**ROW, "min_qty": n}} for n in range(1, 51)]
    )
    assert (len(edited["edits"]), edited["refusals"]) == (50, [])
    previewed = session.preview()
    assert previewed["counts"]["inserted"] == 50
    assert {one["row_id"]: one["new"]["min_qty"] for one in previewed["changes"]} == {
        f"S{n}": n for n in range(1, 51)
    }
    first = session.submit("Fifty shelves")
    with pytest.raises(GovernanceError) as error:
        first.approve(seen(first))
    assert error.value.code == "author_approves"
    merged(first, ben)

    mine, theirs = (one.project(PROJECT).dataset(DATASET).open_session() for one in (ann, cat))
    mine.set("S1", "min_qty", 7)
    theirs.set("S1", "min_qty", 9)
    later = theirs.submit("Nine")
    merged(mine.submit("Seven"), ben)
    with pytest.raises(GovernanceError) as error:
        merged(later, ben)
    assert error.value.code == "conflicts"
    (conflict,) = error.value.details["conflicts"]
    assert (conflict["base"], conflict["main"], conflict["staged"]) == (1, 7, 9)
    later.resolve(seen(later), {("S1", "min_qty"): "take_staged"})
    merged(later, ben)
    assert policies.blame("S1")["min_qty"]["change_request"] == later.number

    back = later.revert()
    merged(back, ben)
    view = policies.view(filters=[{"column": "shelf_id", "op": "=", "value": "S1"}])
    rows = policies.rows(view["id"])
    assert rows["columns"]["min_qty"] == [7]


def test_files_rules_and_versions_are_in_the_client_s_hands_alone(as_: As) -> None:
    """A supplier's workbook, an export that grew old, blame, yesterday's version, and a tighter rule."""
    owner, reviewer = as_("ann"), as_("ben")
    ann, ben, cat = (one.project(PROJECT) for one in (owner, reviewer, as_("cat_")))
    supplier = workbook([("shelf_id", *ROW), *((f"S{n}", *ROW.values()) for n in range(3))])
    loaded = ann.dataset(DATASET).upload("supplier.xlsx", lambda: [supplier]).load("Spring")
    merged(ann.request(loaded["request"]["number"]), reviewer)
    begun = ann.dataset(DATASET).get()["meta"]["delta_version"]

    sink = io.BytesIO()
    assert cat.dataset(DATASET).export(sink, "xlsx").endswith(".xlsx")
    session = ann.dataset(DATASET).open_session()
    session.set("S0", "min_qty", 7)
    merged(session.submit("Seven"), reviewer)
    old = edited(sink.getvalue(), {("S1", "min_qty"): 3})
    loaded = cat.dataset(DATASET).upload("old.xlsx", lambda: [old]).load()
    merged(cat.request(loaded["request"]["number"]), reviewer)
    assert units(ann) == {"S0": 7, "S1": 3, "S2": 1}
    assert ann.dataset(DATASET).blame("S1")["min_qty"]["actor"] == "cat_"

    waiting = cat.dataset(DATASET).open_session()
    waiting.set("S2", "min_qty", 5)
    open_ = waiting.submit("Five")
    ben.request(open_.number).approve(seen(open_))
    definition = ben.dataset(DATASET).definition()["definition"]
    rule = {"name": "few", "kind": "between", "columns": ["min_qty"], "params": {"maximum": 50}}
    tighter = {**definition, "version": 2, "rules": [*definition["rules"], rule]}
    merged(ben.dataset(DATASET).propose_definition(tighter, "At most 50"), owner)
    assert open_.get()["request"]["status"] == "pending_review"

    merged(ann.dataset(DATASET).restore(begun, "As it was"), reviewer)
    assert units(ann) == {"S0": 1, "S1": 1, "S2": 1}


def units(project: Project) -> dict[str, int]:
    """Shelf → `min_qty` as it stands."""
    dataset = project.dataset(DATASET)
    columns = dataset.rows(dataset.view()["id"])["columns"]
    return dict(zip(columns["shelf_id"], columns["min_qty"], strict=True))


def test_a_refusal_comes_as_the_api_says_it(as_: As) -> None:
    eve = as_("eve")
    with pytest.raises(GovernanceError) as error:
        eve.project(PROJECT).dataset(DATASET).get()
    assert (error.value.code, error.value.status) == ("not_found", 404)
    with pytest.raises(GovernanceError) as error:
        eve.project(PROJECT).remove_member("ann")
    assert error.value.code == "not_found"


def test_who_does_not_answer_is_named_with_a_way_on(as_: As, address: str) -> None:
    with pytest.raises(GovernanceError) as error:
        Client("http://127.0.0.1:9", "token", seconds=2).me()
    assert error.value.code == "service_unavailable"
    assert "127.0.0.1:9" in error.value.message
    assert "lakeshelf up" in error.value.hint


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"error": 1}'])
def test_an_address_of_somebody_else_is_told(content: bytes) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(404, content=content))
    with pytest.raises(GovernanceError) as error:
        Client("http://elsewhere", "token", transport=transport).me()
    assert error.value.code == "service_unavailable"


def test_a_call_whose_answer_was_lost_is_made_once_more_under_the_same_key() -> None:
    keys: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        keys.append(request.headers["x-request-id"])
        if len(keys) == 1:
            raise httpx.RemoteProtocolError("gone")
        return httpx.Response(200, json={"user": "ann"})

    client = Client("http://elsewhere", "token", transport=httpx.MockTransport(answer))
    assert client.me() == {"user": "ann"}
    assert keys[0] == keys[1]


def test_the_token_is_never_shown(as_: As) -> None:
    client = Client("http://elsewhere", "very-secret")
    assert "very-secret" not in repr(client)


def test_events_come_as_they_happen(as_: As) -> None:
    ann = as_("ann")
    ann.project(PROJECT).dataset(DATASET).open_session().insert("S1", ROW)
    kinds = []
    for event in ann.events(after=0):
        kinds.append(event["kind"])
        if event["kind"] == "session.opened":
            break
    assert kinds[0] == "dataset.created"


def test_an_edit_that_is_refused_is_an_error_and_of_many_an_answer(as_: As) -> None:
    session = as_("ann").project(PROJECT).dataset(DATASET).open_session()
    lost = {"op": "set", "row_id": "none", "column": "min_qty", "value": 1}
    assert [one["row_id"] for one in session.edit([lost])["refusals"]] == ["none"]
    for edit in (
        lambda: session.set("none", "min_qty", 1),
        lambda: session.remove("none"),
        lambda: session.insert("S1", {**ROW, "min_qty": "many"}),
    ):
        with pytest.raises(GovernanceError) as error:
            edit()
        assert error.value.code in ("row_not_found", "value_invalid")
    assert session.get()["edits"] == 0
