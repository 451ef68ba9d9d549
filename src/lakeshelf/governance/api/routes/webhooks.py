"""Webhooks: addresses outside that are told of events of a project."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query

from lakeshelf.governance.api import answers, shapes
from lakeshelf.governance.api.calling import By, Limit, On, Served, router
from lakeshelf.governance.metadata.tables.events import Delivery
from lakeshelf.governance.services.webhooks import hooks

routes = router("webhooks")
ALL = "/projects/{project}/webhooks"
ONE = f"{ALL}/{{webhook}}"


@routes.get(ALL)
def list_webhooks(context: On, caller: By, project: str) -> list[answers.WebhookAnswer]:
    """Webhooks of a project, for its owners."""
    listed = hooks.webhooks(context, caller, project)
    return [answers.WebhookAnswer.model_validate(one) for one in listed]


@routes.post(ALL, status_code=201)
def add_webhook(
    context: On, caller: By, serving: Served, project: str, body: shapes.NewWebhook
) -> answers.IssuedWebhook:
    """Send events to an address, as an owner; the secret that signs them is told in this answer alone."""
    webhook, secret = hooks.add(
        context, caller, project, body.url, body.kinds, is_private=serving.private_webhooks
    )
    shown = answers.WebhookAnswer.model_validate(webhook)
    return answers.IssuedWebhook(webhook=shown, secret=secret)


@routes.patch(ONE)
def switch_webhook(
    context: On, caller: By, project: str, webhook: str, body: shapes.Switch
) -> answers.WebhookAnswer:
    """Switch a webhook off, also for what is on its way, or on for what happens from now on; as an owner."""
    switched = hooks.switch(context, caller, project, webhook, enabled=body.enabled)
    return answers.WebhookAnswer.model_validate(switched)


@routes.delete(ONE, status_code=204)
def remove_webhook(context: On, caller: By, project: str, webhook: str) -> None:
    """Remove a webhook, as an owner."""
    hooks.remove(context, caller, project, webhook)


@routes.get(f"{ONE}/deliveries")
def list_deliveries(
    context: On,
    caller: By,
    project: str,
    webhook: str,
    below: Annotated[int | None, Query(ge=1, le=2**53)] = None,
    limit: Limit = 100,
) -> list[Delivery]:
    """What was sent or is on its way, the newest first; `below` the last event for the next page.

    Without `due_at` and `delivered_at` it was given up.
    """
    return hooks.deliveries(context, caller, project, webhook, limit, below)


@routes.post(f"{ONE}/deliveries/{{event}}")
def send_again(
    context: On,
    caller: By,
    project: str,
    webhook: str,
    event: Annotated[int, Path(ge=1, le=2**53)],
) -> Delivery:
    """Send an event once more, as an owner."""
    return hooks.again(context, caller, project, webhook, event)
