"""Ctrl-C while the main thread waits for a key."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NUDGE = signal.SIGURG


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a wait for a key, whichever thread the system gives the signal to.

    Python raises `KeyboardInterrupt` in the main thread, but a signal that another thread took does not wake the
    main thread from a system call: it would be noticed after the next Enter. So it is woken by a signal of its own.
    """
    ends = os.pipe()
    os.set_blocking(ends[1], False)
    woken = signal.signal(NUDGE, lambda *_: None)
    written = signal.set_wakeup_fd(ends[1], warn_on_full_buffer=False)
    relay = threading.Thread(target=_relay, args=(ends[0], threading.get_ident()), daemon=True)
    relay.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(written)
        signal.signal(NUDGE, woken)
        os.close(ends[1])
        relay.join()
        os.close(ends[0])


def _relay(signals: int, thread: int) -> None:
    while numbers := os.read(signals, 64):
        if signal.SIGINT in numbers:
            signal.pthread_kill(thread, NUDGE)
