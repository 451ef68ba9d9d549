"""Whoever follows the topics of datasets ends when told to, also while a broker is silent or there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from threading import Event, Thread

import pytest

from lakeshelf.errors import BrokerError
from lakeshelf.governance.services import adopting
from lakeshelf.governance.services.context import Context
from lakeshelf.kafka import topics
from tests.support import eventually


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mapping[str, str]]:
    """A broker that takes connections and says nothing; who waits for it waits for longer than a test may take."""
    monkeypatch.setattr(topics, "TIMEOUT", 3_000.0)
    with socket.create_server(("127.0.0.1", 0)) as place:
        yield {"bootstrap.servers": f"127.0.0.1:{place.getsockname()[1]}", "log_level": "0"}


def started(context: Context, client: adopting.Client, stop: Event) -> Thread:
    thread = Thread(target=adopting.follow, args=(context, client, stop), daemon=True)
    thread.start()
    return thread


def test_a_broker_that_is_silent_holds_up_nobody_who_is_to_end(
    context: Context, silent: Mapping[str, str]
) -> None:
    stop, asked = Event(), Event()

    def client() -> Mapping[str, str]:
        asked.set()
        return silent

    thread = started(context, client, stop)
    assert asked.wait(60)
    stop.set()
    eventually(lambda: not thread.is_alive(), "it has ended", 60)


def test_without_a_broker_it_is_asked_for_again_until_the_end(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adopting, "PAUSE_S", 0.01)
    stop, asked = Event(), []

    def client() -> Mapping[str, str]:
        asked.append(1)
        raise BrokerError("no broker runs", hint="`lakeshelf up`")

    thread = started(context, client, stop)
    eventually(lambda: len(asked) > 2, "it is asked for again")
    stop.set()
    eventually(lambda: not thread.is_alive(), "it has ended")


def test_who_asks_without_an_end_has_the_answer_or_the_refusal(silent: Mapping[str, str]) -> None:
    stop = Event()
    stop.set()
    with pytest.raises(topics.Stopped, match="nobody waits"):
        topics.ids(silent, ["clock"], stop)
    assert topics.ids(silent, [], stop) == {}
