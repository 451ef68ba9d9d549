"""The Python client does the whole life of a change by itself, over a socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from lakeshelf.governance.client import Client, Request
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import issue
from tests.governance.services.acting import ROW
from tests.governance.services.conftest import DATASET, PROJECT

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


def test_a_refusal_comes_as_the_api_says_it(as_: As) -> None:
    eve = as_("eve")
    with pytest.raises(GovernanceError) as error:
        eve.project(PROJECT).dataset(DATASET).get()
    assert (error.value.code, error.value.status) == ("not_found", 404)


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
