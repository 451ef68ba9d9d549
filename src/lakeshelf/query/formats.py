"""Results as CSV, JSON and Parquet, written as they come."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa

Batches = Iterable[pa.RecordBatch]
Escape = Callable[[pa.Array], pa.Array]
"""Makes texts cells that a spreadsheet leaves alone."""


def plain(value: Any) -> Any:
    """A value as JSON has it: decimals and floats that JSON lacks as text, times in ISO 8601, bytes in hexadecimal."""
    if isinstance(value, dict):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return next((write(value) for kind, write in _PLAIN if isinstance(value, kind)), value)


def as_csv(schema: pa.Schema, batches: Batches, escape: Escape | None = None) -> Iterator[str]:
    """Rows as CSV (RFC 4180), a text a batch after the header; nested values as JSON, null as nothing.

    Args:
        schema: Of the rows.
        batches: The rows.
        escape: Applied to every cell that is no number, the header's among them; None: cells are as they are.
    """
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(_escaped(schema.names, escape))
    yield lines.taken()
    for batch in batches:
        writer.writerows(zip(*(_cells(column, escape) for column in batch.columns), strict=True))
        yield lines.taken()


def to_csv(schema: pa.Schema, batches: Batches, file: IO[str]) -> int:
    """Write rows as CSV, as `as_csv` has them. How many there were."""
    count = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in batches:
            count += batch.num_rows
            yield batch

    for text in as_csv(schema, counted()):
        file.write(text)
    return count


def to_json(schema: pa.Schema, batches: Batches, file: IO[str]) -> int:
    """Write rows as one JSON array of objects, a line each. How many there were."""
    count = 0
    for row in rows(batches):
        file.write("[\n" if count == 0 else ",\n")
        named = dict(zip(schema.names, map(plain, row), strict=True))
        file.write(json.dumps(named, ensure_ascii=False, default=str))
        count += 1
    file.write("\n]\n" if count else "[]\n")
    return count


def to_parquet(schema: pa.Schema, batches: Batches, path: str) -> int:
    """Write rows as a Parquet file. How many there were."""
    from pyarrow import parquet  # noqa: PLC0415 - slow to import, and seldom needed

    count = 0
    with parquet.ParquetWriter(path, schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def as_parquet(schema: pa.Schema, batches: Batches) -> Iterator[bytes]:
    """Rows as a Parquet file, in parts, a batch in memory at a time.

    Raises:
        pa.ArrowNotImplementedError: Parquet lacks the type of a column; before the first part.
    """
    from pyarrow import parquet  # noqa: PLC0415 - slow to import, and seldom needed

    sink = _Parts()
    with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), schema) as writer:
        for batch in batches:
            writer.write_batch(batch)
            yield sink.taken()
    yield sink.taken()


class _Lines:
    """Lines that end in a line feed: the writer quotes a carriage return alone only where its own lines end in one."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def write(self, line: str) -> None:
        self._lines.append(line.removesuffix("\r\n") + "\n")

    def taken(self) -> str:
        text = "".join(self._lines)
        self._lines.clear()
        return text


class _Parts(io.RawIOBase):
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, part: Any) -> int:
        self._parts.append(bytes(part))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        whole = b"".join(self._parts)
        self._parts.clear()
        return whole


class Cut:
    """The first rows of a stream; knows how many have passed, and counts the others on demand.

    Args:
        batches: The stream.
        most: Rows that are passed on.
    """

    def __init__(self, batches: Iterator[pa.RecordBatch], most: int) -> None:
        self._batches = batches
        self._left = most
        self.passed = 0
        self.others = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        while self._left:
            batch = next(self._batches, None)
            if batch is None:
                return
            first = batch.slice(0, self._left)
            self.others += batch.num_rows - first.num_rows
            self._left -= first.num_rows
            self.passed += first.num_rows
            yield first

    def has_more(self) -> bool:
        """Whether there are rows beyond the first; the rest is not read."""
        return self.others > 0 or any(batch.num_rows for batch in self._batches)

    @property
    def total(self) -> int:
        """All rows of the stream, which is read to its end."""
        self.others += sum(batch.num_rows for batch in self._batches)
        return self.passed + self.others


def rows(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """Rows as tuples of Python values."""
    for batch in batches:
        yield from zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: pa.Array) -> list[Any]:
    try:
        return _in_calendar(column)
    except (OverflowError, ValueError):
        return [_value(scalar) for scalar in column]


def _in_calendar(column: pa.Array) -> list[Any]:
    if str(column.type) != "timestamp[us, tz=UTC]":
        return list(column.to_pylist())
    # pyarrow imports pandas, for most of a second, to make a time with a zone.
    times = column.cast("timestamp[us]").to_pylist()
    return [at and at.replace(tzinfo=UTC) for at in times]


def _value(scalar: pa.Scalar) -> Any:
    """A value; days and times that Python's calendar lacks (before year 1, after 9999) as Arrow writes them."""
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):
        local = scalar.cast(
            _replaced(scalar.type, _without_zone)
        )  # Arrow takes another year where there is a zone
        return local.cast(_replaced(local.type, _as_text)).as_py()


def _without_zone(kind: pa.DataType) -> pa.DataType:
    return pa.timestamp(kind.unit) if pa.types.is_timestamp(kind) else kind


def _as_text(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_date(kind) or pa.types.is_timestamp(kind) else kind


def _replaced(kind: pa.DataType, other: Callable[[pa.DataType], pa.DataType]) -> pa.DataType:
    """A type with other types in place of those that it is made of."""
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _replaced(field.type, other)) for field in kind])
    if pa.types.is_map(kind):
        return pa.map_(_replaced(kind.key_type, other), _replaced(kind.item_type, other))
    return pa.list_(_replaced(kind.value_type, other)) if pa.types.is_list(kind) else other(kind)


def _cells(column: pa.Array, escape: Escape | None) -> list[Any]:
    cells = [_cell(value) for value in _values(column)]
    return cells if pa.types.is_decimal(column.type) else _escaped(cells, escape)


def _escaped(cells: list[Any], escape: Escape | None) -> list[Any]:
    """Cells of which those that are texts are escaped."""
    if escape is None:
        return cells
    texts = [cell if isinstance(cell, str) else None for cell in cells]
    escaped = escape(pa.array(texts, pa.string())).to_pylist()
    return [cell if text is None else text for cell, text in zip(cells, escaped, strict=True)]


def _cell(value: Any) -> Any:
    cell = plain(value)
    if isinstance(cell, bool):
        return str(cell).lower()
    return json.dumps(cell, ensure_ascii=False) if isinstance(cell, dict | list) else cell


_PLAIN: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (datetime, lambda value: value.isoformat()),
    (date, lambda value: value.isoformat()),
    (time, lambda value: value.isoformat()),
    (timedelta, str),
    (Decimal, str),
    (bytes, lambda value: value.hex()),
)
