"""The registry of versions: which one decides, which one is beside it, and how that changes.

Pure functions over the rows of `ops/models` of one model. An act gives the rows to merge, all of them in one commit,
so that a promotion changes champion and former champion together.

    candidate ──challenge──> challenger ──promote──> champion ──rollback, another's promotion, retire──> retired
    retired ──challenge──> challenger;  retired ──another's rollback──> champion
    candidate, challenger, retired ──refuse──> refused, for good
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Literal, get_args

from lakeshelf.forecast.versions.cards import Card
from lakeshelf.forecast.versions.errors import ActRefused, RegistryDamaged

Status = Literal["candidate", "challenger", "champion", "retired", "refused"]
STATUSES: tuple[Status, ...] = get_args(Status)
FROM: Mapping[str, tuple[Status, ...]] = MappingProxyType(
    {
        "challenge": ("candidate", "retired"),
        "promote": ("challenger",),
        "retire": ("candidate", "challenger", "champion"),
        "refuse": ("candidate", "challenger", "retired"),
    }
)
"""Act → statuses that allow it."""


@dataclass(frozen=True)
class Attribution:
    """Who changes something, when and why.

    Attributes:
        actor: A person or a service.
        at: Time, with its zone.
        reason: In words.
    """

    actor: str
    at: datetime
    reason: str = ""


@dataclass(frozen=True)
class Model:
    """A row of `ops/models`.

    Attributes:
        model_name: Name of the model.
        model_version: Name of the version.
        status: What it is.
        trained_until: Last day whose labels its training read.
        run_id: Run that trained it.
        card_sha256: Hash of its `card.json`.
        gates: JSON: the gates of its card.
        replaced: The champion that it replaced, which a rollback returns to; null: none.
        reason: Why it has its status.
        actor: Who gave it that.
        created_at: When it was registered.
        updated_at: Since when it has its status.
        version: Rises by one with each change.
    """

    model_name: str
    model_version: str
    status: Status
    trained_until: date
    run_id: str
    card_sha256: str
    gates: str
    replaced: str | None
    reason: str
    actor: str
    created_at: datetime
    updated_at: datetime
    version: int

    def row(self) -> dict[str, Any]:
        """The row, by column."""
        return asdict(self)

    @property
    def failed_gates(self) -> tuple[str, ...]:
        """Gates that it did not pass."""
        return tuple(gate["name"] for gate in json.loads(self.gates) if not gate["passed"])

    @property
    def has_passed(self) -> bool:
        """Whether gates were asked, and it passed them all."""
        return bool(json.loads(self.gates)) and not self.failed_gates

    def become(self, status: Status, act: Attribution, **changed: Any) -> Model:
        """It with another status."""
        return replace(
            self,
            status=status,
            reason=act.reason,
            actor=act.actor,
            updated_at=act.at,
            version=self.version + 1,
            **changed,
        )


COLUMNS = tuple(field.name for field in fields(Model))


@dataclass(frozen=True)
class Registry:
    """All versions of one model.

    Attributes:
        models: Version → its row.
    """

    models: Mapping[str, Model]

    @classmethod
    def of(cls, rows: Iterable[Mapping[str, Any]]) -> Registry:
        """The registry of rows of `ops/models`; columns that a newer version added are left out.

        Raises:
            RegistryDamaged: An unknown status, or a version that is there twice.
        """
        models: dict[str, Model] = {}
        for row in rows:
            model = Model(**{name: row[name] for name in COLUMNS})
            if model.status not in STATUSES:
                raise RegistryDamaged(
                    f"ops/models has version {model.model_version} as {model.status!r}",
                    hint=f"correct it to one of {', '.join(STATUSES)}",
                )
            if model.model_version in models:
                raise RegistryDamaged(
                    f"ops/models has version {model.model_version} twice",
                    hint="restore the table to an earlier version: `lakeshelf lake restore`",
                )
            models[model.model_version] = model
        return cls(MappingProxyType(models))

    @property
    def champion(self) -> Model | None:
        """The version that decides; None: the rule does.

        Raises:
            RegistryDamaged: There are two.
        """
        return self._only("champion")

    @property
    def challenger(self) -> Model | None:
        """The version beside it.

        Raises:
            RegistryDamaged: There are two.
        """
        return self._only("challenger")

    @property
    def deciders(self) -> tuple[Model, ...]:
        """The champion, and versions that were it or may have been, but for those that were refused for good."""
        replaced = {model.replaced for model in self.models.values()}
        return tuple(
            model
            for name, model in sorted(self.models.items())
            if model.status in ("champion", "retired")
            or (name in replaced and model.status != "refused")
        )

    def model(self, version: str) -> Model:
        """The row of a version.

        Raises:
            ActRefused: There is none.
        """
        if version not in self.models:
            known = ", ".join(sorted(self.models)) or "none"
            raise ActRefused(
                f"there is no version {version[:80]!r}", hint=f"registered are: {known}"
            )
        return self.models[version]

    def _only(self, status: Status) -> Model | None:
        those = [model for model in self.models.values() if model.status == status]
        if len(those) > 1:
            names = ", ".join(sorted(model.model_version for model in those))
            raise RegistryDamaged(
                f"ops/models has {len(those)} versions as {status}: {names}",
                hint="`lakeshelf models retire VERSION` for all of them but one; until then the rule decides",
            )
        return next(iter(those), None)


def register(
    registry: Registry, card: Card, card_sha256: str, act: Attribution
) -> tuple[Model, ...]:
    """Make a candidate of a version that was written; nothing to do if its card is registered already.

    A version that was lost and written anew has the same texts and another card: it is what it was, with this card.
    """
    former = registry.models.get(card.model_version)
    if former is not None and former.card_sha256 == card_sha256:
        return ()
    gates = json.dumps([gate.model_dump() for gate in card.gates], sort_keys=True)
    if former is not None:
        return (
            replace(
                former,
                run_id=card.run_id,
                card_sha256=card_sha256,
                gates=gates,
                version=former.version + 1,
            ),
        )
    model = Model(
        model_name=card.model_name,
        model_version=card.model_version,
        status="candidate",
        trained_until=card.trained_until,
        run_id=card.run_id,
        card_sha256=card_sha256,
        gates=gates,
        replaced=None,
        reason=act.reason,
        actor=act.actor,
        created_at=act.at,
        updated_at=act.at,
        version=1,
    )
    return (model,)


def challenge(registry: Registry, version: str, act: Attribution) -> tuple[Model, ...]:
    """Put a version beside the champion; the former challenger is retired.

    Raises:
        ActRefused: It is unknown, or neither candidate nor retired.
        RegistryDamaged: There are two challengers.
    """
    model = _allowed(registry, version, "challenge")
    former = registry.challenger
    retired = () if former is None else (former.become("retired", act),)
    return (model.become("challenger", act), *retired)


def promote(registry: Registry, version: str, act: Attribution) -> tuple[Model, ...]:
    """Make the challenger champion; the former champion is retired.

    Raises:
        ActRefused: It is unknown, or no challenger.
        RegistryDamaged: There are two champions.
    """
    model = _allowed(registry, version, "promote")
    former = registry.champion
    if former is None:
        return (model.become("champion", act, replaced=None),)
    promoted = model.become("champion", act, replaced=former.model_version)
    return promoted, former.become("retired", act)


def advance(registry: Registry, version: str, act: Attribution) -> tuple[Model, ...]:
    """Take a version one step up: candidate or retired to challenger, challenger to champion.

    Raises:
        ActRefused: It is unknown, champion or refused, or there is a gate that it did not pass.
        RegistryDamaged: There are two champions or challengers.
    """
    model = registry.model(version)
    if not model.has_passed:
        gates = {gate["name"]: gate for gate in json.loads(model.gates)}
        failed = (f"{name} ({_shown(gates[name])})" for name in model.failed_gates)
        raise ActRefused(
            f"version {version} did not pass: {', '.join(failed) or 'no gate was asked'}",
            hint=f"`lakeshelf models show {version}` shows each gate; train another one",
        )
    step = promote if model.status == "challenger" else challenge
    return step(registry, version, act)


def rollback(registry: Registry, act: Attribution) -> tuple[Model, ...]:
    """Retire the champion; the one that it replaced is champion again, or the one before that, else the rule decides.

    Raises:
        ActRefused: There is no champion.
        RegistryDamaged: There are two.
    """
    champion = registry.champion
    if champion is None:
        raise ActRefused("there is no champion to roll back", hint="the rule decides already")
    former = predecessor(registry, champion)
    again = () if former is None else (former.become("champion", act),)
    return (champion.become("retired", act), *again)


def retire(registry: Registry, version: str, act: Attribution) -> tuple[Model, ...]:
    """Take a version out of use; of a champion, the rule decides then.

    Raises:
        ActRefused: It is unknown, retired or refused.
    """
    return (_allowed(registry, version, "retire").become("retired", act),)


def refuse(registry: Registry, version: str, act: Attribution) -> tuple[Model, ...]:
    """Refuse a version for good, such as one that failed a gate.

    Raises:
        ActRefused: It is unknown, refused, or the champion, which has to be rolled back before.
    """
    return (_allowed(registry, version, "refuse").become("refused", act),)


def _shown(gate: Mapping[str, Any]) -> str:
    value = "unknown" if gate["value"] is None else f"{gate['value']:.3g}"
    return f"{value}, bound {gate['bound']:g}"


def predecessor(registry: Registry, champion: Model) -> Model | None:
    """The last champion before this one that may be champion again."""
    passed = {champion.model_version}
    name = champion.replaced
    while name is not None and name in registry.models and name not in passed:
        former = registry.models[name]
        if former.status == "retired":
            return former
        passed.add(name)
        name = former.replaced
    return None


def _allowed(registry: Registry, version: str, act: str) -> Model:
    model = registry.model(version)
    if model.status not in FROM[act]:
        raise ActRefused(
            f"version {version} is {model.status}: {act} is not allowed",
            hint=f"only of {' or '.join(FROM[act])}; {_WAYS[model.status]}",
        )
    return model


_WAYS: Mapping[Status, str] = MappingProxyType(
    {
        "candidate": "make it challenger first",
        "challenger": "promote or retire it",
        "champion": "roll it back first",
        "retired": "make it challenger first",
        "refused": "train another one",
    }
)
