"""The embedded broker with a process of its own around it, as a container has it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable

from lakeshelf.errors import BrokerError
from lakeshelf.logs import log
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.broker import Broker

LOOK_S = 0.5


def run(settings: Settings, names: Iterable[str]) -> None:
    """Run the broker until a signal.

    Args:
        settings: Where its data lie, where it listens, heap.
        names: None.

    Raises:
        BrokerError: It cannot start, or ended by itself.
    """
    broker, stop = Broker(settings), threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    broker.start(die_with_parent=True)
    try:
        broker.wait_healthy()
        log.info("broker runs", address=broker.bootstrap_servers)
        while not stop.wait(LOOK_S):
            if not broker.is_running():
                raise BrokerError(
                    f"the broker ended: {broker.last_words()}", hint=f"see {broker.log_file}"
                )
    finally:
        broker.stop()
