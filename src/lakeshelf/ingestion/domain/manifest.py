"""Files of the manifest and the states they pass through. Pure: the repository commits what comes out here.

```
pending ──► running ──► success
               │  ▲ ├──► partial      some rows were refused
     expired   │  │ ├──► quarantined  no row was loaded
     lease ────┘  │ └──► failed ──► dead, after the last attempt
                  └── retry: partial, quarantined, failed; force: any that ended
```
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa

from lakeshelf.ingestion.errors import TransitionRefused

Status = Literal["pending", "running", "success", "partial", "quarantined", "failed", "dead"]
Mode = Literal["load", "retry", "force", "rebuild"]
SourceKind = Literal["drop", "upload"]

WAITING: tuple[Status, ...] = ("pending", "running")
RETRIED: tuple[Status, ...] = ("partial", "quarantined", "failed")
ENDED: tuple[Status, ...] = ("success", *RETRIED, "dead")

TAKEOVERS = 20
"""Attempts after which a file whose workers keep dying is given up: it may be what kills them."""
SLOWEST_BYTES_S = 2_000_000
"""Bytes a second that the slowest worker loads; a lease lasts as much longer as its files are larger."""


@dataclass(frozen=True)
class FileIdentity:
    """What makes a file this file: the same path with other content is another one."""

    dataset: str
    source: str
    path: str
    sha256: str


@dataclass(frozen=True)
class File:
    """One row of `ops/files`; its columns are told in the reference."""

    file_id: int
    dataset: str
    source: SourceKind
    path: str
    sha256: str
    size: int
    format: str
    created_at: datetime
    updated_at: datetime
    status: Status = "pending"
    attempt: int = 0
    worker: str | None = None
    lease_until: datetime | None = None
    batch_id: str | None = None
    rows_loaded: int = 0
    rows_refused: int = 0
    error: str | None = None
    mode: Mode | None = None
    address: str | None = None
    modified_at: datetime | None = None
    note: str | None = None

    @property
    def identity(self) -> FileIdentity:
        """What makes it this file."""
        return FileIdentity(self.dataset, self.source, self.path, self.sha256)

    def is_expired(self, now: datetime) -> bool:
        """Whether its worker had its time, so that another may take it over."""
        return self.status == "running" and (self.lease_until is None or self.lease_until <= now)


@dataclass(frozen=True)
class Claim:
    """Who takes files, for how long, and what for.

    Attributes:
        worker: The worker.
        batch_id: Identity of the data commit that is to follow.
        now: Present time.
        lease: Time that it has, beside what the size of the files takes.
        mode: What for; an expired file keeps what it was claimed for.
    """

    worker: str
    batch_id: str
    now: datetime
    lease: timedelta
    mode: Mode = "load"


@dataclass(frozen=True)
class LoadResult:
    """What became of a file in one attempt.

    Attributes:
        rows_loaded: Rows of it that are in the dataset now.
        rows_refused: Rows of it that are refused now.
        error: Why it could not be loaded at all; empty: it could.
        refusal: The first rule that is broken now; empty: none is.
        note: What was left out of it; None: it was not read.
    """

    rows_loaded: int = 0
    rows_refused: int = 0
    error: str = ""
    refusal: str = ""
    note: str | None = None

    @property
    def status(self) -> Status:
        """The state that follows."""
        if self.error:
            return "failed"
        if not self.rows_refused:
            return "success"
        return "partial" if self.rows_loaded else "quarantined"

    @property
    def why(self) -> str:
        """Why nothing of it was loaded; empty: something was, or there was nothing."""
        return self.error or (self.refusal if self.status == "quarantined" else "")


def files_of(rows: pa.Table) -> list[File]:
    """Rows of the manifest as files, by id; a manifest of an older release lacks columns."""
    names = [field.name for field in fields(File) if field.name in rows.column_names]
    return [File(**row) for row in rows.select(names).sort_by("file_id").to_pylist()]


def claimed(files: list[File], claim: Claim) -> list[File]:
    """The files, running for a worker.

    Raises:
        TransitionRefused: One of them may not be taken for that.
    """
    size = sum(file.size for file in files)
    until = claim.now + claim.lease + timedelta(seconds=size / SLOWEST_BYTES_S)
    return [
        replace(
            file,
            status="running",
            mode=_mode(file, claim),
            attempt=file.attempt + 1,
            worker=claim.worker,
            batch_id=claim.batch_id,
            lease_until=until,
            error=None,
            updated_at=claim.now,
        )
        for file in files
    ]


def ended(file: File, result: LoadResult, batch_id: str, now: datetime, max_attempts: int) -> File:
    """The file after an attempt.

    Raises:
        TransitionRefused: It is not, or no longer, in that batch.
    """
    if file.status != "running" or file.batch_id != batch_id:
        raise TransitionRefused(
            f"file {file.file_id} is {file.status} in batch {file.batch_id}, not running in {batch_id}",
            hint="another worker took it over; its outcome counts",
        )
    status: Status = result.status
    if status == "failed" and file.attempt >= max_attempts:
        status = "dead"
    return replace(
        file,
        status=status,
        worker=None,
        lease_until=None,
        rows_loaded=result.rows_loaded,
        rows_refused=result.rows_refused,
        error=result.why or None,
        note=file.note if result.note is None else result.note or None,
        updated_at=now,
    )


def renewed(file: File, batch_id: str, now: datetime, lease: timedelta) -> File:
    """The file with a longer lease.

    Raises:
        TransitionRefused: It is no longer in that batch.
    """
    if file.status != "running" or file.batch_id != batch_id:
        raise TransitionRefused(
            f"file {file.file_id} is no longer in batch {batch_id}",
            hint="another worker took it over",
        )
    return replace(file, lease_until=now + lease, updated_at=now)


def given_up(file: File, now: datetime) -> File:
    """A file whose workers died too often."""
    return replace(
        file,
        status="dead",
        worker=None,
        lease_until=None,
        error=f"{file.attempt} workers ended while they loaded it",
        updated_at=now,
    )


def _mode(file: File, claim: Claim) -> Mode:
    if file.status == "pending" and claim.mode in ("load", "rebuild"):
        return claim.mode
    if file.is_expired(claim.now) and claim.mode == "load":
        return "force" if file.mode == "rebuild" else file.mode or "load"
    if file.status in RETRIED and claim.mode == "retry":
        # Rows of it are in the dataset, or recorded as refused: only those may follow.
        return "retry" if file.rows_loaded or file.rows_refused else "load"
    if file.status in ENDED and claim.mode in ("force", "rebuild"):
        return claim.mode
    raise TransitionRefused(_refusal(file, claim), hint=_HINTS[file.status])


def _refusal(file: File, claim: Claim) -> str:
    whose = f" for {file.worker} until {file.lease_until}" if file.status == "running" else ""
    verb = {"load": "loaded", "retry": "retried", "force": "forced", "rebuild": "rebuilt"}
    return f"file {file.file_id} ({file.path}) is {file.status}{whose} and cannot be {verb[claim.mode]}"


_HINTS: dict[Status, str] = {
    "pending": "`lakeshelf files scan` loads it",
    "running": "wait until it has ended",
    "success": "`--force` loads it again",
    "partial": "`lakeshelf files retry` loads its refused rows",
    "quarantined": "`lakeshelf files retry` loads its refused rows",
    "failed": "`lakeshelf files retry` tries it again",
    "dead": "correct its cause; `--force` loads it again",
}
