"""Webhooks of a project, made by its owners."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.events import Delivery, Webhook
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.people.signing import random_text
from lakeshelf.governance.services.webhooks.addresses import Destination

ACTION = "manage_webhooks"
MOST = 20
"""Webhooks of a project."""
PREFIX = "lkw_"
"""What secrets of webhooks begin with."""
_KIND = re.compile(r"[a-z_]{1,40}(\.[a-z_]{1,40})?")


def add(
    context: Context,
    caller: Caller,
    project: str,
    url: str,
    kinds: Sequence[str] = (),
    *,
    is_private: bool,
    make: Callable[[], str] = random_text,
) -> tuple[Webhook, str]:
    """A new webhook, and its secret, which is told once.

    Args:
        context: What it stands on.
        caller: Who makes it.
        project: The project.
        url: Where events are sent.
        kinds: Kinds of events (`cr.merged`) and families of them (`cr`); none: all.
        is_private: Whether it may lead into private networks and to this machine.
        make: Makes random texts.

    Raises:
        GovernanceError: `forbidden`, `not_found`; `webhook_refused`: it leads where none may; `request_invalid`: a
            kind that none can be, or too many webhooks.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, ACTION)
    _require_kinds(kinds)
    Destination.of(url, is_private=is_private).addresses()
    now, secret = context.clock(), PREFIX + make()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, ACTION)
        if len(tx.outbox.webhooks(project)) >= MOST:
            raise refused(
                "request_invalid", f"{project} has {MOST} webhooks already", hint="remove one"
            )
        made = Webhook(context.new_id(), project, url, secret, tuple(kinds), caller.user, now)
        tx.outbox.add(made)
        record(tx, caller, "webhook.added", now, project=project, details={"webhook": made.id})
    return made, secret


def _require_kinds(kinds: Sequence[str]) -> None:
    if wrong := [kind[:80] for kind in kinds if not _KIND.fullmatch(kind)]:
        raise refused(
            "request_invalid",
            f"{wrong[0]!r} is no kind of event",
            hint="name kinds such as cr.merged, or families such as cr",
            kinds=wrong,
        )


def webhooks(context: Context, caller: Caller, project: str) -> list[Webhook]:
    """Webhooks of a project.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, ACTION)
        return tx.outbox.webhooks(project)


def switch(
    context: Context, caller: Caller, project: str, webhook: str, *, enabled: bool
) -> Webhook:
    """Switch a webhook off, also for what is on its way, or on for what happens from now on.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, ACTION)
        switched = tx.outbox.switch(tx.outbox.webhook(project, webhook), None if enabled else now)
        action = f"webhook.switched_{'on' if enabled else 'off'}"
        record(tx, caller, action, now, project=project, details={"webhook": webhook})
    return switched


def remove(context: Context, caller: Caller, project: str, webhook: str) -> None:
    """Remove a webhook, with what is on its way to it.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, ACTION)
        tx.outbox.remove(tx.outbox.webhook(project, webhook))
        record(tx, caller, "webhook.removed", now, project=project, details={"webhook": webhook})


def deliveries(
    context: Context,
    caller: Caller,
    project: str,
    webhook: str,
    limit: int,
    below: int | None = None,
) -> list[Delivery]:
    """What was sent to a webhook, or is on its way, the newest first; `below`: of events with a lower number.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, ACTION)
        return tx.outbox.deliveries(tx.outbox.webhook(project, webhook).id, limit, below)


def again(context: Context, caller: Caller, project: str, webhook: str, event: int) -> Delivery:
    """Send an event to a webhook once more, with all its tries.

    Raises:
        GovernanceError: `forbidden`, `not_found`; `transition_refused`: the webhook is switched off.
    """
    now = context.clock()
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, ACTION)
        hook = tx.outbox.webhook(project, webhook)
        if hook.disabled_at is not None:
            raise refused(
                "transition_refused",
                f"webhook {hook.id} is switched off",
                hint="switch it on first",
            )
        return tx.outbox.again(hook, event, now)
