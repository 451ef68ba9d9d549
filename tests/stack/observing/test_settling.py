"""A lake at rest: what keeps it from coming to rest is said, and nobody waits for what nobody does."""

from __future__ import annotations

import pytest
from confluent_kafka import Producer

from lakeshelf.errors import StreamError
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.observing import settling
from tests.support import make_topics

pytestmark = pytest.mark.slow


def send(client: dict[str, str]) -> None:
    """One record of a raw topic."""
    producer = Producer(client)
    producer.produce("foot_traffic", b"{}")
    assert producer.flush(30) == 0


def test_a_lake_without_jobs_does_not_come_to_rest(settings: Settings, broker: Broker) -> None:
    """Where nobody folds, that is said long before patience ends; nothing sent is at rest at once."""
    broker.start(die_with_parent=True)
    broker.wait_healthy()
    client = client_settings(settings)
    make_topics(client)
    rest = settling.settled(settings, 600)
    assert set(rest.records.values()) == {0}
    send(client)
    with pytest.raises(StreamError, match="foot_traffic while the lake was compared"):
        settling.require_still(settings, rest)
    with pytest.raises(StreamError, match="1 record not folded, and no jobs run"):
        settling.settled(settings, 600)
