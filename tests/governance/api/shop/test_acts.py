"""Acts of the staff: asked once whatever happens, with the name of who asks, and told what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import orjson
import pytest
from fastapi import FastAPI

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.governance.api.app import application
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata import work
from lakeshelf.governance.metadata.tables.acts import Act
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop import acting
from lakeshelf.governance.services.shop.running import Message
from tests.cli.shop.told_shop import ALERT, OPENED, SHELF, event, write
from tests.governance.api.floor import answering, shop
from tests.governance.api.people import Browser, Person, told
from tests.governance.services.conftest import START, Clock

API = "/api/v1"


class Broker(list[Message]):
    """Takes messages, or is down."""

    def __init__(self) -> None:
        super().__init__()
        self.is_down = False

    def extend(self, messages: Any) -> None:
        if self.is_down:
            raise refused("service_unavailable", "the broker is down")
        for topic, message in messages:
            assert check(CATALOG.topics[topic], orjson.dumps(message)) is None
            self.append((topic, message))


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def app(context: Context, shop_template: Any, broker: Broker) -> FastAPI:
    return application(context, answering(shop(context, shop_template), broker))


def ask(person: Person, command: str, *targets: str, **headers: str) -> list[dict[str, Any]]:
    body = {"command": command, "targets": targets, "reason": "seen"}
    answer: list[dict[str, Any]] = told(person.call("POST", f"{API}/acts", body, **headers))
    return answer


def states(acts: Sequence[dict[str, Any]]) -> dict[str, tuple[str, str | None]]:
    return {act["target"]: (act["state"], act["refusal"]) for act in acts}


def judged(context: Context, act: dict[str, Any], refusal: str | None = None) -> None:
    """The engine has met a command."""
    assert context.root.folder is not None
    asked = {"command": act["command"], "target_id": act["target"], "actor": act["user"]}
    place = {"met_version": 1, "kafka_partition": 0, "kafka_offset": 9, "event_time": OPENED}
    row = {"event_id": act["id"], **asked, **place, "updated_at": OPENED, "refusal": refusal}
    write(context.root.folder, "ops/shelf_commands", row)


def test_many_are_asked_at_once_and_what_is_closed_or_unknown_is_refused(
    ben: Person, broker: Broker
) -> None:
    acts = ask(ben, "dismiss", "a1", "none", "a3", "a1")
    assert states(acts) == {
        "a1": ("asked", None),
        "none": ("refused", "no alert 'none'"),
        "a3": ("asked", None),
    }
    assert len(acts) == 3
    assert [message["target_id"] for _, message in broker] == ["a1", "a3"]
    topic, message = broker[0]
    assert topic == "commands"
    known = {"command": "dismiss", "actor": "ben", "reason": "seen", "store_id": "S1"}
    assert message.items() >= known.items()
    assert states(ask(ben, "cancel", "p1")) == {
        "p1": ("refused", "plan 'p1' is issued already; nothing was sent")
    }
    assert len(broker) == 2


def test_it_is_told_what_became_of_an_act(
    ben: Person, vic: Person, context: Context, clock: Clock
) -> None:
    done, refused_, open_ = ask(ben, "ack", "a1", "a2", "a3")
    judged(context, done)
    judged(context, refused_, "alert a2 is resolved")
    assert states(vic.get(f"{API}/acts")["acts"]) == {
        "a1": ("done", None),
        "a2": ("refused", "alert a2 is resolved"),
        "a3": ("asked", None),
    }
    assert vic.get(f"{API}/acts/{done['id']}")["settled_at"] is not None
    [waiting] = vic.get(f"{API}/acts", state="asked", user="ben")["acts"]
    assert waiting["id"] == open_["id"]
    page = vic.get(f"{API}/acts", limit=2, offset=2)
    assert (len(page["acts"]), page["total"]) == (1, 3)
    clock.pass_(seconds=1)
    ask(ben, "dismiss", "a2")
    chosen = {"target": ["a1", "a2"], "newest": "true"}
    assert [one["state"] for one in vic.get(f"{API}/acts", **chosen)["acts"]] == ["asked", "done"]
    assert vic.get(f"{API}/acts", command=["dismiss", "cancel"])["total"] == 1


def test_acts_of_a_shelf_are_also_those_on_what_is_closed_of_it(ben: Person) -> None:
    ask(ben, "cancel", "p1", "none")
    ask(ben, "dismiss", "a1")
    acts = ben.get(f"{API}/acts", shelf=SHELF)["acts"]
    assert states(acts).keys() == {"p1", "a1"}
    among = ben.get(f"{API}/acts", shelf=SHELF, target=["p1", "none"])
    assert states(among["acts"]) == {
        "p1": ("refused", "plan 'p1' is issued already; nothing was sent")
    }
    assert ben.get(f"{API}/acts", shelf="none")["total"] == 1


def test_what_a_component_refused_or_did_is_told_too(
    ben: Person, context: Context, clock: Clock
) -> None:
    assert context.root.folder is not None
    alert = {**ALERT, "event_type": "expired_removal", "batch_code": "L1"}
    names = ("expired_removal:one", "expired_removal:two")
    write(context.root.folder, "ops/alerts", *({**alert, "alert_id": name} for name in names))
    one, _ = ask(ben, "dismiss", *names)
    place = {"topic": "commands", "partition": 0, "offset": 3, "kafka_timestamp": START}
    value = orjson.dumps({"event_id": one["id"]})
    reason = {"reason": "refused_command", "detail": "it is over", "ingested_at": START}
    write(context.root.folder, "raw/quarantine", {**place, **reason, "value": value})
    obeyed = {"status": "dismissed", "actor": "ben", "version": 2}
    write(context.root.folder, "ops/alerts", {**alert, "alert_id": names[1], **obeyed})
    clock.pass_(minutes=1)
    assert states(ben.get(f"{API}/acts")["acts"]) == {
        names[0]: ("refused", "refused_command: it is over"),
        names[1]: ("done", None),
    }


def test_a_corrected_count_is_done_when_it_is_in_the_books(
    ben: Person, broker: Broker, context: Context
) -> None:
    assert context.root.folder is not None
    act = ben.post(f"{API}/shelves/{SHELF}/adjust", {"quantity": -2})
    [(topic, message)] = broker
    assert topic == "shelf_events"
    known = {"event_type": "adjustment", "quantity": -2, "actor": "ben", "reason": "stocktaking"}
    assert message.items() >= known.items()
    assert ben.get(f"{API}/acts/{act['id']}")["state"] == "asked"
    booked = {**event(99, "adjustment", 50, quantity=-2), "event_id": act["id"]}
    write(context.root.folder, "raw/shelf_events", booked)
    assert ben.get(f"{API}/acts/{act['id']}")["state"] == "done"


@pytest.mark.parametrize(
    ("shelf", "body", "code"),
    [
        ("none", {"quantity": 1}, "not_found"),
        (SHELF, {"quantity": 0}, "request_invalid"),
        (SHELF, {"quantity": 2**40}, "request_invalid"),
        (SHELF, {"quantity": 1, "actor": "ann"}, "request_invalid"),
    ],
)
def test_a_count_that_cannot_be_is_refused_and_leaves_nothing(
    ben: Person, broker: Broker, shelf: str, body: dict[str, Any], code: str
) -> None:
    assert ben.refused("POST", f"{API}/shelves/{shelf}/adjust", body) == code
    assert not broker
    assert ben.get(f"{API}/acts")["total"] == 0


def test_who_may_not_is_told_why_and_nothing_is_sent(
    vic: Person, eve: Person, broker: Broker
) -> None:
    for person, reason in ((vic, "a viewer may not"), (eve, "no role in the project retail")):
        body = {"command": "ack", "targets": ["a1"]}
        answer = person.call("POST", f"{API}/acts", body).json()["error"]
        assert answer["code"] == "forbidden"
        assert reason in answer["message"]
    assert not broker


def test_a_call_that_is_sent_again_asks_once(ben: Person, broker: Broker) -> None:
    first = ask(ben, "ack", "a1", X_Request_ID="one")
    assert ask(ben, "ack", "a1", X_Request_ID="one") == first
    assert len(broker) == 1
    assert ask(ben, "ack", "a1", X_Request_ID="two") != first
    assert len({message["event_id"] for _, message in broker}) == 2


def test_a_call_whose_process_died_before_its_answer_sends_the_same_messages_again(
    ben: Person, cat: Person, broker: Broker, context: Context, clock: Clock
) -> None:
    first = ask(ben, "ack", "a1", "a3", X_Request_ID="one")
    with context.metadata.transaction() as tx:
        tx.idempotency.forget(context.clock() + timedelta(days=2))  # nobody was answered
        tx.acts._connection.exec_driver_sql("UPDATE act SET sent_at = NULL")  # nor was it noted
    again = ask(ben, "ack", "a1", "a3", X_Request_ID="one")
    assert [act["id"] for act in again] == [act["id"] for act in first]
    assert broker[:2] == broker[2:]
    ask(cat, "ack", "a1", X_Request_ID="one")
    assert len(broker) == 5


def test_two_that_serve_one_call_ask_once(
    ben: Person, broker: Broker, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second one began before the first had written, which counts as dead after two minutes."""
    [first] = ask(ben, "ack", "a1", X_Request_ID="one")
    with context.metadata.transaction() as tx:
        tx.idempotency.forget(context.clock() + timedelta(days=2))
    seen: list[list[Act]] = [[]]
    of_call = work.Acts.of_call

    def late(acts: work.Acts, user: str, request_id: str, command: str) -> list[Act]:
        return seen.pop() if seen else of_call(acts, user, request_id, command)

    monkeypatch.setattr(work.Acts, "of_call", late)
    [second] = ask(ben, "ack", "a1", X_Request_ID="one")
    assert second == first
    assert len(broker) == 1


def test_while_the_broker_is_down_nothing_is_told_as_sent(ben: Person, broker: Broker) -> None:
    broker.is_down = True
    body = {"command": "ack", "targets": ["a1"]}
    answer = ben.call("POST", f"{API}/acts", body, X_Request_ID="one")
    assert answer.json()["error"]["code"] == "service_unavailable"
    [act] = ben.get(f"{API}/acts")["acts"]
    assert (act["state"], act["sent_at"]) == ("asked", None)
    broker.is_down = False
    [again] = ask_again = told(ben.call("POST", f"{API}/acts", body, X_Request_ID="one"))
    assert (again["id"], len(ask_again), len(broker)) == (act["id"], 1, 1)
    assert again["sent_at"] is not None


def test_an_act_is_in_the_audit_and_an_event(ann: Person, ben: Person) -> None:
    ask(ben, "ack", "a1", "none")
    [written] = ann.get(f"{API}/projects/retail/audit", action="act.asked")
    assert written["user"] == "ben"
    details = {"command": "ack", "targets": ["a1", "none"], "refused": ["none"], "reason": "seen"}
    assert written["details"] == details
    assert [one["kind"] for one in ann.get(f"{API}/events/list")][-1] == "act.asked"


def test_a_browser_asks_with_its_csrf_token(app: FastAPI, ben: Person, broker: Broker) -> None:
    body = {"command": "ack", "targets": ["a1"]}
    assert Browser(app, "ben", csrf="").refused("POST", f"{API}/acts", body) == "csrf_refused"
    assert not broker
    assert states(Browser(app, "ben").post(f"{API}/acts", body)) == {"a1": ("asked", None)}


def test_acts_are_forgotten_after_their_time(
    ben: Person, context: Context, clock: Clock, broker: Broker
) -> None:
    from lakeshelf.governance.services import upkeep

    ask(ben, "ack", "a1")
    clock.pass_(days=89)
    upkeep.forget(context)
    with context.metadata.reading() as tx:
        assert tx.acts.all({})[1] == 1
    clock.pass_(days=1)
    upkeep.forget(context)
    with context.metadata.reading() as tx:
        assert tx.acts.all({})[1] == 0
    assert acting.settle(context) == 0
