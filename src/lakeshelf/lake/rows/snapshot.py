"""A dataset at one version, and the entries of its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.lake.form.actions import added
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.form.metadata import Stamp, decoded
from lakeshelf.lake.rows import reading
from lakeshelf.lake.rows.conditions import Where

At = int | datetime | str
"""A version, a time with its zone, or the id of a published run."""


@dataclass(frozen=True)
class Snapshot:
    """A dataset at one version.

    Attributes:
        dataset: The dataset.
        handle: Its table, at that version.
    """

    dataset: Dataset
    handle: DeltaTable

    @property
    def version(self) -> int:
        """The version."""
        return int(self.handle.version())

    @property
    def table_id(self) -> str:
        """Id of the table; another one when it is created again."""
        return str(self.handle.metadata().id)

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        return reading.schema_of(self.handle)

    def scan(
        self, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pa.RecordBatchReader:
        """Its rows, as `Lake.read` gives them."""
        return reading.scan(self.handle, self.dataset.name, columns, where)

    def rows_by(self, column: str) -> dict[Any, int]:
        """Rows of each value of a partition column; of files with statistics the log alone tells."""
        files = added(self.handle, flatten=True)
        if not files.num_rows:
            return {}
        rows = files.select([f"partition.{column}", "num_records"]).rename_columns(
            ["value", "rows"]
        )
        if rows["rows"].null_count:
            values = self.scan([column]).read_all()[column]
            rows = pa.table({"value": values, "rows": pa.repeat(1, len(values))})
        sums = rows.group_by("value", use_threads=False).aggregate([("rows", "sum")])
        return dict(zip(sums["value"].to_pylist(), sums["rows_sum"].to_pylist(), strict=True))


@dataclass(frozen=True)
class Entry:
    """One version in the history of a dataset.

    Attributes:
        version: The version.
        committed_at: When it was committed, as the commit says.
        operation: What was done.
        stamp: Who did it and why; None: another tool wrote it.
        metadata: Further entries of the commit.
    """

    version: int
    committed_at: datetime
    operation: str
    stamp: Stamp | None
    metadata: Mapping[str, Any]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> Entry:
        """The entry that delta-rs gives."""
        stamped, metadata = decoded(entry)
        at = datetime.fromtimestamp(int(entry.get("timestamp", 0)) / 1000, UTC)
        return cls(int(entry["version"]), at, str(entry.get("operation", "")), stamped, metadata)
