"""What is recorded of a run: its readings and commits, and the facts of the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.lake.form.schemas import fingerprint
from lakeshelf.lake.rows.conditions import Condition, Group, Where
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.rows.snapshot import Snapshot

Status = Literal["published", "failed"]
READ, CHANGES, TOUCHED = "read", "changes", "touched"
ROUTE = "delta-rs scan"


@dataclass
class Access:
    """One reading or one commit of a run.

    Attributes:
        version: Version that was read or made.
        operation: What was done: `read`, `changes`, `touched`, or that of the commit.
        content: Rows that were read; of a commit: all rows of its version.
        is_whole: Whether `content` is all there is: a stream may be left before its end.
        columns: Columns that were read; None: all.
        where: Conditions of a reading, or the slice that was replaced.
        keys: Keys of a merge.
        since: Version that changes were read from.
        written: Rows that the commit says it wrote.
        metadata: Metadata of the commit.
    """

    version: int
    operation: str
    content: RowSums = field(default_factory=RowSums)
    is_whole: bool = False
    columns: tuple[str, ...] | None = None
    where: Where | None = None
    keys: tuple[str, ...] = ()
    since: int | None = None
    written: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows that were read or written."""
        return self.content.rows if self.written is None else self.written

    def as_json(self) -> dict[str, Any]:
        """The part as it stands in `ops/runs`."""
        shown = {
            "version": self.version,
            "operation": self.operation,
            "rows": self.rows,
            "content": self.content.fingerprint if self.is_whole else None,
            "columns": self.columns,
            "where": [_shown_condition(one) for one in self.where or ()] or None,
            "keys": self.keys or None,
            "since": self.since,
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True)
class Recorded(Snapshot):
    """A dataset at one version that records what is read of it."""

    parts: list[Access]

    def scan(
        self, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pa.RecordBatchReader:
        """Its rows, as `Lake.read` gives them."""
        reader = super().scan(columns, where)
        chosen = None if columns is None else tuple(columns)
        part = Access(self.version, READ, columns=chosen, where=where)
        self.parts.append(part)
        return pa.RecordBatchReader.from_batches(reader.schema, _counted(reader, part))


def facts(handle: DeltaTable) -> dict[str, Any]:
    """Columns of `ops/runs` that a table tells of itself."""
    protocol = handle.protocol()
    features = {*(protocol.reader_features or ()), *(protocol.writer_features or ())}
    return {
        "table_id": str(handle.metadata().id),
        "version": int(handle.version()),
        "format": "delta",
        "reader_version": protocol.min_reader_version,
        "writer_version": protocol.min_writer_version,
        "features": sorted(features),
        "route": ROUTE,
        "schema_fingerprint": fingerprint(schema_of(handle)),
    }


def where_of(part: Mapping[str, Any], schema: pa.Schema) -> Where | None:
    """The conditions of a recorded part, with values of the columns' types."""
    if "where" not in part:
        return None
    return [_condition(one, schema) for one in part["where"]]


def _shown_condition(condition: Condition) -> Any:
    if isinstance(condition, Group):
        return {condition.kind: [_shown_condition(one) for one in condition.parts]}
    column, op, *rest = condition
    return [column, op, *map(_shown, rest)]


def _condition(shown: Any, schema: pa.Schema) -> Condition:
    if isinstance(shown, dict):
        ((kind, parts),) = shown.items()
        return Group(kind, tuple(_condition(one, schema) for one in parts))
    column, op, *rest = shown
    return column, op, *(_read(value, schema.field(column).type) for value in rest)


def _counted(reader: pa.RecordBatchReader, part: Access) -> Iterator[pa.RecordBatch]:
    for batch in reader:
        part.content.add(batch)
        yield batch
    part.is_whole = True


def _shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return [_shown(one) for one in value]


def _read(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, list):
        return [_read(one, kind) for one in value]
    return next((made(value) for is_such, made in _VALUES if is_such(kind)), value)


def _number(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) else value


_VALUES: tuple[tuple[Callable[[pa.DataType], bool], Callable[[Any], Any]], ...] = (
    (pa.types.is_binary, bytes.fromhex),
    (pa.types.is_timestamp, datetime.fromisoformat),
    (pa.types.is_date, date.fromisoformat),
    (pa.types.is_decimal, _number),
    (pa.types.is_integer, _number),
    (pa.types.is_floating, _number),
)
