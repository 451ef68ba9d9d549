"""CSV (RFC 4180): a header, then records; a quoted value may hold line breaks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.parsed import MAX_BYTES, Parsed, RowRefusal
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats.encoding import decoded
from lakeshelf.ingestion.formats.headers import require_names, stripped

VECTORISED_BYTES = 64 << 10
"""From this size on Arrow's reader is faster than Python's."""
AT_ONCE = 50_000
"""Records that are values of Python at a time."""


def parse(content: bytes, dialect: Dialect = PLAIN) -> Parsed:
    """The rows of a CSV file, all values text; lines that are blank or separators alone are no rows.

    Raises:
        FileRefused: It is not in the encoding that is declared, has no usable header, or a quote never ends.
    """
    text, above = _below(decoded(content, dialect), dialect.header)
    if len(content) >= VECTORISED_BYTES and (parsed := _vectorised(text, dialect, above)):
        return parsed
    return _by_record(text, dialect, above)


def _below(text: str, header: int) -> tuple[str, int]:
    """The text from the line of the header on, and how many lines stand above it."""
    above = max(0, header - 1)
    lines = text.split("\n", above)
    if len(lines) <= above:
        raise FileRefused(f"the file has {len(lines):,} lines, and header = {header} is declared")
    return lines[above], above


def _by_record(text: str, dialect: Dialect, above: int = 0) -> Parsed:
    line, header = above + 1, None
    rows: list[list[str]] = []
    parts: list[list[pa.Array]] = []
    lines: list[int] = []
    refused: list[RowRefusal] = []
    reader = _reader(text, dialect)
    try:
        for record in reader:
            first, line = line, above + reader.line_num + 1
            if _is_blank(record):
                continue
            if header is None:
                header = _header(record, dialect)
            elif len(record) == len(header):
                rows.append(record)
                lines.append(first)
            else:
                refused.append(_miscounted(first, record, len(header), dialect))
            if len(rows) == AT_ONCE:
                parts.append(_columns(rows))
                rows.clear()
    except csv.Error as error:
        raise FileRefused(
            f"the record that begins in line {line} is broken: {error}",
            hint='correct its quotes, or declare quote = "" if they are characters like any',
        ) from error
    if header is None:
        raise FileRefused("the file has no header")
    parts.append(_columns(rows) or [pa.array([], pa.string()) for _ in header])
    arrays = [pa.concat_arrays(column) for column in zip(*parts, strict=True)]
    return _parsed(header, arrays, pa.array(lines, pa.int64()), refused, dialect)


def _columns(rows: Sequence[list[str]]) -> list[pa.Array]:
    return [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]


def _reader(text: str, dialect: Dialect) -> Any:
    # The limit is the process's, and meant for programs that read line by line.
    csv.field_size_limit(MAX_BYTES)
    return csv.reader(
        io.TextIOWrapper(
            io.BytesIO(text.encode()), "utf-8", newline=""
        ),  # StringIO takes four bytes a letter
        delimiter=dialect.delimiter,
        quotechar=dialect.quote or None,
        quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
        strict=True,
    )


def _is_blank(record: Sequence[str]) -> bool:
    """Whether a record is a blank line, or separators alone; `""` alone is a row of one empty value."""
    return not record or (record != [""] and not any(value.strip() for value in record))


def _vectorised(text: str, dialect: Dialect, above: int = 0) -> Parsed | None:
    """The same by Arrow; None where a line is not always a record."""
    quoted = bool(dialect.quote) and dialect.quote in text
    if quoted and not _records(dialect).fullmatch(text):
        return None
    if not dialect.delimiter.isascii():
        return None
    if text.count("\r") != text.count("\r\n") or _blank(dialect).search(text):
        return None
    first, _, rest = text.partition("\n")
    header = _header(_split(first.rstrip("\r"), dialect), dialect)
    if len(header) < 2 or not rest:
        return None
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - slow to import

    wrong: dict[int, str] = {}

    def invalid(row: arrow_csv.InvalidRow) -> str:
        wrong[row.number] = row.text
        return "skip"

    names = [f"c{n}" for n in range(len(header))]
    quote: str | bool = dialect.quote if quoted else False
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(rest.encode()),
            arrow_csv.ReadOptions(use_threads=False, column_names=names),
            arrow_csv.ParseOptions(delimiter=dialect.delimiter, quote_char=quote, invalid_row_handler=invalid),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
        )  # fmt: skip
    except pa.ArrowInvalid:
        return None
    lines = pa.arange(above + 2, above + 2 + table.num_rows + len(wrong))
    if wrong:
        skipped = pa.array([above + 1 + number for number in wrong], pa.int64())
        lines = lines.filter(pc.invert(pc.is_in(lines, skipped)))
    refused = [
        _miscounted(above + number + 1, _split(row.rstrip("\r\n"), dialect), len(header), dialect)
        for number, row in wrong.items()
    ]
    arrays = [column.combine_chunks() for column in table.columns]
    return _parsed(header, arrays, lines, refused, dialect)


def _split(line: str, dialect: Dialect) -> list[str]:
    """The values of a record that is a line."""
    return next(_reader(line, dialect)) if line else [line]


@cache
def _records(dialect: Dialect) -> re.Pattern[str]:
    """Text in which every line is a record: a quote begins and ends a value, and is doubled inside."""
    quote, delimiter = re.escape(dialect.quote), re.escape(dialect.delimiter)
    inside = rf"[^{quote}\n]*+"
    value = rf"(?:{quote}{inside}(?:{quote}{quote}{inside})*+{quote}|[^{quote}{delimiter}\n]*+)"
    line = rf"{value}(?:{delimiter}{value})*+\r?+"
    return re.compile(rf"(?:{line}\n)*+(?:{line})?+")


@cache
def _blank(dialect: Dialect) -> re.Pattern[str]:
    """Lines that `_is_blank`, the header among them, but for the end of the text behind the last of them."""
    quote, space = re.escape(dialect.quote), r"[^\S\n]*"
    value = rf"(?:{quote}{space}{quote}|{space})" if quote else space
    return re.compile(
        rf"^(?!\Z){value}(?:{re.escape(dialect.delimiter)}{value})*\r?$", re.MULTILINE
    )


def _parsed(
    header: Sequence[str],
    arrays: Sequence[pa.Array],
    lines: pa.Array,
    refused: list[RowRefusal],
    dialect: Dialect,
) -> Parsed:
    raw = pa.Table.from_arrays(list(arrays), names=list(header))
    words = pa.array(dialect.nulls, pa.string())
    values = [pc.if_else(pc.is_in(array, words), None, array) for array in arrays]

    def row_text(place: int) -> str:
        return _joined([column[place].as_py() or "" for column in raw.columns], dialect)

    return Parsed(
        table=pa.Table.from_arrays(values, names=list(header)),
        lines=lines,
        row_text=row_text,
        refused=tuple(refused),
        dialect=dialect,
    )


def _header(record: Sequence[str], dialect: Dialect) -> list[str]:
    names = stripped(record)
    require_names(names, dialect)
    return names


def _miscounted(line: int, record: list[str], expected: int, dialect: Dialect) -> RowRefusal:
    value = f"{len(record)} values for {expected} columns"
    return RowRefusal(line, "columns", "", value, _joined(record, dialect))


def _joined(values: Sequence[str], dialect: Dialect) -> str:
    if not dialect.quote:
        return dialect.delimiter.join(values)
    out = io.StringIO()
    csv.writer(
        out, delimiter=dialect.delimiter, quotechar=dialect.quote, lineterminator=""
    ).writerow(values)
    return out.getvalue()
