"""What tests of several rooms need."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import BrokerError
from lakeshelf.kafka import topics

_LOOK_AGAIN_S = 0.05


def eventually(condition: Callable[[], object], what: str, seconds: float = 180.0) -> None:
    """Wait until a condition holds.

    Args:
        condition: Looked at again and again.
        what: What is waited for, for the failure.
        seconds: Deadline.
    """
    pause = threading.Event()
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        pause.wait(_LOOK_AGAIN_S)


def make_topics(client: Mapping[str, str]) -> None:
    """Make every topic that is not there, and wait until each can be asked for its ends.

    Args:
        client: librdkafka settings that reach a broker.
    """
    topics.ensure_all(client)

    def answered() -> bool:
        try:
            topics.end_offsets(client, CATALOG.topics)
        except BrokerError:
            return False
        return True

    eventually(answered, "every topic has a leader")
