# ruff: noqa: PLC0415 - what is heavy is imported by the call that needs it
"""What another policy would have meant on the receipts of the lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lakeshelf.governance.api.answers import JobAnswer
from lakeshelf.governance.api.calling import By, Jobs, On, router, shop_tables
from lakeshelf.governance.api.door.failures import documented
from lakeshelf.governance.api.routes.shop.models import models_installed
from lakeshelf.governance.api.shapes import Body, Name

routes = router("what if", shop_tables, models_installed)
MOST_NAMES = 1_000
Names = list[Annotated[str, StringConstraints(min_length=1, max_length=200)]]
Value = Annotated[str, StringConstraints(max_length=200)]


class PolicyField(BaseModel):
    """A field of a policy that can be changed in a replay."""

    name: str
    type: str
    doc: str
    unit: str
    default: bool | float | str | None
    minimum: float | None
    maximum: float | None
    enum: Sequence[str]


class AskedAnswer(BaseModel):
    """Fields that can be changed, and limits: seconds, days of shelves, replays of a user at once."""

    fields: Sequence[PolicyField]
    limits: Mapping[str, float]


class WhatIf(Body):
    """Which days and shelves, and what would have been set, or which open change request of policies holds it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"stores": ["SIM-001"], "set": {"threshold_pct": "50"}, "frontier": True}]
        }
    )
    since: date | None = None
    until: date | None = None
    stores: Names = Field([], max_length=MOST_NAMES)
    categories: Names = Field([], max_length=MOST_NAMES)
    items: Names = Field([], max_length=MOST_NAMES)
    set: dict[Name, Value] = Field({}, max_length=20)
    change_request: int | None = Field(None, ge=1, le=2**31 - 1)
    frontier: bool = False


@routes.get("/whatif")
def get_fields(caller: By) -> AskedAnswer:
    """Which fields of policies can be changed in a replay, and its limits."""
    from lakeshelf.governance.services.shop import replaying

    known = [PolicyField(**one) for one in replaying.fields(caller)]
    return AskedAnswer(fields=known, limits=replaying.LIMITS)


@routes.post(
    "/whatif",
    status_code=202,
    responses=documented("query_too_large"),
)
def ask(context: On, caller: By, runner: Jobs, body: WhatIf) -> JobAnswer:
    """Replay the receipts of the lake under the policies in force and under changed ones, as `lakeshelf whatif`.

    It is a job of the caller, whose result has every measure with intervals; nothing is changed.
    """
    from lakeshelf.governance.services.jobs import asked
    from lakeshelf.governance.services.shop import replaying

    job = replaying.start(context, caller, runner, replaying.Question(**dict(body)))
    return JobAnswer.of(asked.job(context, caller, job.id))
