"""What is asked of a lake by those who need less than all of it: history, upkeep, components, files that become rows.

`Lake` is one; whoever needs less than all of it names one of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Protocol

import pyarrow as pa

from lakeshelf.lake.form.commits import Commit, Txns
from lakeshelf.lake.form.dataset import Dataset, Datasets
from lakeshelf.lake.form.metadata import Stamp
from lakeshelf.lake.form.schemas import SchemaMode
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.snapshot import At, Snapshot
from lakeshelf.lake.rows.sources import Rows


class ReadTables(Protocol):
    """Datasets by name, at a version."""

    root: Root
    catalog: Datasets
    clock: Callable[[], datetime]

    def dataset(self, name: str) -> Dataset:
        """The dataset of a name."""

    def snapshot(self, name: str, at: At | None = None) -> Snapshot:
        """A dataset at one version."""

    def read(
        self,
        name: str,
        at: At | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> pa.RecordBatchReader:
        """Rows of a dataset as a stream."""


class Tables(ReadTables, Protocol):
    """Datasets that are written as well, by one commit each."""

    writer: str | None
    stamp: Stamp

    def create(
        self, name: str, schema: pa.Schema | None = None, *, exist_ok: bool = False, **options: Any
    ) -> Commit:
        """Create the table of a dataset, without rows."""

    def append(
        self,
        name: str,
        rows: Rows,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: SchemaMode | None = None,
    ) -> Commit:
        """Append rows."""

    def overwrite(
        self,
        name: str,
        rows: Rows,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: SchemaMode | None = None,
    ) -> Commit:
        """Make rows the only rows of a dataset."""

    def merge(
        self,
        name: str,
        rows: Rows,
        keys: Sequence[str] | None = None,
        order_by: str | Sequence[str] | None = None,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: Literal["merge"] | None = None,
    ) -> Commit:
        """Insert rows of new keys and update rows that differ."""

    def replace(
        self,
        name: str,
        rows: Rows,
        where: Where,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Commit:
        """Make rows the only rows of a slice."""
