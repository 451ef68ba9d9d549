"""What rows of a dataset's files have to be: columns, types, rules, partitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.instants import INSTANT

FILE_ID, FILE_LINE = "file_id", "file_line"
ORIGIN = pa.schema([pa.field(FILE_ID, pa.int64()), pa.field(FILE_LINE, pa.int64())])
"""Columns that every loaded row has: the file it came from, and its line there."""
STORE, TIME, DAY = "store_id", "event_time", "date"
"""Columns of an event dataset: its partitions are the store and the store's local day."""


@dataclass(frozen=True)
class FileColumn:
    """One column of a file.

    Attributes:
        name: Its name in header and table.
        type: Its type in the table.
        required: Never null.
        optional: May be missing in a file; then it is null.
        minimum: Smallest value, inclusive.
        maximum: Largest value, inclusive.
        enum: All values there are; empty: any.
    """

    name: str
    type: pa.DataType
    required: bool = False
    optional: bool = False
    minimum: Any = None
    maximum: Any = None
    enum: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    """What rows of a dataset have to be.

    Attributes:
        dataset: Its name.
        columns: Columns of its files, in order.
        key: Columns that are never null and identify a row.
        partition_by: Partition columns, never null.
        time: Column whose local day is `date`; empty: `date` is no derived column.
        zone: Zone of that day, where `zones` has no other.
        zones: Store → its zone.
        dialect: How the text of its files is written.
        doc: What the dataset holds.
        is_declared: Whether its columns are; else a number of CSV has to be written as where one is inferred.
    """

    dataset: str
    columns: tuple[FileColumn, ...]
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    time: str = ""
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    dialect: Dialect = PLAIN
    doc: str = ""
    is_declared: bool = False

    @property
    def schema(self) -> pa.Schema:
        """Columns of the table: those of the files, the derived day, and where a row came from."""
        fields = [pa.field(column.name, column.type) for column in self.columns]
        day = [pa.field(DAY, pa.date32())] if self.time else []
        return pa.schema([*fields, *day, *ORIGIN])

    def column(self, name: str) -> FileColumn | None:
        """The column of that name; a derived day may stand in a file, too."""
        if name == DAY and self.time:
            return FileColumn(DAY, pa.date32(), optional=True)
        return self._by_name.get(name)

    @property
    def _by_name(self) -> dict[str, FileColumn]:
        return {column.name: column for column in self.columns}


def is_event(columns: Sequence[FileColumn], time: str = TIME) -> bool:
    """Whether rows of these columns are events: they name a store and an instant."""
    kinds = {column.name: column.type for column in columns}
    return STORE in kinds and kinds.get(time) == INSTANT
