"""Excel workbooks: the first sheet, whose first row that is not empty is the header."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from lakeshelf.ingestion.domain.parsed import MAX_BYTES, Parsed, as_json
from lakeshelf.ingestion.errors import FileRefused


def parse(content: bytes) -> Parsed:
    """The rows of the first sheet, all values as text; empty rows are no rows.

    A whole number is written without a point (Excel knows no integers), a time in ISO 8601.

    Raises:
        FileRefused: It is no workbook, or a damaged one, or has no header.
    """
    _require_sound_zip(content)
    grid = _sheet(content)
    filled = [(n, row) for n, row in enumerate(grid, 1) if any(v not in (None, "") for v in row)]
    if not filled:
        raise FileRefused("the first sheet has no header")
    width = max(_width(row) for _, row in filled)
    header = [str(_text(value) or "").strip() for value in filled[0][1][:width]]
    rows = [[_text(value) for value in row[:width]] for _, row in filled[1:]]
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in header]
    table = pa.Table.from_arrays([pa.array(c, pa.string()) for c in columns], names=header)
    texts = {
        name
        for place, name in enumerate(header)
        if any(isinstance(row[place], str) and row[place] for _, row in filled[1:])
    }
    return Parsed(
        table=table,
        lines=pa.array([n for n, _ in filled[1:]], pa.int64()),
        row_text=lambda place: as_json(dict(zip(header, rows[place], strict=True))),
        texts=frozenset(texts),
    )


def _require_sound_zip(content: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > MAX_BYTES:
                raise FileRefused(f"the workbook has {unpacked:,} bytes unpacked; split it")
            if broken := archive.testzip():
                raise FileRefused(f"the workbook is damaged at {broken}")
    except FileRefused:
        raise
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise FileRefused(f"the file is no workbook: {error}") from error
    except Exception as error:  # zlib.error and what else a damaged archive raises
        raise FileRefused(f"the workbook is damaged: {error}") from error


def _sheet(content: bytes) -> list[list[Any]]:
    from python_calamine import CalamineWorkbook  # noqa: PLC0415 - of the extra `files`

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(content))
        return workbook.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise FileRefused(f"the workbook cannot be read: {error}") from error
        raise


def _width(row: Sequence[Any]) -> int:
    return max((n for n, value in enumerate(row, 1) if value not in (None, "")), default=0)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime) and value.timetz().isoformat() == "00:00:00":
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
