"""Answers and parameters of what is seen of the shop and its stack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lakeshelf.governance.api.routes.shop.rows import (
    Alert,
    Batch,
    LowShelf,
    Numbers,
    Plan,
    RefusedRecord,
    Table,
)
from lakeshelf.governance.api.shapes import Body, Title

Word = Annotated[str | None, Query(min_length=1, max_length=200)]
Id = Annotated[str, Query(min_length=1, max_length=400)]
Target = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Value = Annotated[str, StringConstraints(max_length=2_000_000)]
Location = Literal["store", "warehouse"]
MOST_TARGETS = 500
"""Alerts or plans of one call."""
MOST_UNITS = 10_000_000


class RowsPage(BaseModel):
    """Rows of a page, and how many there are in all."""

    model_config = ConfigDict(from_attributes=True)
    total: int


class AlertsAnswer(RowsPage):
    """Alerts of a page."""

    rows: Sequence[Alert]


class PlansAnswer(RowsPage):
    """Plans of a page."""

    rows: Sequence[Plan]


class LowShelves(RowsPage):
    """Shelves and back rooms of a page that are low."""

    rows: Sequence[LowShelf]


class Batches(RowsPage):
    """Batches of a page."""

    rows: Sequence[Batch]


class TablesAnswer(RowsPage):
    """Tables and views of a page."""

    rows: Sequence[Table]


class RefusedRecords(RowsPage):
    """Refused records of a page, how many by reason, and what the caller may do: true, or why not."""

    rows: Sequence[RefusedRecord]
    reasons: Mapping[str, int]
    can: Mapping[str, bool | str]


class NumbersAnswer(BaseModel):
    """Live numbers; the same `id` is the same look, and another epoch before its dot another process."""

    id: str
    numbers: Numbers


class NumbersHistory(BaseModel):
    """Numbers of the last ten minutes in which somebody asked, each with its `id`, the oldest first."""

    points: Sequence[Numbers]


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


class Count(Body):
    """Units of a lot that were counted; `agreed`: it is right although the books make it doubtful."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"units": 7, "location": "store", "reason": "stocktaking"}]}
    )
    units: int = Field(ge=0, le=MOST_UNITS)
    location: Location = "store"
    lot: Target | None = None
    reason: Title = ""
    agreed: bool = False


class Correction(Body):
    """A refused record, by its place in the quarantine, with the value (and key) that is right.

    What is no text is given in base64, as the quarantine does.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "topic": "shelf_events",
                    "partition": 0,
                    "offset": 41,
                    "value": '{"event_id": "e1"}',
                }
            ]
        }
    )
    topic: Target
    partition: int = Field(ge=0, le=2**31 - 1)
    offset: int = Field(ge=0, le=2**63 - 1)
    value: Value | None = None
    value_base64: Value | None = None
    key: Value | None = None
    key_base64: Value | None = None


class Corrections(Body):
    """Records that are sent together, or none of them."""

    records: list[Correction] = Field(min_length=1, max_length=MOST_TARGETS)


class CorrectionsAnswer(BaseModel):
    """How many records were sent."""

    sent: int


class LotAnswer(BaseModel):
    """What the books expect of a lot; below zero where movements are missing."""

    batch_code: str
    expected: int
    expiry_date: date | None


class BooksAnswer(BaseModel):
    """What the books expect at one place, lot by lot, and of lots at the other place."""

    shelf_id: str
    location: str
    lots: Sequence[LotAnswer]
    elsewhere: Mapping[str, int]


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


class CountAnswer(BaseModel):
    """A count against the books, and the act that adjusts them; none where they agree."""

    model_config = ConfigDict(from_attributes=True)
    shelf_id: str
    location: str
    batch_code: str | None
    counted: int
    difference: int
    act: ActAnswer | None


class ActsAnswer(BaseModel):
    """Acts of a page, and how many there are in all."""

    model_config = ConfigDict(from_attributes=True)
    acts: Sequence[ActAnswer]
    total: int
