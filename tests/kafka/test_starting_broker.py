"""What is asked of a broker that starts is answered truly, or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, Producer, TopicPartition

from lakeshelf.errors import BrokerError
from lakeshelf.kafka import topics
from lakeshelf.kafka.topics import Offsets
from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker

TOPIC = "shelf_events"
STARTS, ASKING = 5, 2
"""Without the guarantee one start in two was answered wrongly."""


def test_an_offset_that_no_broker_has_told_is_none() -> None:
    """Kafka's client says so without an error."""
    answered: Future[Any] = Future()
    answered.set_result(SimpleNamespace(offset=OFFSET_INVALID))
    admin: Any = None
    with pytest.raises(BrokerError, match=f"no offset of {TOPIC}/0: the broker that starts"):
        topics._listed(admin, TopicPartition(TOPIC, 0), answered)


@pytest.mark.slow
@pytest.mark.faults
def test_the_ends_of_topics_are_told_as_they_are_while_a_broker_starts(tmp_path: Path) -> None:
    """Else a query that is behind seems to be at the end, and the next step of a shop begins too early."""
    settings = load_settings(lake_root=tmp_path / "lake")
    broker = started(settings)
    client = {"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"}
    try:
        topics.ensure_all(client)
        for _ in range(STARTS):
            send(client)
            ends, up = topics.end_offsets(client, [TOPIC]), threading.Event()
            with ThreadPoolExecutor(ASKING) as pool:
                told = [pool.submit(answers, client, up) for _ in range(ASKING)]
                broker.kill()
                broker = started(settings)
                up.set()
            assert [answer for one in told for answer in one.result() if answer != ends] == []
    finally:
        broker.kill()


def started(settings: Any) -> Broker:
    broker = Broker(settings)
    broker.start(die_with_parent=True)
    broker.wait_healthy()
    return broker


def send(client: dict[str, str]) -> None:
    producer = Producer({**client, "acks": "all"})
    for number in range(50):
        producer.produce(TOPIC, b"{}", str(number))
    producer.flush()


def answers(client: dict[str, str], up: threading.Event) -> list[Offsets]:
    """What the broker says until it is up, and once more."""
    told: list[Offsets] = []
    while True:
        last = up.is_set()
        try:
            told.append(topics.end_offsets(client, [TOPIC]))
        except BrokerError:
            up.wait(0.01)
        if last:
            return told
