# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`policies`: what holds, and how people change it."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import (
    All,
    AsJson,
    Most,
    Yes,
    add,
    agreed,
    console,
    grid,
    most,
    print_json,
    print_list,
)
from lakeshelf.cli.governed import connecting
from lakeshelf.cli.governed import policies as governed
from lakeshelf.cli.governed.printing import print_proposed
from lakeshelf.cli.shop.people import Shelf
from lakeshelf.cli.shop.stock import Location
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.settings import Settings
    from lakeshelf.shop.policies import PolicyChange

app = typer.Typer(help="When shelves and back rooms are low, and how much is asked for then.")

Target = Annotated[
    str | None, typer.Argument(metavar="SHELF", help="The shelf; none with --all-shelves.")
]
Everywhere = Annotated[
    bool, typer.Option("--all-shelves", help="All shelves that have no policy of their own.")
]
Where = Annotated[
    Location | None, typer.Option(help="Policies of shelves (store) or back rooms (warehouse).")
]
By = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help="Who does it; unset: you. Where datasets are governed, whose token of this machine is used.",
    ),
]
FIGURES = {
    "low": "shelves that are low",
    "plans": "plans that ask for units",
    "units": "units that they ask for",
    "near_expiry": "lots near expiry",
}


@app.command("list")
def list_(
    *, shelf: Shelf = None, limit: Most = None, every: All = False, as_json: AsJson = False
) -> None:
    """List the policies that were set and are in force; all else follows the defaults."""
    from lakeshelf.shop import policies

    listed = policies.listed(access.present().lake_root, shelf, most(limit, every, as_json))
    print_list(listed.rows, listed.total, "policies", as_json)


@app.command("show")
def show(shelf: Target = None, *, everywhere: Everywhere = False, as_json: AsJson = False) -> None:
    """Show what holds for a shelf and its back room, and where each value comes from."""
    from lakeshelf.shop import policies

    policy = policies.shown(access.present().lake_root, _target(shelf, everywhere))
    if as_json:
        print_json(policy)
        return
    table = grid("location", "field", "value", "from", right=("value",))
    for place, fields in policy.items():
        for name, field in fields.items():
            add(table, place, name, field["value"], field["from"])
    console().print(table)


@app.command("set")
def set_(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[SHELF] FIELD=VALUE...", help="What is set, and to what."),
    ],
    *,
    user: By = None,
    everywhere: Everywhere = False,
    location: Where = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Set fields of a policy; the others stay as they are in force. The effect is shown before it asks.

    Where datasets are governed it becomes a change request, which somebody else approves.
    """
    from lakeshelf.shop import policies
    from lakeshelf.stack.embedded.clients import running_client

    shelf, fields = _parted(words)
    target = _target(shelf, everywhere)
    settings = access.present()
    place = policies.location_of(fields, location)
    values = policies.typed(place, fields)
    client = running_client(settings)
    actor = user or getpass.getuser()
    change = policies.setting(client, settings.lake_root, place, target, values, actor)
    _make(settings, client, PolicyProposal(change, values, user), yes, as_json)


@app.command("unset")
def unset(
    shelf: Target = None,
    *,
    user: By = None,
    everywhere: Everywhere = False,
    location: Annotated[
        Location, typer.Option(help="Policies of shelves (store) or back rooms (warehouse).")
    ] = Location.STORE,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """End a policy; what holds for all shelves, or the default, takes its place.

    Where datasets are governed it becomes a change request, which somebody else approves.
    """
    from lakeshelf.shop import policies
    from lakeshelf.stack.embedded.clients import running_client

    settings = access.present()
    client = running_client(settings)
    target = _target(shelf, everywhere)
    actor = user or getpass.getuser()
    change = policies.unsetting(client, settings.lake_root, location, target, actor)
    _make(settings, client, PolicyProposal(change, {"active": False}, user), yes, as_json)


@dataclass(frozen=True)
class PolicyProposal:
    """A policy as somebody asks for it.

    Attributes:
        change: The whole policy as it would be.
        chosen: Fields that they named.
        user: Who they said that they are.
    """

    change: PolicyChange
    chosen: Mapping[str, Any]
    user: str | None


def _make(
    settings: Settings, client: dict[str, str], proposal: PolicyProposal, yes: bool, as_json: bool
) -> None:
    if connecting.is_served(settings):
        _propose(settings, proposal, yes, as_json)
    else:
        _send(settings, client, proposal.change, yes, as_json)


def _propose(settings: Settings, proposal: PolicyProposal, yes: bool, as_json: bool) -> None:
    """Submit a change request that makes the policy so."""
    change = proposal.change
    with connecting.dataset_of(proposal.user, change.topic) as dataset:
        row, columns = governed.row_of(dataset, change.shelf), governed.columns_of(dataset)
        edits = governed.edits(change, proposal.chosen, row, columns)
        if not edits:
            _print_known(change, as_json)
            return
        effect = _effect(settings, change, as_json)
        agreed("Submit it for review?", yes, "nothing was submitted; give --yes to agree")
        made = governed.submitted(dataset, edits, governed.title_of(change, proposal.chosen))
    if as_json:
        print_json({"sent": False, "change_request": made, "effect": effect})
    else:
        print_proposed(made, as_json=False)


def _send(
    settings: Settings, client: dict[str, str], change: PolicyChange, yes: bool, as_json: bool
) -> None:
    """Send the message that makes the policy so."""
    from lakeshelf.shop import policies

    if change.is_known:
        _print_known(change, as_json)
        return
    overruling = governed.overruling(settings.lake_root, change)
    effect = _effect(settings, change, as_json)
    if overruling and not as_json:
        _print_overruled(change, overruling)
    agreed("Send it?", yes)
    policies.publish(client, change)
    if as_json:
        sent = {"sent": True, "message": change.message, "effect": effect}
        print_json({**sent, "overruled_by": overruling})
    else:
        version = change.message["version"]
        console().print(
            f"Sent version {version} of {change.shelf} on {change.topic}. "
            "Next: `lakeshelf policies list`, `lakeshelf stock low`",
            soft_wrap=True,
        )


def _effect(settings: Settings, change: PolicyChange, as_json: bool) -> dict[str, Any]:
    """What a change would do to the shelves; people see it."""
    from lakeshelf.shop import policies
    from lakeshelf.shop.shortage import ENGINES
    from lakeshelf.streams.declare import registry

    engine = registry.discover(*settings.homes)[ENGINES[change.location]]
    today = change.message["updated_at"].date()
    effect = policies.effect(settings.lake_root, engine, change, today).totals
    if not as_json:
        _print_effect(change, effect)
    return dict(effect)


def _print_known(change: PolicyChange, as_json: bool) -> None:
    if as_json:
        print_json({"sent": False, "message": change.message, "effect": {}})
    else:
        console().print(f"{change.shelf} has this policy already; nothing is sent.")


def _print_overruled(change: PolicyChange, dataset: str) -> None:
    console().print(
        f"{dataset} has a policy of {change.shelf} and is not served now: it takes this one back as soon as it is. "
        "To keep it, run `lakeshelf down`, `lakeshelf up --governance`, and set it again for a review.",
        style="bold",
        soft_wrap=True,
    )


def _print_effect(change: PolicyChange, effect: Mapping[str, Mapping[str, int]]) -> None:
    fields = grid("field", "now", "from", "then", right=("now", "then"))
    for name, (now, source, then) in change.fields.items():
        add(fields, name, now, source, then, style="bold" if now != then else "")
    console().print(fields)
    figures = grid("", "now", "then", "shelves changed", right=("now", "then", "shelves changed"))
    for name, figure in effect.items():
        add(figures, FIGURES[name], figure["now"], figure["then"], figure["changed"])
    console().print(figures)


def _parted(words: list[str]) -> tuple[str | None, dict[str, str]]:
    """The shelf, if one is named, and the fields."""
    fields = dict(word.split("=", 1) for word in words if "=" in word)
    others = [word for word in words if "=" not in word]
    if len(others) > 1 or not fields:
        problem = (
            f"{', '.join(others)} are several shelves" if len(others) > 1 else "no FIELD=VALUE"
        )
        raise ConfigurationError(problem, hint="write for example threshold_pct=60")
    return next(iter(others), None), fields


def _target(shelf: str | None, everywhere: bool) -> str:
    from lakeshelf.shop.decisions import GLOBAL

    if (shelf is None) != everywhere:
        problem = f"{shelf} and all shelves" if everywhere else "no shelf"
        raise ConfigurationError(problem, hint="name a shelf, or give --all-shelves")
    return GLOBAL if shelf is None else shelf
