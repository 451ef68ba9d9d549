"""References to versions of datasets, which nodes pass to each other instead of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from lakeshelf.lake import Commit, Lake, Snapshot, VersionNotFound
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.snapshot import At


@dataclass(frozen=True)
class DeltaRef:
    """One version of a dataset; a fingerprint of its rows, since a version never changes.

    The version alone would be none: a table that is created again starts at 0 again, with another id.

    Attributes:
        dataset: The dataset.
        table_id: Id of its table.
        version: The version.
        root: Root of its lake; no part of the fingerprint, since a moved lake is the same lake.
    """

    dataset: str
    table_id: str
    version: int
    root: str = field(default="", compare=False)

    @classmethod
    def of(cls, lake: Lake, name: str, at: At | None = None) -> DeltaRef:
        """The reference to a dataset at a version; None: the latest."""
        snapshot = lake.snapshot(name, at)
        return cls(name, snapshot.table_id, snapshot.version, lake.root.uri)

    @classmethod
    def of_commit(cls, lake: Lake, commit: Commit) -> DeltaRef:
        """The reference to what a write made; to the latest version where it made none."""
        return cls.of(lake, commit.table, commit.version)

    def snapshot(self, lake: Lake | None = None) -> Snapshot:
        """The dataset at that version.

        Args:
            lake: Its lake; None: the one at `root`, or that is configured.

        Raises:
            NotFound: The table is gone.
            VersionNotFound: It was created again, or its log does not reach back.
        """
        opened = lake or Lake(self.root or None)
        if opened.snapshot(self.dataset).table_id != self.table_id:
            raise VersionNotFound(
                f"{self.dataset} is no longer the table {self.table_id}: it was created again",
                hint="compute the reference again",
            )
        return opened.snapshot(self.dataset, self.version)

    def read(
        self,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        lake: Lake | None = None,
    ) -> pa.RecordBatchReader:
        """Its rows, as `Lake.read` gives them."""
        return self.snapshot(lake).scan(columns, where)
