"""What the producers of the store simulation share: the stores, the time since the last tick, faults on demand."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from lakeshelf.components.component import Component, Context, JournalEntry, Message, Tick
from lakeshelf.simulation.stores import Store, stores
from lakeshelf.simulation.visits import Visit, visits


class Producer(Component):
    """A producer of the store simulation: it tells what happened since it told last."""

    phase = "sales"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        settings = context.settings
        self.stores: tuple[Store, ...] = stores(
            settings.simulation_seed, settings.simulation_stores, settings.simulation_shelves
        )
        self.until: datetime | None = None
        """Business time up to which everything is told; None before the first tick."""

    def restore(self, last: JournalEntry | None) -> None:
        """Go on where the last entry ended."""
        if last is not None:
            self.until = last.decision.event_time

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """Every tick that brings time forward."""
        return [tick.now] if self.until is None or tick.now > self.until else []

    def outgoing(self, entry: JournalEntry) -> Sequence[Message]:
        """The messages, some of them twice and in another order if the settings say so."""
        settings, messages = self.context.settings, list(entry.decision.messages)
        rng = random.Random(f"{settings.simulation_seed}:{entry.decision.entry_id}")  # noqa: S311
        share = settings.simulation_duplicates
        messages += [m for m in messages if share and rng.random() < share]
        if settings.simulation_reorder:
            rng.shuffle(messages)
        return messages


def visits_between(store: Store, after: datetime, until: datetime) -> Iterator[Visit]:
    """Visits to a store that are under way at some time in (after, until]."""
    for day in _days(after.date(), until.date()):
        for visit in visits(store, day):
            if visit.entered <= until and visit.left > after:
                yield visit


def _days(first: date, last: date) -> Iterator[date]:
    yield from (date.fromordinal(n) for n in range(first.toordinal(), last.toordinal() + 1))
