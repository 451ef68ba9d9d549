"""Events on their way to webhooks: sent, sent again after growing pauses, given up.

docs/design/governance.md#webhooks
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Event as Flag

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.metadata.tables.events import Delivery, Event, Webhook
from lakeshelf.governance.services.changes.finishing import SERVICE
from lakeshelf.governance.services.context import Context, record
from lakeshelf.governance.services.webhooks.addresses import Destination
from lakeshelf.governance.services.webhooks.sending import Undelivered, WebhookMessage, send
from lakeshelf.logs import log

PAUSES: Sequence[timedelta] = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=12),
)
"""Pauses after tries that failed; after one more it is given up."""
CLAIMED = timedelta(minutes=1)
"""How long nobody else tries what somebody tries: longer than a try takes."""
AT_ONCE = 4
"""Messages that are sent at a time."""
LOOK_S = 1.0
Post = Callable[[Destination, str, WebhookMessage], None]


@dataclass(frozen=True)
class _Try:
    delivery: Delivery
    event: Event
    webhook: Webhook


def follow(context: Context, stop: Flag, *, is_private: bool) -> None:
    """Send what is due until told to stop.

    Args:
        context: What it stands on.
        stop: Set when it is to end.
        is_private: Whether webhooks may lead into private networks and to this machine.
    """
    while not stop.wait(LOOK_S):
        try:
            while not stop.is_set() and deliver(context, is_private=is_private):
                pass
        except LakeshelfError as error:
            log.warning("webhooks not served", error=str(error))


def deliver(context: Context, *, is_private: bool, post: Post = send) -> int:
    """Try what is due, some at a time; how many were tried."""
    tries = _claimed(context)
    if not tries:
        return 0
    with ThreadPoolExecutor(len(tries), thread_name_prefix="webhook") as pool:
        list(pool.map(lambda one: _tried(context, one, post, is_private=is_private), tries))
    return len(tries)


def _claimed(context: Context) -> list[_Try]:
    now = context.clock()
    with context.metadata.reading() as tx:
        if not tx.outbox.is_due(now):
            return []
    with context.metadata.transaction() as tx:
        claimed = tx.outbox.claim(now, now + CLAIMED, AT_ONCE)
        return [_Try(one, tx.events.get(one.event), tx.outbox.of(one)) for one in claimed]


def _tried(context: Context, one: _Try, post: Post, *, is_private: bool) -> None:
    try:
        place = Destination.of(one.webhook.url, is_private=is_private)
        post(place, place.resolved(), message(one.webhook, one.event, context.clock()))
    except (Undelivered, LakeshelfError) as error:
        _failed(context, one, str(error))
    else:
        with context.metadata.transaction() as tx:
            tx.outbox.arrived(one.delivery, context.clock())


def message(webhook: Webhook, event: Event, at: datetime) -> WebhookMessage:
    """What a webhook is told of an event."""
    body = {
        "number": event.number,
        "kind": event.kind,
        "project": event.project,
        "dataset": event.dataset,
        "request": event.request,
        "body": event.body,
        "happened_at": event.happened_at.isoformat(),
    }
    return WebhookMessage(
        json.dumps(body, ensure_ascii=False, sort_keys=True).encode(),
        event.kind,
        f"{webhook.id}-{event.number}",
        int(at.timestamp()),
        webhook.secret,
    )


def _failed(context: Context, one: _Try, reason: str) -> None:
    """Remember when it is tried again; what is given up is told to who made the webhook."""
    now, tries = context.clock(), one.delivery.attempts
    again = now + PAUSES[tries - 1] if tries <= len(PAUSES) else None
    with context.metadata.transaction() as tx:
        if tx.outbox.failed(one.delivery, reason[:500], again) and again is None:
            record(
                tx,
                SERVICE,
                "webhook.given_up",
                now,
                project=one.webhook.project,
                details={"webhook": one.webhook.id, "event": one.event.number, "tries": tries},
                tell=[one.webhook.created_by],
            )
    log.info("webhook failed", webhook=one.webhook.id, tries=tries, error=reason[:200])
