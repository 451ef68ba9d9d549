"""Versions of the model that orders, as answers have them, and what is asked of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from lakeshelf.governance.api.routes.shop.shapes import RowsPage
from lakeshelf.governance.api.shapes import Body, Title

if TYPE_CHECKING:
    from lakeshelf.governance.services.shop.models import SeenCard, SeenModel, SeenModels


class ObjectAnswer(BaseModel):
    """What is told of an object, field by field."""

    model_config = ConfigDict(from_attributes=True, protected_namespaces=())


class GateAnswer(ObjectAnswer):
    """A gate: what was measured on the newest fold (null: unknown), its bound, whether it was kept."""

    name: str
    rule: str
    value: float | None
    bound: float | None
    at_least: bool | None
    passed: bool


class ModelAnswer(ObjectAnswer):
    """A version: who made it what it is and why, its gates, what a promotion makes of it, what the caller may do."""

    model_name: str
    model_version: str
    status: Literal["candidate", "challenger", "champion", "retired", "refused"]
    trained_until: date
    run_id: str
    card_sha256: str
    replaced: str | None
    reason: str
    actor: str
    created_at: datetime
    updated_at: datetime
    version: int
    gates: Sequence[GateAnswer]
    becomes: Literal["challenger", "champion"] | None
    can: Mapping[str, bool | str]

    @classmethod
    def of(cls, seen: SeenModel) -> ModelAnswer:
        """The answer to a version as somebody sees it."""
        beside = {"gates": seen.gates, "becomes": seen.becomes, "can": seen.can}
        return cls(**seen.model.row() | beside)


class ScoresAnswer(ObjectAnswer):
    """Scores of a version, `contender` among its rivals: segment → metric → contender → weighted mean of the folds."""

    model_version: str
    contender: str
    folds: Sequence[date]
    means: Mapping[str, Mapping[str, Mapping[str, float]]]


class HealthAnswer(BaseModel):
    """What was measured of a version on the latest day, in a store (empty: in all), and whether it is red."""

    model_config = ConfigDict(protected_namespaces=())
    model_version: str
    day: date
    store_id: str
    metric: str
    value: float | None
    bound: float
    verdict: Literal["green", "red", "unknown"]
    reason: str | None


class ModelsAnswer(RowsPage):
    """Versions of a page, the newest first, which are in use, their scores and health, and what is wrong."""

    rows: Sequence[ModelAnswer]
    champion: ModelAnswer | None
    challenger: ModelAnswer | None
    scores: Sequence[ScoresAnswer]
    health: Sequence[HealthAnswer]
    problems: Sequence[str]

    @classmethod
    def of(cls, seen: SeenModels) -> ModelsAnswer:
        """The answer to versions as somebody sees them."""
        return cls(
            total=seen.total,
            rows=list(map(ModelAnswer.of, seen.rows)),
            champion=None if seen.champion is None else ModelAnswer.of(seen.champion),
            challenger=None if seen.challenger is None else ModelAnswer.of(seen.challenger),
            scores=[ScoresAnswer.model_validate(one) for one in seen.scores],
            health=[HealthAnswer(**row) for row in seen.health],
            problems=seen.problems,
        )


class CardAnswer(BaseModel):
    """A version with its scores, and its card (what it read, folds, settings) or the damage of its files."""

    model: ModelAnswer
    scores: ScoresAnswer
    card: Mapping[str, Any] | None
    damage: str

    @classmethod
    def of(cls, seen: SeenCard) -> CardAnswer:
        """The answer to a version with its card."""
        card = seen.card.model_dump(mode="json", exclude={"scores", "gates"}) if seen.card else None
        scores = ScoresAnswer.model_validate(seen.scores)
        return cls(model=ModelAnswer.of(seen.seen), scores=scores, card=card, damage=seen.damage)


class Promotion(Body):
    """What a version is to become, as `becomes` said it, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"to": "challenger", "reason": "passed every gate"}]}
    )
    to: Literal["challenger", "champion"]
    reason: Title = ""


class Rollback(Body):
    """Why the champion is rolled back."""

    reason: Title = ""
