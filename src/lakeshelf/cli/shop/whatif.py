# ruff: noqa: PLC0415 - what is heavy is imported by the command that needs it
"""`whatif`: what another policy would have meant on the receipts of a lake."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lakeshelf import extras
from lakeshelf.cli.console import access
from lakeshelf.cli.console.output import All, AsJson, Steps, plain, print_json
from lakeshelf.cli.governed import connecting
from lakeshelf.cli.governed.cells import paged
from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from lakeshelf.forecast.whatif.lakes import ReplayedShop
    from lakeshelf.forecast.whatif.policies import StockPolicy
    from lakeshelf.lake.place.location import Place

STEPS = {
    "read": "read receipts",
    "forecast": "forecast cutoff days",
    "replay": "replay policies",
    "compare": "draw intervals",
    "frontier": "replay other policies",
}


Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="What would have been set; several."),
]
Number = Annotated[
    int | None,
    typer.Option(
        "--change-request",
        metavar="NUMBER",
        help="What an open change request of policies asks for.",
    ),
]
Since = Annotated[
    str | None, typer.Option(metavar="DAY", help="First day; unset: 91 days up to the last.")
]
Until = Annotated[
    str | None, typer.Option(metavar="DAY", help="Last day; unset: that of the last receipt.")
]
Stores = Annotated[str | None, typer.Option(metavar="S1,S2", help="Only shelves of these stores.")]
Categories = Annotated[
    str | None, typer.Option(metavar="C1,C2", help="Only goods of these departments.")
]
Items = Annotated[str | None, typer.Option(metavar="I1,I2", help="Only these items.")]
Frontier = Annotated[
    bool,
    typer.Option(
        "--frontier", help="Try reorder points, and service levels of a model: fill against stock."
    ),
]


def whatif(
    *,
    settings: Set = None,
    number: Number = None,
    user: connecting.As = None,
    since: Since = None,
    until: Until = None,
    stores: Stores = None,
    categories: Categories = None,
    items: Items = None,
    frontier: Frontier = False,
    every: All = False,
    as_json: AsJson = False,
) -> None:
    """Replay the receipts of a lake under the policy in force and under another one, and tell the differences.

    What is set holds for every shelf that is looked at, also for those with a policy of their own. Nothing is
    changed. Receipts are a floor of demand: what customers wanted of an empty shelf is not in them.
    """
    in_force = access.present()
    from lakeshelf.forecast.demand.engine import MODULES

    extras.require("ml", "numpy")
    extras.require("query", *MODULES)
    from lakeshelf.cli.shop import whatif_report
    from lakeshelf.forecast.whatif import answers, lakes, records

    change = _change(settings or [], number, user)
    limited = {"store_id": stores, "category": categories, "item_id": items}
    chosen = {column: _listed(text) for column, text in limited.items()}
    scope = lakes.ReplayScope(day("--since", since), day("--until", until), chosen)
    with Steps(STEPS).shown() as progress:
        progress("read")
        shop = lakes.read(in_force.lake_root, scope)
        changed = change.of(in_force.lake_root, shop)
        shop = lakes.foretold(in_force.lake_root, shop, changed, progress)
        answer = answers.answer(shop, changed, progress, frontier=frontier)
    if as_json:
        print_json(records.as_record(shop, change.record, answer))
    else:
        whatif_report.show(shop, change.words, answer, every)


@dataclass(frozen=True)
class Change:
    """What would be otherwise.

    Attributes:
        fields: Field → its value for every shelf.
        request: Number and title of a change request; None: there is none.
        cells: Topic → what that request changes of its policies.
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    request: tuple[int, str] | None = None
    cells: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """What it is, for people."""
        if self.request is not None:
            return "change request {} ({})".format(*self.request)
        return (
            ", ".join(f"{name}={_word(value)}" for name, value in self.fields.items()) or "the same"
        )

    @property
    def record(self) -> dict[str, Any]:
        """What it is, for programs."""
        changed = [{"field": name, "value": value} for name, value in self.fields.items()]
        return {"set": changed, "change_request": self.request and self.request[0]}

    def of(self, root: Place, shop: ReplayedShop) -> StockPolicy:
        """The policy that it makes of the one in force."""
        from lakeshelf.forecast.whatif import lakes, wishes

        if self.request is None:
            changed = shop.policy.changed(self.fields)
            wishes.require_use(self.fields, changed)
            return changed
        shelves = list(shop.history.goods.shelf_id)
        return shop.policy.changed(lakes.policies(root, shelves, self.cells))


def _word(value: object) -> str:
    """A value as `--set` takes it."""
    return plain(value).lower() if isinstance(value, bool) else plain(value)


def _change(words: Sequence[str], number: int | None, user: str | None) -> Change:
    from lakeshelf.forecast.whatif import wishes

    if number is None:
        return Change(wishes.typed(_fields(words)))
    if words:
        raise ConfigurationError("--set and --change-request", hint="give one of them")
    return _requested(number, user)


def _requested(number: int, user: str | None) -> Change:
    """What a change request asks for that is not in force yet."""
    from lakeshelf.forecast.whatif.policies import TOPICS

    with connecting.project_of(user, connecting.PROJECT) as project:
        request = project.request(number)
        seen = request.get()["request"]
        cells, _ = paged(request.diff, "cells")
    if seen["dataset"] not in TOPICS or seen["merged_version"] is not None or not cells:
        raise ConfigurationError(
            f"CR {number} of {seen['dataset']} is {seen['status']} and changes no policy that is not in force",
            hint="`lakeshelf cr list` lists change requests",
        )
    return Change(request=(number, seen["title"]), cells={seen["dataset"]: cells})


def _fields(words: Iterable[str]) -> dict[str, str]:
    """Field → text."""
    fields: dict[str, str] = {}
    for word in words:
        name, is_one, text = word.partition("=")
        if not is_one or name in fields:
            problem = f"{name} is set twice" if is_one else f"{word!r} is no FIELD=VALUE"
            raise ConfigurationError(problem, hint="write for example --set threshold_pct=20")
        fields[name] = text
    return fields


def day(option: str, text: str | None) -> date | None:
    """The day that an option names.

    Raises:
        ConfigurationError: It is none.
    """
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{option} is {text!r}, which is no day", hint="write for example 2026-03-01"
        ) from None


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip()) if text else ()
