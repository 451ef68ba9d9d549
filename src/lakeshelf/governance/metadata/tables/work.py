"""Calls, leases, uploads, jobs and runs of the validation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Index

from lakeshelf.governance.metadata.database.records import Object, declare
from lakeshelf.governance.metadata.tables.datasets import of_dataset


@dataclass(frozen=True)
class Call:
    """A call with an idempotency key, and its answer.

    Attributes:
        user: Who called.
        route: Method and route.
        key: The key.
        body_hash: SHA-256 of the body.
        status: HTTP status of the answer; None: it is still served.
        answer: The answer as JSON.
        busy_until: Until when it counts as being served.
        expires_at: When it is forgotten.
    """

    user: str
    route: str
    key: str
    body_hash: str
    status: int | None
    answer: Object | None
    busy_until: datetime
    expires_at: datetime


@dataclass(frozen=True)
class Lease:
    """The right to do something alone for a while.

    Attributes:
        name: What is done, such as `merge:retail/shelf_policies`.
        holder: Who does it; empty: nobody.
        number: Fencing number: one more each time it is taken.
        deadline: When another may take it.
        heartbeat_at: When it was last taken or renewed.
    """

    name: str
    holder: str
    number: int
    deadline: datetime
    heartbeat_at: datetime


@dataclass(frozen=True)
class Upload:
    """A file that becomes a change request.

    Attributes:
        id: Its id.
        project: The project.
        dataset: The dataset.
        user: Who uploaded it.
        file_name: Its name, to be shown.
        format: Its format.
        mode: One of `upsert`, `append`, `replace`.
        size: Its bytes.
        sha256: Its hash.
        status: How far it is.
        base_version: Version of the table it is compared with.
        report: Schema, counts and findings.
        created_at: When it was uploaded.
        updated_at: When its status last changed.
    """

    id: str
    project: str
    dataset: str
    user: str
    file_name: str
    format: str
    mode: str
    size: int
    sha256: str
    status: str
    base_version: int
    report: Object
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class BackgroundJob:
    """Something that takes longer than a call; it ends with the process that does it.

    Attributes:
        id: Its id.
        project: Its project; empty: none.
        user: Who asked for it.
        kind: What is done.
        params: With what.
        status: One of `queued`, `running`, `done`, `failed`, `cancelled`, `interrupted`.
        created_at: When it was asked for.
        worker: The process that does it.
        deadline: When it counts as interrupted, unless its process has said that it lives.
        progress: How far it is.
        result: What came of it, or the error.
        cancel_requested_at: When it was to stop.
        started_at: When it was begun.
        ended_at: When it ended.
    """

    id: str
    project: str
    user: str
    kind: str
    params: Object
    status: str
    created_at: datetime
    worker: str
    deadline: datetime
    progress: Object | None = None
    result: Object | None = None
    cancel_requested_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class ValidationRun:
    """A judgement of the validation.

    Attributes:
        id: Its id, also of its files.
        project: The project.
        dataset: The dataset.
        request: Number of the change request.
        revision: Its revision.
        session: Session that was judged.
        point: One of `cell`, `preview`, `submit`, `approve`, `merge`, `restore`.
        definition_version: Version of the rules.
        main_version: Version of the table.
        content_hash: What was judged.
        passed: Whether nothing blocks.
        counts: Severity → introduced findings.
        started_at: When it began.
        ended_at: When it ended.
    """

    id: str
    project: str
    dataset: str
    request: int | None
    revision: int | None
    session: str | None
    point: str
    definition_version: int
    main_version: int
    content_hash: str | None
    passed: bool
    counts: Object
    started_at: datetime
    ended_at: datetime


CALLS = declare("idempotency", Call, ["user", "route", "key"], Index(None, "expires_at"))
LEASES = declare("lease", Lease, ["name"])
UPLOADS = declare("upload", Upload, ["id"], of_dataset(), Index(None, "project", "dataset"))
JOBS = declare(
    "job",
    BackgroundJob,
    ["id"],
    Index(None, "status", "created_at"),
    Index(None, "user", "created_at"),
)
VALIDATION_RUNS = declare(
    "validation_run",
    ValidationRun,
    ["id"],
    of_dataset(),
    Index(None, "project", "request"),
    Index(None, "session"),
)
