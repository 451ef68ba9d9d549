"""What rows of a dataset's files have to be: columns, types, rules, partitions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from lakeshelf.ingestion.errors import FileRefused

FILE_ID, FILE_LINE = "file_id", "file_line"
ORIGIN = pa.schema([pa.field(FILE_ID, pa.int64()), pa.field(FILE_LINE, pa.int64())])
"""Columns that every loaded row has: the file it came from, and its line there."""
STORE, TIME, DAY = "store_id", "event_time", "date"
"""Columns of an event dataset: its partitions are the store and the store's local day."""
INSTANT = pa.timestamp("us", tz="UTC")
MAX_COLUMNS = 1_000

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,126}")


@dataclass(frozen=True)
class Column:
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
        delimiter: What separates values of a CSV file.
        doc: What the dataset holds.
    """

    dataset: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    partition_by: tuple[str, ...] = ()
    time: str = ""
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    delimiter: str = ","
    doc: str = ""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the table: those of the files, the derived day, and where a row came from."""
        fields = [pa.field(column.name, column.type) for column in self.columns]
        day = [pa.field(DAY, pa.date32())] if self.time else []
        return pa.schema([*fields, *day, *ORIGIN])

    def column(self, name: str) -> Column | None:
        """The column of that name; a derived day may stand in a file, too."""
        if name == DAY and self.time:
            return Column(DAY, pa.date32(), optional=True)
        return self._by_name.get(name)

    @property
    def _by_name(self) -> dict[str, Column]:
        return {column.name: column for column in self.columns}


def is_event(columns: Sequence[Column], time: str = TIME) -> bool:
    """Whether rows of these columns are events: they name a store and an instant."""
    kinds = {column.name: column.type for column in columns}
    return STORE in kinds and kinds.get(time) == INSTANT


def require_header(names: Sequence[str], spec: Spec | None, complete: bool) -> None:
    """Refuse a header that does not fit.

    Args:
        names: Columns of the file.
        spec: What the dataset has; None: not known yet.
        complete: Whether a column that is not named is missing, not null.

    Raises:
        FileRefused: A column is there twice, is unknown, is missing, or has no usable name.
    """
    folded = [name.casefold() for name in names]
    twice = sorted({name for name in names if folded.count(name.casefold()) > 1})
    if twice:
        raise FileRefused(f"the header has {_list(twice)} twice; capitals do not count")
    if reserved := [name for name in names if name in ORIGIN.names]:
        raise FileRefused(f"the header has {_list(reserved)}, which loading fills")
    unusable = [name for name in names if not _COLUMN.fullmatch(name)]
    if unusable:
        raise FileRefused(f"the header has {_list(unusable)}: no name of a column")
    if len(names) > MAX_COLUMNS:
        raise FileRefused(f"the file has {len(names):,} columns, more than {MAX_COLUMNS:,}")
    if spec is not None:
        _require_columns(names, spec, complete)


def _require_columns(names: Sequence[str], spec: Spec, complete: bool) -> None:
    unknown = [name for name in names if spec.column(name) is None]
    if unknown:
        known = ", ".join(column.name for column in spec.columns)
        raise FileRefused(f"unknown column {_list(unknown)}; {spec.dataset} has {known}")
    here = set(names)
    missing = [c.name for c in spec.columns if c.name not in here and not c.optional]
    if missing and complete:
        raise FileRefused(f"column {_list(missing)} is missing")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
