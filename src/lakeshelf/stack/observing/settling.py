"""A lake at rest: everything that was sent is folded, and nothing more comes while it is looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lakeshelf.counts import count_of
from lakeshelf.errors import StreamError
from lakeshelf.kafka import topics
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.clients import running_client
from lakeshelf.stack.observing import lag
from lakeshelf.stack.observing.processes import heard, led
from lakeshelf.streams.declare import plan, registry

POLL_S = 0.5
SILENCE_S = 5.0
"""How long nobody has to say that it folds before nobody does: a driver that just starts says nothing yet."""

Show = Callable[[int, int], None]
"""Called with the records that are folded and those that there are."""


@dataclass(frozen=True)
class Rest:
    """The state of the raw topics once all of it was folded.

    Attributes:
        ends: Topic → partition → offset behind the last record.
    """

    ends: Mapping[str, Mapping[str, int]]

    @property
    def records(self) -> dict[str, int]:
        """Records of each raw topic."""
        return {topic: sum(partitions.values()) for topic, partitions in self.ends.items()}


def settled(settings: Settings, patience_s: float, show: Show = lambda done, of: None) -> Rest:
    """Wait until every query has folded all that is in its topics.

    Args:
        settings: The lake and its Kafka.
        patience_s: Longest wait for the next record to be folded.
        show: Shows how far it is.

    Raises:
        BrokerError: No broker answers.
        StreamError: Nobody folds what is left, or nothing of it was folded for so long.
    """
    client = running_client(settings)
    plans = plan.plan(registry.discover(*settings.homes).values())
    mirrored = [topic for query in plans for topic in query.mirrors]
    most, left, moved = 0, -1, time.monotonic()
    while now := lag.total(lag.behind(settings, client, plans)):
        most = max(most, now)
        if now != left:
            left, moved = now, time.monotonic()
            show(most - now, most)
        _require_progress(settings, left, time.monotonic() - moved, patience_s)
        time.sleep(POLL_S)
    return Rest(topics.end_offsets(client, mirrored))


def require_still(settings: Settings, rest: Rest) -> None:
    """Refuse what was compared while more was sent.

    Raises:
        StreamError: A topic has grown since.
    """
    ends = topics.end_offsets(running_client(settings), list(rest.ends))
    if grown := [topic for topic in ends if ends[topic] != rest.ends[topic]]:
        raise StreamError(
            f"records came to {', '.join(grown)} while the lake was compared",
            hint="stop whoever sends, such as the simulation (`lakeshelf up --no-simulation`), and run it again",
        )


def _require_progress(settings: Settings, left: int, still_s: float, patience_s: float) -> None:
    if still_s > SILENCE_S and not heard(settings, "streams").status and not led(settings):
        raise StreamError(
            f"{count_of(left, 'record')} not folded, and no jobs run on {settings.lake}",
            hint="start them with `lakeshelf up`",
        )
    if still_s > patience_s:
        raise StreamError(
            f"nothing was folded for {patience_s:.0f} s, {count_of(left, 'record')} left",
            hint="see `lakeshelf status`, or wait longer with --timeout",
        )
