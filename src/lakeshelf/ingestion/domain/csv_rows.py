"""CSV (RFC 4180, UTF-8): a header, then records; a quoted value may hold line breaks."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

import pyarrow as pa

from lakeshelf.ingestion.domain.parsed import Parsed, Refusal
from lakeshelf.ingestion.domain.spec import MAX_COLUMNS
from lakeshelf.ingestion.errors import FileRefused

VECTORISED_BYTES = 64 << 10
"""From this size on Arrow's reader is faster than Python's."""
_BLANK = re.compile(r"^\r?$(?!\Z)", re.MULTILINE)
_MARKS = ((b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


def parse(content: bytes, delimiter: str = ",") -> Parsed:
    """The rows of a CSV file, all values text; blank lines are no rows.

    Raises:
        FileRefused: It is no UTF-8, has no header, or a quote never ends.
    """
    text = decoded(content)
    if len(content) >= VECTORISED_BYTES and (found := _vectorised(text, delimiter)):
        return found
    return _by_record(text, delimiter)


def decoded(content: bytes) -> str:
    """The content as text, without a byte order mark.

    Raises:
        FileRefused: It is no UTF-8.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            raise FileRefused(f"the file is {name}; save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileRefused(f"line {line} is no UTF-8: byte {content[error.start]:#04x}") from error


def _by_record(text: str, delimiter: str) -> Parsed:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line, header = 1, None
    rows: list[list[str]] = []
    lines: list[int] = []
    refused: list[Refusal] = []
    try:
        for record in reader:
            first, line = line, reader.line_num + 1
            if not record:
                continue
            if header is None:
                header = _header(record)
            elif len(record) == len(header):
                rows.append(record)
                lines.append(first)
            else:
                refused.append(_miscounted(first, record, len(header), delimiter))
    except csv.Error as error:
        raise FileRefused(f"the record that begins in line {line} is broken: {error}") from error
    if header is None:
        raise FileRefused("the file has no header")
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in header]
    arrays = [pa.array(column, pa.string()) for column in columns]
    return _parsed(header, arrays, pa.array(lines, pa.int64()), refused, delimiter)


def _vectorised(text: str, delimiter: str) -> Parsed | None:
    """The same by Arrow; None where a line is not always a record."""
    if '"' in text or text.count("\r") != text.count("\r\n") or _BLANK.search(text):
        return None
    first, _, rest = text.partition("\n")
    header = _header(first.rstrip("\r").split(delimiter))
    if len(header) < 2 or not rest:
        return None
    from pyarrow import csv as arrow_csv  # noqa: PLC0415 - slow to import

    wrong: dict[int, str] = {}

    def invalid(row: arrow_csv.InvalidRow) -> str:
        wrong[row.number] = row.text
        return "skip"

    try:
        found = arrow_csv.read_csv(
            pa.BufferReader(rest.encode()),
            arrow_csv.ReadOptions(use_threads=False, column_names=[f"c{n}" for n in range(len(header))]),
            arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False, invalid_row_handler=invalid),
            arrow_csv.ConvertOptions(column_types={f"c{n}": pa.string() for n in range(len(header))}),
        )  # fmt: skip
    except pa.ArrowInvalid:
        return None
    total = found.num_rows + len(wrong)
    lines = pa.array([n + 1 for n in range(1, total + 1) if n not in wrong], pa.int64())
    refused = [
        _miscounted(number + 1, row.rstrip("\r\n").split(delimiter), len(header), delimiter)
        for number, row in wrong.items()
    ]
    arrays = [column.combine_chunks() for column in found.columns]
    return _parsed(header, arrays, lines, refused, delimiter)


def _parsed(
    header: Sequence[str],
    arrays: Sequence[pa.Array],
    lines: pa.Array,
    refused: list[Refusal],
    delimiter: str,
) -> Parsed:
    table = pa.Table.from_arrays(list(arrays), names=list(header))

    def row_text(place: int) -> str:
        return _joined([column[place].as_py() or "" for column in table.columns], delimiter)

    return Parsed(table, lines, row_text, tuple(refused))


def _header(record: list[str]) -> list[str]:
    if len(record) > MAX_COLUMNS:
        raise FileRefused(f"the header has {len(record):,} columns, more than {MAX_COLUMNS:,}")
    return [name.strip() for name in record]


def _miscounted(line: int, record: list[str], expected: int, delimiter: str) -> Refusal:
    value = f"{len(record)} values for {expected} columns"
    return Refusal(line, "columns", "", value, _joined(record, delimiter))


def _joined(values: Sequence[str], delimiter: str) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(values)
    return out.getvalue()
