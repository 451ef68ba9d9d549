"""`lakeshelf webhooks`: addresses outside that are told of events of a project."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    console,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed.connecting import PROJECT, As, InProject, next_command, project_of

app = typer.Typer(
    no_args_is_help=True, help="Addresses that are told of events of a project, for its owners."
)

Webhook = Annotated[str, typer.Argument(metavar="WEBHOOK", help="Id of the webhook.")]
WEBHOOK = ("id", "url", "kinds", "created_by", "disabled_at")
DELIVERY = ("event", "attempts", "due_at", "delivered_at", "error")


@app.command("list")
def list_(
    *,
    project: InProject = PROJECT,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List the webhooks of a project."""
    count = most(limit, every, as_json)
    with project_of(user, project) as its_project:
        listed = its_project.webhooks()
    shown = [one if as_json else one | {"kinds": _kinds(one)} for one in listed]
    print_list(shown[:count], len(shown), "webhooks", as_json, columns=WEBHOOK)


@app.command("add")
def add(
    url: Annotated[str, typer.Argument(help="The address, https.")],
    kinds: Annotated[
        list[str] | None,
        typer.Argument(
            help="Kinds of events, such as cr.merged, or families such as cr; none: all."
        ),
    ] = None,
    *,
    project: InProject = PROJECT,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Send events to an address; the secret that signs them is told this once."""
    with project_of(user, project) as its_project:
        made = its_project.add_webhook(url, kinds or ())
    if as_json:
        print_json(made)
        return
    webhook = made["webhook"]
    head = f"Webhook {webhook['id']} tells {webhook['url']} of {_kinds(webhook)}. Its secret:"
    console().print(head, markup=False, soft_wrap=True)
    console().print(made["secret"], markup=False, soft_wrap=True)
    following = next_command(f"webhooks deliveries {webhook['id']}", project)
    console().print(f"Next: `{following}`", markup=False, soft_wrap=True)


@app.command("off")
def off(
    webhook: Webhook, *, project: InProject = PROJECT, user: As = None, as_json: AsJson = False
) -> None:
    """Send an address nothing for now, also not what is on its way."""
    _switch(webhook, project, user, as_json, enabled=False)


@app.command("on")
def on(
    webhook: Webhook, *, project: InProject = PROJECT, user: As = None, as_json: AsJson = False
) -> None:
    """Send an address what happens from now on."""
    _switch(webhook, project, user, as_json, enabled=True)


@app.command("remove")
def remove(
    webhook: Webhook, *, project: InProject = PROJECT, user: As = None, as_json: AsJson = False
) -> None:
    """Remove a webhook."""
    with project_of(user, project) as its_project:
        its_project.remove_webhook(webhook)
    if as_json:
        print_json({"webhook": webhook, "removed": True})
    else:
        console().print(f"Webhook {webhook} is removed.", markup=False, soft_wrap=True)


@app.command("deliveries")
def deliveries(
    webhook: Webhook,
    *,
    project: InProject = PROJECT,
    user: As = None,
    limit: Most = None,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """List what was sent or is on its way, the newest first; without `due_at` and `delivered_at` it was given up."""
    count = most(limit, every, as_json)
    with project_of(user, project) as its_project:
        listed = its_project.deliveries(webhook)
    print_list(listed[:count], len(listed), "deliveries", as_json, columns=DELIVERY)


@app.command("again")
def again(
    webhook: Webhook,
    event: Annotated[int, typer.Argument(min=1, help="Number of the event.")],
    *,
    project: InProject = PROJECT,
    user: As = None,
    as_json: AsJson = False,
) -> None:
    """Send an event once more."""
    with project_of(user, project) as its_project:
        delivery = its_project.deliver_again(webhook, event)
    if as_json:
        print_json(delivery)
    else:
        console().print(f"Event {event} is sent again at {delivery['due_at']}.", soft_wrap=True)


def _switch(webhook: str, project: str, user: str | None, as_json: bool, *, enabled: bool) -> None:
    with project_of(user, project) as its_project:
        switched = its_project.switch_webhook(webhook, enabled=enabled)
    if as_json:
        print_json(switched)
        return
    state = "on" if switched["disabled_at"] is None else "off"
    console().print(f"Webhook {switched['id']} is {state}.", markup=False, soft_wrap=True)


def _kinds(webhook: dict[str, Any]) -> str:
    return ", ".join(webhook["kinds"]) or "all events"
