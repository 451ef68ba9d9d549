"""A question to a group that moves to another broker is asked again; any other failure is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeshelf.errors import BrokerError
from lakeshelf.kafka.consuming import coordinated, reader
from lakeshelf.kafka.handles import Reader

NOWHERE = {"bootstrap.servers": "127.0.0.1:1", "log_level": "0"}


@pytest.fixture
def consumer() -> Iterator[Reader]:
    with closing(reader(NOWHERE, "asks")) as opened:
        yield opened


def failing(*codes: int) -> Callable[[], str]:
    """A question that fails with these first."""
    left = list(codes)

    def ask() -> str:
        if left:
            raise KafkaException(KafkaError(left.pop(0)))
        return "answered"

    return ask


def test_a_group_that_moves_is_asked_until_it_has_arrived(consumer: Reader) -> None:
    moves = (
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError._WAIT_COORD,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.NOT_COORDINATOR,
    )
    assert coordinated(failing(*moves), "nothing tells", consumer) == "answered"


def test_a_group_that_moves_for_good_is_told(consumer: Reader) -> None:
    with pytest.raises(BrokerError, match=r"nothing tells: .*coordinator"):
        coordinated(failing(*[KafkaError.NOT_COORDINATOR] * 9), "nothing tells", consumer, 0.2)


def test_any_other_failure_is_told_at_once(consumer: Reader) -> None:
    ask = failing(KafkaError.GROUP_AUTHORIZATION_FAILED)
    with pytest.raises(
        BrokerError, match="nothing tells: the user may not do that with this group"
    ):
        coordinated(ask, "nothing tells", consumer)
    assert ask() == "answered"
