"""What a worker works with: the repositories of a lake, and how it works."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from lakeshelf import extras
from lakeshelf.ingestion.domain.choosing import BatchLimits
from lakeshelf.ingestion.domain.manifest import Claim, Mode
from lakeshelf.ingestion.io.bronze import Bronze
from lakeshelf.ingestion.io.manifest import Manifest
from lakeshelf.ingestion.io.rejects import Rejects
from lakeshelf.ingestion.io.target import Target
from lakeshelf.ingestion.services.repositories import (
    BronzeSource,
    ManifestRepository,
    RejectRepository,
    TableRepository,
)
from lakeshelf.lake.rows.port import Tables

Progress = Callable[[str, int, int], None]
"""Is told the step, how much of it is done, and how much there is."""
LEASE = timedelta(seconds=20)
"""Time that a batch has, beside what its bytes take. A lease that ends too early costs work, never rows."""
MAX_ATTEMPTS = 5


def unseen(step: str, done: int = 0, total: int = 0) -> None:
    """Progress that nobody looks at."""


def own_name() -> str:
    """Name of this process as a worker."""
    return f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


@dataclass(frozen=True)
class Workshop:
    """What a worker works with.

    Attributes:
        lake: The lake.
        worker: Name of the worker.
        limits: How much a batch takes.
        lease: Time that a batch has.
        max_attempts: Attempts after which a file that fails is dead.
        progress: Is told what is done.

    Raises:
        MissingExtra: The readers of formats are not installed; no file is claimed.
    """

    lake: Tables
    worker: str = field(default_factory=own_name)
    limits: BatchLimits = field(default_factory=BatchLimits)
    lease: timedelta = LEASE
    max_attempts: int = MAX_ATTEMPTS
    progress: Progress = unseen

    def __post_init__(self) -> None:
        extras.require("files")

    @cached_property
    def bronze(self) -> BronzeSource:
        """Files that are to be loaded."""
        return Bronze(self.lake.root)

    @cached_property
    def manifest(self) -> ManifestRepository:
        """Files and their states."""
        return Manifest(self.lake)

    @cached_property
    def rejects(self) -> RejectRepository:
        """Rows that were refused."""
        return Rejects(self.lake)

    def now(self) -> datetime:
        """Present time."""
        return self.lake.clock()

    def target(self, dataset: str) -> TableRepository:
        """The dataset that files are loaded into."""
        return Target(self.lake, dataset)

    def new_claim(self, mode: Mode = "load") -> Claim:
        """A claim of this worker, with a batch of its own."""
        return Claim(self.worker, uuid.uuid4().hex, self.now(), self.lease, mode)
