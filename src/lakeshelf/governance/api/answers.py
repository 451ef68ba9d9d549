"""Answers of the API that are more than a record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from lakeshelf.governance.domain.editing.edits import Edit
from lakeshelf.governance.domain.findings import Finding
from lakeshelf.governance.domain.permissions import Role, Scope
from lakeshelf.governance.domain.requests.conflicts import MergeConflict
from lakeshelf.governance.metadata.tables.events import Event
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.reviews import Comment, Review
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.history import CellChange
from lakeshelf.governance.services.jobs.asked import SeenJob
from lakeshelf.governance.services.jobs.queries import QueryResult


class TokenAnswer(BaseModel):
    """A token without what proves it."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    user: str
    label: str
    scopes: Sequence[Scope]
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None
    parent: str | None


class IssuedToken(BaseModel):
    """A token with its secret, which is told once."""

    token: TokenAnswer
    secret: str | None = None


class SignedIn(BaseModel):
    """Who is signed in, and what calls that change something bring along."""

    user: str
    csrf: str
    expires_at: datetime


class IssuedLink(BaseModel):
    """What signs a browser in, once; its secret is told once."""

    user: str
    expires_at: datetime
    secret: str | None = None


class BrowserSessionAnswer(BaseModel):
    """Where somebody is signed in."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    user: str
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime


class Me(BaseModel):
    """Who calls; `csrf` and the id of its `session` where it is a browser, `can` what they may do beside projects."""

    user: str
    admin: bool
    scopes: Sequence[Scope]
    projects: Mapping[str, Role]
    can: Mapping[str, bool | str]
    csrf: str | None = None
    session: str | None = None


class ViewAnswer(BaseModel):
    """A view: its id names version, filter and order."""

    id: str
    count: int
    version: int | None
    snapshot: str | None


class Facet(BaseModel):
    """A value of a column, and how many rows have it."""

    value: Any
    count: int


class Facets(BaseModel):
    """The most frequent values of a column, and how many values there are."""

    values: Sequence[Facet]
    distinct: int


class RefusalAnswer(BaseModel):
    """Why something was refused, as errors have it."""

    code: str
    message: str
    details: Mapping[str, Any]


class RefusedEdit(BaseModel):
    """An edit that was not taken, and why."""

    edit_id: str
    row_id: str
    column: str | None
    error: RefusalAnswer


class EditsAnswer(BaseModel):
    """What became of edits, by cell."""

    edits: Sequence[Edit]
    refusals: Sequence[RefusedEdit]
    made: Mapping[str, str]
    findings: Sequence[Finding]
    deferred: Sequence[str]
    repeated: Sequence[str]


class ChangeAnswer(BaseModel):
    """What becomes of a cell, or of a row (no column), whose values are an object of its cells."""

    row_id: str
    column: str | None
    op: str
    old: Any
    new: Any


class ReportSummary(BaseModel):
    """What the rules found: severity → findings, of what the change introduces and of what was there."""

    point: str
    definition: int
    rows: int
    introduced: Mapping[str, int]
    present: Mapping[str, int]
    deferred: Sequence[str]
    blocked: bool


class PreviewAnswer(BaseModel):
    """What a merge would do now; of `changes` those of the first 200 rows."""

    version: int
    counts: Mapping[str, int]
    changes: Sequence[ChangeAnswer]
    conflicts: Sequence[MergeConflict]
    summary: ReportSummary | None
    findings: Sequence[Finding]


class Said(BaseModel):
    """What people say of a change request."""

    reviews: Sequence[Review]
    comments: Sequence[Comment]


class ColumnAnswer(BaseModel):
    """A column as a page shows it."""

    name: str
    label: str
    type: str
    help: str
    unit: str | None
    required: bool
    key: bool
    read_only: bool
    hidden: bool
    minimum: Any
    maximum: Any
    values: Sequence[Any]
    pattern: str | None
    max_length: int | None


class DefinitionChoices(BaseModel):
    """What parts of a definition may be; `type` beside decimals, `kind`: what its rules are told."""

    type: Sequence[str]
    strictness: Sequence[str]
    severity: Sequence[str]
    operator: Sequence[str]
    kind: Mapping[str, Sequence[str]]


class DefinitionAnswer(BaseModel):
    """What a dataset is: for programs (`definition`), by column for pages, and what parts of the next may be."""

    definition: Mapping[str, Any]
    columns: Sequence[ColumnAnswer]
    choices: DefinitionChoices


class CellChanges(BaseModel):
    """Cells that changed, the latest first, and how many there are."""

    changes: Sequence[CellChange]
    total: int


class StagedCell(BaseModel):
    """A cell that differs between two versions."""

    row_id: str
    column: str | None
    op: str
    before: Any
    after: Any


class VersionsDiff(BaseModel):
    """What turns one version into another."""

    cells: Sequence[StagedCell]
    total: int


class Verdict(BaseModel):
    """Whether a chain of the audit is whole."""

    whole: bool
    broken: Mapping[str, Any] | None = None


class NoticeAnswer(BaseModel):
    """An event that the caller is told of."""

    event: Event
    read_at: datetime | None


class WebhookAnswer(BaseModel):
    """A webhook without what signs its messages."""

    model_config = ConfigDict(from_attributes=True)
    id: str
    project: str
    url: str
    kinds: Sequence[str]
    created_by: str
    created_at: datetime
    disabled_at: datetime | None


class IssuedWebhook(BaseModel):
    """A webhook with its secret, which is told once."""

    webhook: WebhookAnswer
    secret: str | None = None


class QueryAnswer(BaseModel):
    """Rows of a statement, how many are kept, and the versions of what it read."""

    job: str
    columns: Sequence[str]
    types: Sequence[str]
    rows: Sequence[Sequence[Any]]
    total: int
    truncated: bool
    tables: Mapping[str, int]

    @classmethod
    def of(cls, answer: QueryResult) -> QueryAnswer:
        """The answer to a page of rows."""
        return cls(**vars(answer))


class JobAnswer(BaseModel):
    """A job; `result` of a call is its `status` and `body`, of one that failed its `error`."""

    id: str
    kind: str
    status: str
    params: Mapping[str, Any]
    progress: Mapping[str, Any] | None
    result: Mapping[str, Any] | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    cancel_requested_at: datetime | None
    can: Mapping[str, bool | str]

    @classmethod
    def of(cls, seen: SeenJob) -> JobAnswer:
        """The answer to a job as somebody sees it."""
        known = {name: value for name, value in vars(seen.job).items() if name in cls.model_fields}
        return cls(**known, can=seen.can)


class LoadAnswer(BaseModel):
    """What became of an upload."""

    upload: Upload
    request: ChangeRequest | None


class RefusedCell(BaseModel):
    """A cell of an upload that is refused: where it stands, what it is, and which rule says no."""

    line: int | None
    row_id: str | None
    column: str | None
    value: str | None
    rule: str | None
    message: str


class Refusals(BaseModel):
    """Cells of an upload that are refused, by line, and how many there are."""

    refusals: Sequence[RefusedCell]
    total: int


class OutsideCommit(BaseModel):
    """A commit that somebody made past the service."""

    version: int
    committed_at: datetime
    operation: str
