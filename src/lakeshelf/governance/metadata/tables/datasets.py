"""Governed datasets: what they are, where they stand, and who edits them now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, Index

from lakeshelf.governance.metadata.database.records import Object, declare


@dataclass(frozen=True)
class GovernedDataset:
    """A governed dataset.

    Attributes:
        project: Its project.
        id: Its id in the project.
        title: What people call it.
        description: What its rows are.
        definition_version: Version of its definition that is in force.
        created_by: Who made it.
        created_at: When.
    """

    project: str
    id: str
    title: str
    description: str
    definition_version: int
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class DefinitionVersion:
    """A version of what a dataset is.

    Attributes:
        project: The project.
        dataset: The dataset.
        version: Counts from 1.
        body: The definition as JSON.
        request: Number of the change request it came by; None: it is the first.
        created_by: Who wrote it.
        created_at: When it came into force.
    """

    project: str
    dataset: str
    version: int
    body: Object
    request: int | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class DatasetMeta:
    """Where the table of a dataset stands.

    Attributes:
        project: The project.
        dataset: The dataset.
        delta_version: Its newest version.
        last_commit_id: Application id of that commit.
        row_count: Its rows, as DuckDB counts them.
        updated_at: When that was seen.
    """

    project: str
    dataset: str
    delta_version: int
    last_commit_id: str
    row_count: int
    updated_at: datetime


@dataclass(frozen=True)
class NamedSnapshot:
    """A version of a dataset that was copied whole, under a name.

    Attributes:
        project: The project.
        dataset: The dataset.
        name: Its name in the dataset.
        delta_version: The version that was copied.
        definition_version: Version of the definition in force then.
        row_count: Rows of the copy.
        reason: What it is kept for.
        created_by: Who asked for it.
        created_at: When.
    """

    project: str
    dataset: str
    name: str
    delta_version: int
    definition_version: int
    row_count: int
    reason: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class LiveSession:
    """Somebody who edits a dataset like a spreadsheet.

    Attributes:
        id: Its id.
        project: The project.
        dataset: The dataset.
        user: Whose it is.
        base_version: Version of the table that is edited.
        definition_version: Version of the definition at that time.
        request: Number of the change request that is edited again; None: a new one.
        edits: Edits so far; the next one has the next `seq`.
        size: Bytes of these edits.
        created_at: When it was opened.
        edited_at: When it was last edited.
        ended_at: When it was submitted, thrown away or cleaned up.
    """

    id: str
    project: str
    dataset: str
    user: str
    base_version: int
    definition_version: int
    request: int | None
    edits: int
    size: int
    created_at: datetime
    edited_at: datetime
    ended_at: datetime | None = None


def of_dataset() -> ForeignKeyConstraint:
    """What belongs to a dataset belongs to one that there is."""
    return ForeignKeyConstraint(["project", "dataset"], ["dataset.project", "dataset.id"])


DATASETS = declare(
    "dataset", GovernedDataset, ["project", "id"], ForeignKeyConstraint(["project"], ["project.id"])
)
DEFINITIONS = declare(
    "definition", DefinitionVersion, ["project", "dataset", "version"], of_dataset()
)
METAS = declare("dataset_meta", DatasetMeta, ["project", "dataset"], of_dataset())
SNAPSHOTS = declare("snapshot", NamedSnapshot, ["project", "dataset", "name"], of_dataset())
LIVE_SESSIONS = declare(
    "live_session",
    LiveSession,
    ["id"],
    of_dataset(),
    ForeignKeyConstraint(["user"], ["user.name"]),
    Index(None, "project", "dataset", "user"),
)
