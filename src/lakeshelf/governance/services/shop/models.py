"""Versions that forecast, as `lakeshelf models`: what each is worth, which one decides, and what changes that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from lakeshelf.forecast.model.gates import GATES
from lakeshelf.forecast.training.scored import Scored, scored
from lakeshelf.forecast.versions import registered, registry
from lakeshelf.forecast.versions.cards import Card
from lakeshelf.forecast.versions.errors import ActRefused, ModelError, RegistryDamaged
from lakeshelf.forecast.versions.registry import Attribution, Model, Registry
from lakeshelf.forecast.versions.standing import latest_health, of_use, problems
from lakeshelf.governance.domain.permissions import SHOP, can
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop.seen import Row
from lakeshelf.governance.services.shop.staff import DECIDES, of_staff, require_staff
from lakeshelf.lake.place.errors import Conflict

Step = Literal["challenger", "champion"]
"""What a version becomes by a promotion."""
_OWN = {gate.name: gate for gate in GATES}


@dataclass(frozen=True)
class SeenModel:
    """A version as somebody sees it.

    Attributes:
        model: Its row of `ops/models`.
        gates: Each with what is measured (`rule`), and whether its bound is the least that passes (`at_least`).
        becomes: What the next promotion makes of it; None: nothing.
        can: Action → true, or the reason why not.
    """

    model: Model
    gates: Sequence[Row]
    becomes: Step | None
    can: Mapping[str, bool | str]


@dataclass(frozen=True)
class SeenModels:
    """The versions of a page, and how those in use stand.

    Attributes:
        rows: The versions of the page, the newest first.
        total: How many versions there are.
        champion: The one that decides; None: the rule does.
        challenger: The one beside it.
        scores: Of the versions in use; without any of the newest.
        health: Rows of `ops/model_health` of the latest day, of versions in use and of all.
        problems: What is wrong, a line each.
    """

    rows: Sequence[SeenModel]
    total: int
    champion: SeenModel | None
    challenger: SeenModel | None
    scores: Sequence[Scored]
    health: Sequence[Row]
    problems: Sequence[str]


@dataclass(frozen=True)
class SeenCard:
    """A version with its card.

    Attributes:
        seen: The version.
        scores: Of it and of all baselines beside it.
        card: Its card; None: its files are damaged.
        damage: What is wrong with its files; empty: nothing.
    """

    seen: SeenModel
    scores: Scored
    card: Card | None
    damage: str


def models(context: Context, caller: Caller, offset: int, limit: int) -> SeenModels:
    """The versions, the newest first, and how those in use stand.

    Raises:
        GovernanceError: `forbidden`; `transition_refused`: `ops/models` contradicts itself.
    """
    require_reading(caller)
    known = _known(context)
    listed = sorted(known.models.values(), key=_age, reverse=True)
    in_use, wrong = _in_use(known)
    looked = [one for one in in_use if one is not None] or listed[:1]
    names = {one.model_version for one in looked} | {""}
    health = latest_health(context.root) if listed else []
    used = of_use(health, *(None if one is None else one.model_version for one in in_use))
    with context.metadata.reading() as tx:
        champion, challenger = (
            None if one is None else _seen(tx, caller, known, one) for one in in_use
        )
        rows = [_seen(tx, caller, known, one) for one in listed[offset : offset + limit]]
    return SeenModels(
        rows,
        len(listed),
        champion,
        challenger,
        [scored(context.root, one.model_version) for one in looked],
        [row for row in health if row["model_version"] in names],
        [*wrong, *problems(used)],
    )


def model(context: Context, caller: Caller, version: str) -> SeenCard:
    """A version with its card, after its files were looked through.

    Raises:
        GovernanceError: `forbidden`, `not_found`.
    """
    require_reading(caller)
    known = _known(context)
    row = _of(known, version)
    card, damage = None, ""
    try:
        card = registered.version(registered.writer(context.root), version).card
    except ModelError as error:
        damage = str(error)
    with context.metadata.reading() as tx:
        seen = _seen(tx, caller, known, row)
    return SeenCard(seen, scored(context.root, version), card, damage)


def promote(
    context: Context, caller: Caller, version: str, to: Step, reason: str
) -> list[SeenModel]:
    """Take a version one step up, to what the caller saw that it becomes; nothing to do if it is that already.

    Returns:
        The versions that changed.

    Raises:
        GovernanceError: `forbidden`, `not_found`; `transition_refused`: a gate that it did not pass, or another step
            comes first; `state_changed`: somebody else was quicker.
    """

    def step(known: Registry, act: Attribution) -> tuple[Model, ...]:
        if _of(known, version).status == to:
            return ()
        changed = registry.advance(known, version, act)
        if changed[0].status != to:
            raise ActRefused(
                f"version {version} becomes {changed[0].status} next, not {to}",
                hint="look at it again: somebody changed what it is, or a step comes before",
            )
        return changed

    details = {"model_version": version, "to": to, "reason": reason}
    return _acted(context, caller, "model.promote", step, details)


def roll_back(context: Context, caller: Caller, version: str, reason: str) -> list[SeenModel]:
    """Retire the champion that the caller saw; the one that it replaced decides again, or else the rule.

    Returns:
        The versions that changed.

    Raises:
        GovernanceError: `forbidden`, `not_found`; `transition_refused`: it is not the champion; `state_changed`:
            somebody else was quicker.
    """

    def step(known: Registry, act: Attribution) -> tuple[Model, ...]:
        if _of(known, version) != known.champion:
            raise ActRefused(_not_champion(known.models[version]), hint="look at it again")
        return registry.rollback(known, act)

    details = {"model_version": version, "reason": reason}
    return _acted(context, caller, "model.roll_back", step, details)


def _acted(
    context: Context,
    caller: Caller,
    action: str,
    step: Callable[[Registry, Attribution], tuple[Model, ...]],
    details: Mapping[str, Any],
) -> list[SeenModel]:
    """Carry out an act as its command does; it is written down before, so that none is done that nobody knows of."""
    with context.metadata.reading() as tx:
        require_staff(tx, caller, DECIDES)
    now = context.clock()
    act = Attribution(caller.user, now, str(details["reason"]) or "asked for by the API")
    with _deciding():
        if step(_known(context), act):
            with context.metadata.transaction() as tx:
                record(tx, caller, action, now, project=SHOP, details=details)
        lake = registered.writer(context.root, caller.user)
        changed = registered.change(lake, lambda known: step(known, act))
    known = _known(context)
    with context.metadata.reading() as tx:
        return [_seen(tx, caller, known, known.models[one.model_version]) for one in changed]


@contextmanager
def _deciding() -> Iterator[None]:
    try:
        yield
    except Conflict as error:
        raise refused("state_changed", error.message, hint="look again, and repeat it") from error
    except (ActRefused, RegistryDamaged) as error:
        raise refused("transition_refused", error.message, hint=error.hint) from error


def _known(context: Context) -> Registry:
    with _deciding():
        return registered.read(registered.writer(context.root)).registry


def _of(known: Registry, version: str) -> Model:
    if version not in known.models:
        message = f"there is no version {version[:80]!r} of the model"
        raise refused("not_found", message, hint="list them: GET /api/v1/models")
    return known.models[version]


def _age(one: Model) -> tuple[Any, str]:
    return one.created_at, one.model_version


def _in_use(known: Registry) -> tuple[tuple[Model | None, Model | None], list[str]]:
    """Champion and challenger; none, with what is wrong, where there are two of them."""
    try:
        return (known.champion, known.challenger), []
    except RegistryDamaged as error:
        return (None, None), [str(error)]


def _seen(tx: Transaction, caller: Caller, known: Registry, one: Model) -> SeenModel:
    may = can(of_staff(tx, caller), DECIDES)
    becomes, why_not = _next(known, one)
    is_champion = one.status == "champion"
    return SeenModel(
        one,
        [_gate(gate) for gate in json.loads(one.gates)],
        becomes,
        {
            "promote": may if may is not True else why_not or True,
            "roll_back": may if may is not True else is_champion or _not_champion(one),
        },
    )


def _next(known: Registry, one: Model) -> tuple[Step | None, str]:
    """What a promotion would make of a version, or why it would be refused."""
    try:
        act = Attribution("", one.updated_at)
        step: Any = registry.advance(known, one.model_version, act)[0].status
        return step, ""
    except (ActRefused, RegistryDamaged) as error:
        return None, error.message


def _not_champion(one: Model) -> str:
    return f"version {one.model_version} is {one.status}, not the champion"


def _gate(gate: Row) -> Row:
    own = _OWN.get(str(gate["name"]))
    return {**gate, "rule": own.rule if own else "", "at_least": own.least if own else None}
