"""Bodies that the API takes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lakeshelf.governance.domain.permissions import Role, Scope
from lakeshelf.governance.services.jobs.queries import MOST_ROWS, MOST_SECONDS

Name = Annotated[str, StringConstraints(min_length=1, max_length=63)]
Title = Annotated[str, StringConstraints(max_length=200)]
Text = Annotated[str, StringConstraints(max_length=10_000)]
Hash = Annotated[str, StringConstraints(min_length=1, max_length=128)]
RowId = Annotated[str, StringConstraints(max_length=4_000)]
Declared = list[Annotated[str, StringConstraints(max_length=200)]]
"""How the text of a file is written: lines such as `delimiter = ";"`."""
Version = Annotated[int, Field(ge=0, le=2**53)]
MOST_EDITS = 10_000
"""Edits of one call."""
MOST_WAITING_S = 9.0
"""Seconds for which a job can be waited for at a time."""


class Body(BaseModel):
    """A body: what is not declared is refused."""

    model_config = ConfigDict(extra="forbid")


class NewUser(Body):
    """A new user."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "dora", "label": "Dora"}]})
    name: Name
    label: Title = ""
    admin: bool = False


class UserChange(Body):
    """What is to be changed of a user."""

    label: Title | None = None
    admin: bool | None = None
    enabled: bool | None = None


class NewToken(Body):
    """A new token; no scopes: all that you may give; no days: 90, or as long as yours is good."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"label": "laptop", "scopes": ["read"], "days": 30}]}
    )
    label: Title = ""
    scopes: list[Scope] | None = None
    days: int | None = Field(None, ge=1, le=366)


class Subject(Body):
    """Somebody as an OpenID provider knows them."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"subject": "248289761001"}]})
    subject: Annotated[str, StringConstraints(min_length=1, max_length=255)]


class SignIn(Body):
    """What proves who signs in: a token, or the secret of a link."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(repr=False)


class NewProject(Body):
    """A new project."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "pricing", "title": "Prices"}]}
    )
    id: Name
    title: Title = ""
    description: Text = ""


class NewRole(Body):
    """A role in a project."""

    role: Role


class NewWebhook(Body):
    """An address that is told of events; no kinds: of all."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://chat.example/in", "kinds": ["cr.merged"]}]}
    )
    url: Annotated[str, StringConstraints(min_length=1, max_length=2_000)]
    kinds: list[Annotated[str, StringConstraints(max_length=100)]] = Field([], max_length=100)


class Switch(Body):
    """Whether something is on."""

    enabled: bool


class NewDataset(Body):
    """A new dataset."""

    id: Name
    title: Title = ""
    description: Text = ""
    definition: dict[str, Any]


class NewDefinition(Body):
    """The next version of a definition, as a change request."""

    definition: dict[str, Any]
    title: Title = "Change the definition"
    description: Text = ""


class NewSnapshot(Body):
    """A version to keep under a name."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "before_easter", "reason": "year on year"}]}
    )
    name: Name
    reason: Text = ""


class Restore(Body):
    """What is to be restored: a version, or a named snapshot."""

    version: Version | Name
    title: Title = ""


class Condition(Body):
    """A condition on a column."""

    column: Name
    op: Annotated[str, StringConstraints(max_length=20)]
    value: Any = None


class Order(Body):
    """A column to sort by."""

    column: Name
    descending: bool = False


class NewView(Body):
    """What a view shows."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "filters": [{"column": "threshold_pct", "op": "<", "value": 20}],
                    "sort": [{"column": "threshold_pct"}],
                }
            ]
        }
    )
    filters: list[Condition] = Field([], max_length=20)
    sort: list[Order] = Field([], max_length=10)
    version: Version | None = None
    snapshot: Name | None = None
    session: Name | None = None


class EditBody(Body):
    """An edit; its id is made by the client."""

    edit_id: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    op: Literal["set", "insert", "delete"]
    row_id: RowId
    column: Name | None = None
    value: Any = None


class EditsBody(Body):
    """Edits that are taken together."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "edits": [
                        {
                            "edit_id": "e1",
                            "op": "set",
                            "row_id": "S1",
                            "column": "threshold_pct",
                            "value": 25,
                        }
                    ]
                }
            ]
        }
    )
    edits: list[EditBody] = Field(min_length=1, max_length=MOST_EDITS)


class UndoBody(Body):
    """Edits that are taken back."""

    edit_ids: list[Annotated[str, StringConstraints(max_length=400)]] = Field(
        min_length=1, max_length=MOST_EDITS
    )


class Submission(Body):
    """What is said of a change request."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"title": "Milk shelves refill earlier"}]}
    )
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    description: Text = ""
    merge_when_approved: bool = False


class Seen(Body):
    """The content that the caller saw."""

    content_hash: Hash


class Approval(Seen):
    """An approval."""

    comment: Text = ""
    acknowledged: list[Name] = Field([], max_length=1_000)


class Rejection(Seen):
    """A rejection."""

    comment: Text


class CellBody(Body):
    """A cell, or a row."""

    row_id: RowId
    column: Name | None = None


class CellsRejection(Seen):
    """Cells that are rejected."""

    cells: list[CellBody] = Field(min_length=1, max_length=MOST_EDITS)
    comment: Text = ""


class Merge(Seen):
    """A merge."""

    force: bool = False


class ResolutionBody(CellBody):
    """A conflict and who is right."""

    choice: Literal["keep_main", "take_staged", "rebase"]


class Resolutions(Seen):
    """Conflicts that are settled together."""

    resolutions: list[ResolutionBody] = Field(min_length=1, max_length=MOST_EDITS)


class RestoreAtOnce(Body):
    """What an owner restores without a review, and why it cannot wait for one."""

    version: Version | Name
    reason: Text


class TakeUp(Body):
    """What is to become of commits that others made past the service."""

    take_back: bool = False
    title: Title = ""


class Revert(Body):
    """A change request to take back."""

    title: Title = ""


class Remark(Body):
    """A remark."""

    body: Text
    row_id: RowId | None = None
    column: Name | None = None
    reply_to: Name | None = None


class Settled(Body):
    """Whether what a remark asks for is done."""

    resolved: bool


class UpTo(Body):
    """The newest event whose notices were read."""

    event: Version


class Query(Body):
    """A statement.

    Attributes:
        sql: One SELECT.
        max_rows: Rows of the answer; others are fetched from its job.
        keep_rows: Rows that are kept to be fetched.
        seconds: How long it may take.
        wait: After how many seconds the answer is its job, unless it has ended.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"sql": "SELECT count(*) FROM retail.shelf_policies"}]}
    )
    sql: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    max_rows: int = Field(1_000, ge=1, le=10_000)
    keep_rows: int = Field(100_000, ge=1, le=MOST_ROWS)
    seconds: float = Field(60.0, gt=0, le=MOST_SECONDS)
    wait: float = Field(MOST_WAITING_S, ge=0, le=MOST_WAITING_S)


class Load(Body):
    """What is said of the change request that an upload becomes."""

    title: Title = ""
    description: Text = ""
    leave_out: bool = False
    merge_when_approved: bool = False
    dry_run: bool = False
    declared: Declared = Field([], max_length=20, examples=[['delimiter = ";"', 'decimal = ","']])
