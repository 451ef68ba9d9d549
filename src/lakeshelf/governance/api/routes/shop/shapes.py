"""Answers and parameters of what is seen of the shop and its stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lakeshelf.governance.api.shapes import Body, Title

Word = Annotated[str | None, Query(min_length=1, max_length=200)]
Id = Annotated[str, Query(min_length=1, max_length=400)]
Target = Annotated[str, StringConstraints(min_length=1, max_length=400)]
MOST_TARGETS = 500
"""Alerts or plans of one call."""
MOST_UNITS = 10_000_000


class RowsAnswer(BaseModel):
    """Rows of a page, and how many there are in all."""

    model_config = ConfigDict(from_attributes=True)
    rows: Sequence[Mapping[str, Any]]
    total: int


class RefusedRecords(RowsAnswer):
    """Refused records, and how many by reason."""

    reasons: Mapping[str, int]


class NumbersAnswer(BaseModel):
    """Live numbers; the same `id` is the same look, and another epoch before its dot another process."""

    id: str
    numbers: Mapping[str, Any]


class NumbersHistory(BaseModel):
    """Numbers of the last ten minutes in which somebody asked, the oldest first."""

    points: Sequence[Mapping[str, Any]]


class DiagnosisAnswer(BaseModel):
    """What was examined, and what was found."""

    model_config = ConfigDict(from_attributes=True)
    name: str
    ok: bool
    message: str
    fix: str


class Examined(BaseModel):
    """Everything that was examined; `ok`: nothing keeps the stack from working."""

    ok: bool
    checks: Sequence[DiagnosisAnswer]


class NodeAnswer(BaseModel):
    """A place, or what makes something of others."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    kind: str
    name: str
    doc: str
    owner: str


class EdgeAnswer(BaseModel):
    """What flows from one node to another."""

    model_config = ConfigDict(from_attributes=True)
    source: str
    target: str


class GraphAnswer(BaseModel):
    """Nodes by id, and what flows between them."""

    model_config = ConfigDict(from_attributes=True)
    nodes: Sequence[NodeAnswer]
    edges: Sequence[EdgeAnswer]


class Traced(BaseModel):
    """The stories of an id, one for each thing that it names."""

    id: str
    kinds: Sequence[str]
    stories: Sequence[Mapping[str, Any]]


class Asked(Body):
    """What is asked of the owners of alerts (`ack`, `dismiss`) or plans (`cancel`)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"command": "ack", "targets": ["refill_request:S1-I1:1"], "reason": "on my way"}
            ]
        }
    )
    command: Literal["ack", "dismiss", "cancel"]
    targets: list[Target] = Field(min_length=1, max_length=MOST_TARGETS)
    reason: Title = ""


class Adjustment(Body):
    """Units that are there more, or less, than the books say."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"quantity": -2, "reason": "two were broken"}]}
    )
    quantity: int = Field(ge=-MOST_UNITS, le=MOST_UNITS)
    reason: Title = ""


class ActAnswer(BaseModel):
    """Something that staff asked for, and what became of it."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    user: str
    command: str
    target: str
    reason: str
    state: Literal["asked", "done", "refused"]
    refusal: str | None
    asked_at: datetime
    sent_at: datetime | None
    settled_at: datetime | None


class ActsAnswer(BaseModel):
    """Acts of a page, and how many there are in all."""

    model_config = ConfigDict(from_attributes=True)
    acts: Sequence[ActAnswer]
    total: int
