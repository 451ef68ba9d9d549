"""Which versions have a part in the predictions of a day (docs/design/forecasting.md#predictions)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lakeshelf.errors import LakeshelfError
from lakeshelf.forecast.model.boosted import library
from lakeshelf.forecast.versions.errors import RegistryDamaged
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.registered import opened
from lakeshelf.forecast.versions.registry import Model, Registry, predecessor
from lakeshelf.lake.place.location import Place

Role = Literal["champion", "challenger"]


@dataclass(frozen=True)
class InUse:
    """A version that predicts.

    Attributes:
        role: Whether it decides, or is beside the one that does.
        version: The version, looked through.
    """

    role: Role
    version: Version


@dataclass(frozen=True)
class Choice:
    """The versions that predict, and why others do not.

    Attributes:
        champion: The version that decides; None: the rule does.
        challenger: The one beside it.
        problems: Version, or "" where none can be told, → what keeps it from predicting, one line.
    """

    champion: InUse | None
    challenger: InUse | None
    problems: Mapping[str, str]

    @property
    def all(self) -> tuple[InUse, ...]:
        """Those that predict, the one that decides first."""
        return tuple(one for one in (self.champion, self.challenger) if one is not None)


NOBODY = Choice(None, None, {})


def chosen(root: Place, rows: Iterable[Mapping[str, Any]]) -> Choice:
    """The versions that can predict, by the rows of `ops/models` of one model.

    Of a champion whose files are damaged the former champion takes the place, and so on; without any the rule decides.

    Args:
        root: Lake root.
        rows: The rows.
    """
    try:
        registry = Registry.of(rows)
        champion, challenger = registry.champion, registry.challenger
    except RegistryDamaged as error:
        return Choice(None, None, {"": str(error)})
    if champion is None and challenger is None:
        return NOBODY
    problems: dict[str, str] = {}
    deciding = _first(root, registry, champion, problems)
    beside = _read(root, challenger, problems)
    return Choice(
        None if deciding is None else InUse("champion", deciding),
        None if beside is None else InUse("challenger", beside),
        problems,
    )


def _first(
    root: Place, registry: Registry, champion: Model | None, problems: dict[str, str]
) -> Version | None:
    """The champion, or the latest of those before it that can be read."""
    while champion is not None and champion.model_version not in problems:
        version = _read(root, champion, problems)
        if version is not None:
            return version
        champion = predecessor(registry, champion)
    return None


def _read(root: Place, model: Model | None, problems: dict[str, str]) -> Version | None:
    if model is None:
        return None
    try:
        library()
        return opened(root, model)
    except LakeshelfError as error:
        problems[model.model_version] = str(error)
        return None
