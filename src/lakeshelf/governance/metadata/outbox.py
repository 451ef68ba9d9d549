"""Webhooks, and events on their way to them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from lakeshelf.governance.metadata.tables.events import OUTBOX, WEBHOOKS, Delivery, Event, Webhook

OWN = "webhook"
"""Family of the events that befall webhooks."""


class WebhookOutbox:
    """Webhooks, and events on their way to them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, webhook: Webhook) -> Webhook:
        """A new webhook."""
        return WEBHOOKS.add(self._connection, webhook)

    def webhook(self, project: str, webhook: str) -> Webhook:
        """A webhook.

        Raises:
            GovernanceError: `not_found`.
        """
        return WEBHOOKS.get(self._connection, project=project, id=webhook)

    def webhooks(self, project: str) -> list[Webhook]:
        """Webhooks of a project."""
        return WEBHOOKS.all(self._connection, [WEBHOOKS.c.project == project])

    def of(self, delivery: Delivery) -> Webhook:
        """The webhook of a delivery."""
        return WEBHOOKS.get(self._connection, id=delivery.webhook)

    def switch(self, webhook: Webhook, disabled_at: datetime | None) -> Webhook:
        """Switch a webhook off, also for what is on its way, or (None) on."""
        WEBHOOKS.change(self._connection, [WEBHOOKS.is_(webhook)], disabled_at=disabled_at)
        if disabled_at is not None:
            OUTBOX.change(self._connection, [OUTBOX.c.webhook == webhook.id], due_at=None)
        return self.webhook(webhook.project, webhook.id)

    def remove(self, webhook: Webhook) -> None:
        """Remove a webhook and what is on its way to it."""
        WEBHOOKS.remove(self._connection, [WEBHOOKS.is_(webhook)])

    def send(self, event: Event) -> list[Delivery]:
        """Put an event on its way to the webhooks of its project that want its kind."""
        return [
            OUTBOX.add(self._connection, Delivery(webhook.id, event.number, 0, event.happened_at))
            for webhook in self.webhooks(event.project)
            if _is_for(event, webhook)
        ]

    def is_due(self, at: datetime) -> bool:
        """Whether a delivery is due."""
        return OUTBOX.count(self._connection, [OUTBOX.c.due_at <= at]) > 0

    def again(self, webhook: Webhook, event: int, at: datetime) -> Delivery:
        """Put an event on its way to a webhook once more.

        Raises:
            GovernanceError: `not_found`: it never was.
        """
        before = OUTBOX.get(self._connection, webhook=webhook.id, event=event)
        return OUTBOX.put(self._connection, Delivery(before.webhook, before.event, 0, at))

    def claim(self, at: datetime, until: datetime, limit: int) -> list[Delivery]:
        """Deliveries that are due, the oldest first; nobody else gets them until then.

        Args:
            at: Now.
            until: When they are due again, unless they arrive or fail before.
            limit: At most so many.
        """
        order = [OUTBOX.c.event, OUTBOX.c.webhook]
        due = OUTBOX.all(self._connection, [OUTBOX.c.due_at <= at], order=order, limit=limit)
        for delivery in due:
            values = {"due_at": until, "attempts": delivery.attempts + 1}
            OUTBOX.change(self._connection, [OUTBOX.is_(delivery)], **values)
        return [OUTBOX.get(self._connection, webhook=d.webhook, event=d.event) for d in due]

    def arrived(self, delivery: Delivery, at: datetime) -> None:
        """Remember that a delivery arrived."""
        values = {"delivered_at": at, "due_at": None, "error": None}
        OUTBOX.change(self._connection, [OUTBOX.is_(delivery)], **values)

    def failed(self, delivery: Delivery, error: str, again: datetime | None) -> bool:
        """Remember that a delivery did not arrive, and when it is tried again (None: never), if it is on its way."""
        going = [
            OUTBOX.is_(delivery),
            OUTBOX.c.delivered_at.is_(None),
            OUTBOX.c.due_at.is_not(None),
        ]
        return OUTBOX.change(self._connection, going, error=error, due_at=again) > 0

    def deliveries(
        self, webhook: str, limit: int | None = None, below: int | None = None
    ) -> list[Delivery]:
        """Deliveries to a webhook, the newest first; `below`: of events with a lower number."""
        order, where = [OUTBOX.c.event.desc()], [OUTBOX.c.webhook == webhook]
        if below is not None:
            where.append(OUTBOX.c.event < below)
        return OUTBOX.all(self._connection, where, order=order, limit=limit)


def _is_for(event: Event, webhook: Webhook) -> bool:
    """Whether a webhook wants an event; what befalls webhooks is sent to none, which could go on for ever."""
    family = event.kind.partition(".")[0]
    if webhook.disabled_at is not None or family == OWN:
        return False
    return not webhook.kinds or event.kind in webhook.kinds or family in webhook.kinds
