"""Customers who enter and leave the simulated stores (docs/design/retail.md#customers)."""

from __future__ import annotations

from datetime import datetime

from lakeshelf.components.component import Decision, Message, Tick
from lakeshelf.components.producer import Producer, visits_between
from lakeshelf.contracts.messages import event
from lakeshelf.simulation.visits import Visit


def passages(visit: Visit, after: datetime, until: datetime) -> list[Message]:
    """The entry and the exit of a visit, as far as they fall in (after, until]."""
    times = (("entry", visit.entered), ("exit", visit.left))
    return [
        Message.of(
            "foot_traffic",
            event(
                kind,
                at,
                visit.store_id,
                (kind, visit.visit_id),
                visit_id=visit.visit_id,
                customer_id=visit.customer_id,
            ),
        )
        for kind, at in times
        if after < at <= until
    ]


class FootTrafficProducer(Producer):
    """Tells of entries and exits."""

    name = "producer-foot-traffic"
    doc = "Simulated customers enter and leave the stores."
    publishes = ("foot_traffic",)
    journal = "ops/journal_producer_foot_traffic"

    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """Entries and exits since the last tick; the first tick is noted, so that none behind it is missed."""
        begins, after, self.until = self.until is None, self.until or due, due
        messages = [
            message
            for store in self.stores
            for visit in visits_between(store, after, due)
            for message in passages(visit, after, due)
        ]
        return (
            Decision(f"visits:{due.isoformat()}", due, tuple(messages))
            if messages or begins
            else None
        )


COMPONENT = FootTrafficProducer
