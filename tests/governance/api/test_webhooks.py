"""Events at addresses outside: signed, sent again, given up, and never into the network of the service itself."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.api.serving import Serving
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.webhooks import addresses, delivering, hooks, sending
from lakeshelf.governance.services.webhooks.addresses import Destination
from tests.governance.api.people import Person, issue
from tests.governance.api.test_life import insert, proposed
from tests.governance.services.conftest import PROJECT, Clock

HOOKS = f"/api/v1/projects/{PROJECT}/webhooks"


@dataclass
class Receiver:
    """A server on this machine that is told of events.

    Attributes:
        url: Its address.
        answers: Statuses that it answers with, the last one again and again.
        received: Path, headers and body of what came.
        open: It answers once this is set.
    """

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    received: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()
    state.open.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.received.append((self.path, dict(self.headers.items()), body))
            state.open.wait(60)
            status = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            self.send_response(status)
            if status // 100 == 3:
                self.send_header("Location", f"{state.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield state
    state.open.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(context: Context) -> FastAPI:
    return application(context, serving=Serving(private_webhooks=True))


@pytest.fixture
def hook(ann: Person, receiver: Receiver) -> dict[str, Any]:
    made: dict[str, Any] = ann.post(HOOKS, {"url": f"{receiver.url}/in?x=1", "kinds": ["cr"]})
    return made


def deliver(context: Context, *, is_private: bool = True) -> int:
    return delivering.deliver(context, is_private=is_private)


def deliveries(ann: Person, hook: dict[str, Any]) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = ann.get(f"{HOOKS}/{hook['webhook']['id']}/deliveries")
    return listed


def test_an_event_arrives_signed_with_its_time(
    context: Context, ann: Person, hook: dict[str, Any], receiver: Receiver
) -> None:
    request = proposed(ann, insert("S1"))
    assert deliver(context) == 2
    assert deliver(context) == 0
    kinds = [json.loads(body)["kind"] for _, _, body in receiver.received]
    assert sorted(kinds) == ["cr.drafted", "cr.submitted"]
    path, headers, body = receiver.received[0]
    said = json.loads(body)
    assert (path, said["request"], said["project"]) == ("/in?x=1", request["number"], PROJECT)
    timestamp = headers["Lakeshelf-Timestamp"]
    assert int(timestamp) == int(context.clock().timestamp())
    signed = timestamp.encode() + b"." + body
    expected = hmac.new(hook["secret"].encode(), signed, hashlib.sha256).hexdigest()
    assert headers["Lakeshelf-Signature"] == f"v1={expected}"
    assert headers["Lakeshelf-Delivery"] == f"{hook['webhook']['id']}-{said['number']}"
    assert all(one["delivered_at"] and one["due_at"] is None for one in deliveries(ann, hook))


def test_the_secret_is_told_once(ann: Person, hook: dict[str, Any]) -> None:
    assert hook["secret"].startswith("lkw_")
    body = {"url": "https://hooks.example/in"}
    first = ann.call("POST", HOOKS, body, X_Request_ID="w1").json()
    again = ann.call("POST", HOOKS, body, X_Request_ID="w1").json()
    assert again == {"webhook": first["webhook"]}
    assert hook["secret"] not in json.dumps(ann.get(HOOKS))
    audit = json.dumps(ann.get(f"/api/v1/projects/{PROJECT}/audit"))
    assert hook["secret"] not in audit


@pytest.mark.parametrize("status", [500, 404, 302, 307])
def test_what_does_not_arrive_is_sent_again_after_growing_pauses_and_given_up(
    context: Context,
    ann: Person,
    hook: dict[str, Any],
    receiver: Receiver,
    clock: Clock,
    status: int,
) -> None:
    receiver.answers = [status]
    proposed(ann, insert("S1"))
    for tries, pause in enumerate((*delivering.PAUSES, None), 1):
        assert deliver(context) == 2
        assert {
            (one["attempts"], str(status) in one["error"]) for one in deliveries(ann, hook)
        } == {(tries, True)}
        assert deliver(context) == 0
        if pause is not None:
            clock.pass_(seconds=pause.total_seconds() - 1)
            assert deliver(context) == 0
            clock.pass_(seconds=1)
    clock.pass_(days=2)
    assert deliver(context) == 0
    assert {one["due_at"] for one in deliveries(ann, hook)} == {None}
    assert {path for path, *_ in receiver.received} == {"/in?x=1"}
    given_up = [one["event"]["kind"] for one in ann.get("/api/v1/notices")]
    assert given_up.count("webhook.given_up") == 2


def test_a_message_that_arrives_late_arrives_once_and_keeps_its_id(
    context: Context, ann: Person, hook: dict[str, Any], receiver: Receiver, clock: Clock
) -> None:
    receiver.answers = [503, 503, 204]
    proposed(ann, insert("S1"))
    deliver(context)
    clock.pass_(seconds=10)
    deliver(context)
    clock.pass_(days=1)
    assert deliver(context) == 0
    ids = [headers["Lakeshelf-Delivery"] for _, headers, _ in receiver.received]
    assert sorted(ids[:2]) == sorted(ids[2:])
    times = {headers["Lakeshelf-Timestamp"] for _, headers, _ in receiver.received}
    assert len(times) == 2


def test_a_receiver_that_hangs_or_drips_holds_nobody_up(receiver: Receiver) -> None:
    receiver.open.clear()
    place = Destination.of(receiver.url, is_private=True)
    message = sending.WebhookMessage(b"{}", "cr.merged", "h1-1", 0, "secret")
    with pytest.raises(sending.Undelivered, match="no answer within"):
        sending.send(place, "127.0.0.1", message, seconds=0.3)
    with dripping() as url, pytest.raises(sending.Undelivered, match="no answer within"):
        sending.send(Destination.of(url, is_private=True), "127.0.0.1", message, seconds=0.5)


class dripping:  # noqa: N801 - used like a function
    """A server that sends a byte now and then, and never a whole answer."""

    def __enter__(self) -> str:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            while not self._end.wait(0.05):
                try:
                    connection.send(b"H")
                except OSError:
                    return

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        self._socket.close()


def test_nobody_listens_is_remembered_as_why(
    context: Context, ann: Person, receiver: Receiver
) -> None:
    free = socket.create_server(("127.0.0.1", 0))
    port = free.getsockname()[1]
    free.close()
    hook = ann.post(HOOKS, {"url": f"http://127.0.0.1:{port}", "kinds": ["cr"]})
    proposed(ann, insert("S1"))
    deliver(context)
    assert {one["error"] for one in deliveries(ann, hook)} == {"[Errno 111] Connection refused"}


PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "172.16.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "fe80::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "ff02::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_no_event_leads_into_the_network_of_the_service(context: Context, address: str) -> None:
    person = Person(application(context), issue(context, "ann", "ann"))
    literal = f"[{address}]" if ":" in address else address
    assert person.refused("POST", HOOKS, {"url": f"https://{literal}/x"}) == "webhook_refused"
    place = Destination.of("https://hooks.example", is_private=False)
    with pytest.raises(GovernanceError) as refused:
        place.resolved(resolving("93.184.216.34", address))
    assert refused.value.code == "webhook_refused"
    assert Destination.of("https://hooks.example", is_private=True).resolved(resolving(address))


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST", "localhost.", "shop.localhost", "127.1", "2130706433", "0x7f.1", "0177.0.0.1",
        "%31%32%37.0.0.1", "127.0.0.1.", "[::ffff:7f00:1]", "[fe80::1%25lo]", "0", "10.1",
    ],
)  # fmt: skip
def test_no_spelling_of_an_address_of_this_machine_is_taken(context: Context, host: str) -> None:
    person = Person(application(context), issue(context, "ann", "ann"))
    refusal = person.refused("POST", HOOKS, {"url": f"https://{host}/x"})
    assert refusal == "webhook_refused"
    assert person.get(HOOKS) == []


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34"])
def test_addresses_of_the_internet_are_taken(address: str) -> None:
    place = Destination.of("https://hooks.example", is_private=False)
    assert place.resolved(resolving(address)) == address


def resolving(*listed: str) -> Callable[..., list[tuple[Any, ...]]]:
    return lambda *_, **__: [(socket.AF_INET, 1, 6, "", (one, 443)) for one in listed]


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example",
        "ftp://hooks.example",
        "https://user:secret@hooks.example",
        "https://hooks.example/#x",
        "https://hooks.example:99999",
        "https://hooks.example:0",
        "https://",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX: y",
        "https://h\u00f6oks.example",
        "https://" + "a" * 2_000,
        "hooks.example",
        "https://localhost.\u2024x",
    ],
)
def test_an_address_that_cannot_be_is_refused(context: Context, url: str) -> None:
    person = Person(application(context), issue(context, "ann", "ann"))
    assert person.refused("POST", HOOKS, {"url": url}) in ("webhook_refused", "request_invalid")
    assert person.get(HOOKS) == []


def test_a_name_is_looked_up_anew_at_each_try_and_only_that_address_is_called(
    context: Context,
    ann: Person,
    hook: dict[str, Any],
    receiver: Receiver,
    clock: Clock,
) -> None:
    """What was public when it was made may lead to this machine today: then nothing is sent."""
    proposed(ann, insert("S1"))
    assert deliver(context, is_private=False) == 2
    assert receiver.received == []
    assert all("https alone" in one["error"] for one in deliveries(ann, hook))
    clock.pass_(seconds=10)
    assert deliver(context, is_private=True) == 2
    assert len(receiver.received) == 2
    place = Destination.of(
        receiver.url.replace("127.0.0.1", "no.such.host.invalid"), is_private=True
    )
    message = sending.WebhookMessage(b"{}", "cr.merged", "h1-1", 0, "secret")
    sending.send(place, "127.0.0.1", message)
    assert receiver.received[-1][1]["Host"] == place.url.netloc


def test_without_the_look_at_addresses_events_would_lead_to_this_machine(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_is_public", lambda _: True)
    place = Destination.of(f"https://127.0.0.1:{receiver.url.rpartition(':')[2]}", is_private=False)
    assert place.resolved() == "127.0.0.1"


def test_who_is_switched_off_gets_nothing_until_switched_on(
    context: Context, ann: Person, hook: dict[str, Any], receiver: Receiver
) -> None:
    path = f"{HOOKS}/{hook['webhook']['id']}"
    proposed(ann, insert("S1"))
    assert ann.call("PATCH", path, {"enabled": False}).json()["disabled_at"]
    assert deliver(context) == 0
    [first, *_] = deliveries(ann, hook)
    again = f"{path}/deliveries/{first['event']}"
    assert ann.refused("POST", again) == "transition_refused"
    assert ann.call("PATCH", path, {"enabled": True}).json()["disabled_at"] is None
    assert ann.post(again)["attempts"] == 0
    assert deliver(context) == 1
    assert ann.call("DELETE", path).status_code == 204
    assert ann.get(HOOKS) == []


def test_a_process_that_ends_while_it_sends_leaves_it_to_another(
    context: Context, ann: Person, hook: dict[str, Any], receiver: Receiver, clock: Clock
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    proposed(ann, insert("S1"))
    with pytest.raises(Killed):
        delivering.deliver(context, is_private=True, post=killed)
    assert deliver(context) == 0
    clock.pass_(seconds=delivering.CLAIMED.total_seconds())
    assert deliver(context) == 2
    assert len(receiver.received) == 2


def test_a_project_has_so_many_webhooks(ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "MOST", 1)
    body = {"url": "https://hooks.example/in"}
    ann.post(HOOKS, body)
    assert ann.refused("POST", HOOKS, body) == "request_invalid"


def test_a_kind_that_none_can_be_is_refused(ann: Person) -> None:
    body = {"url": "https://hooks.example/in", "kinds": ["cr.merged", "CR 41"]}
    assert ann.refused("POST", HOOKS, body) == "request_invalid"
