"""What services need of storage; `lakeshelf.ingestion.io` has it for Delta."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol

import pyarrow as pa

from lakeshelf.ingestion.declared.parsed import RowRefusal
from lakeshelf.ingestion.declared.spec import Spec
from lakeshelf.ingestion.domain.declaration import Declaration
from lakeshelf.ingestion.domain.found import FoundFile, Look
from lakeshelf.ingestion.domain.manifest import File
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.rows.conditions import Where


class BronzeSource(Protocol):
    """Files that are to be loaded."""

    def discover(
        self, now: datetime, settle: timedelta, before: Mapping[str, FoundFile] | None = None
    ) -> Look:
        """What is there."""

    def declarations(self, folders: set[str]) -> dict[str, Declaration]:
        """Folder → what is declared of its files."""

    def hash_of(self, file: FoundFile) -> str:
        """Hash of a file's content."""

    def read(self, file: File) -> bytes:
        """Content of a file; refused when it is not what was registered."""

    def put(self, folder: str, name: str, content: bytes) -> str:
        """Keep an upload; its address."""


class ManifestRepository(Protocol):
    """Files and their states; every change conflicts with any other."""

    def resolve(self, files: Sequence[File]) -> list[File]:
        """Give ids to files that are not known yet."""

    def known(self) -> set[tuple[Any, ...]]:
        """Address, size and time of change of all files."""

    def claim(self, decide: Callable[[pa.Table], Sequence[File]]) -> list[File]:
        """Take files that are pending or running."""

    def change(
        self, where: Where | None, decide: Callable[[list[File]], Sequence[File]]
    ) -> list[File]:
        """Change files in one commit."""

    def rows(self, where: Where | None = None) -> pa.Table:
        """Rows of the manifest, by id."""

    def files(self, where: Where | None = None) -> list[File]:
        """Files, by id."""


class RejectRepository(Protocol):
    """Rows that were refused."""

    def record(
        self,
        refused: Mapping[int, Sequence[RowRefusal]],
        dataset: str,
        batch_id: str,
        now: datetime,
        part: int = 1,
    ) -> bool:
        """Record refused rows; whether the batch still may."""

    def resolve(self, loaded: Mapping[int, set[int]], now: datetime) -> None:
        """Say when refused rows came into the dataset."""

    def lines(self, file_ids: Sequence[int]) -> dict[int, set[int]]:
        """File → lines that are still refused."""

    def left(self, file_ids: Sequence[int]) -> dict[int, list[RowRefusal]]:
        """File → refusals that are not resolved."""

    def of(self, file_ids: Sequence[int], *, unresolved: bool = False) -> list[dict[str, Any]]:
        """Refused rows of files."""

    def fence(self, batch_id: str) -> None:
        """Give a batch up."""


class TableRepository(Protocol):
    """The dataset that files are loaded into; each write tells whether its batch stands in the table."""

    @property
    def exists(self) -> bool:
        """Whether the table is there."""

    def refusal(self) -> str:
        """Why no files may be loaded into it; empty: they may."""

    def known(self) -> Dataset | None:
        """The dataset, where it is known."""

    def schema(self) -> pa.Schema:
        """Its columns."""

    def lines(self, file_ids: Sequence[int]) -> dict[int, set[int]]:
        """File → lines of it that are in the dataset."""

    def ensure(self, spec: Spec) -> None:
        """Create the table, or give it the columns that it lacks."""

    def read_all(self, file_ids: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Rows of files."""

    def write_full(self, rows: Callable[[], pa.RecordBatchReader], batch_id: str) -> bool:
        """Make rows the only rows."""

    def append(self, rows: pa.Table, batch_id: str) -> bool:
        """Add rows."""

    def merge(self, rows: pa.Table, keys: Sequence[str], batch_id: str) -> bool:
        """Add rows whose keys are not there."""

    def replace(self, rows: pa.Table, file_ids: Sequence[int], batch_id: str) -> bool:
        """Make rows the only rows of files."""

    def fence(self, batch_id: str) -> bool:
        """Give a batch up, unless it committed; whether it did."""
