"""Excel workbooks: a sheet, whose first row that is not empty is the header."""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

import pyarrow as pa

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.ingestion.declared.parsed import Parsed, RowRefusal, as_json
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats import xlsx_parts
from lakeshelf.ingestion.formats.encoding import DECLARE, quoted
from lakeshelf.ingestion.formats.headers import require_names, stripped
from lakeshelf.ingestion.formats.xlsx_parts import Cell, Cells, place

_SECOND_CALENDAR = 1904
"""First year of Excel's other calendar, which has no 29 February 1900."""

MOST_CELLS = 20_000_000
"""Largest rectangle of cells."""
MOST_TEXT = 256 << 20
"""Most characters of the texts that cells share, each of which the reader copies."""


def parse(content: bytes, dialect: Dialect = PLAIN) -> Parsed:
    """The rows of a sheet, all values as text; empty rows are no rows.

    A whole number is written without a point (Excel knows no integers), a time in ISO 8601, a duration in hours,
    minutes and seconds. A row is refused that has a cell without a value to be trusted: an error, a formula that was
    never computed, a merged cell, a number with more digits than Excel keeps.

    Raises:
        FileRefused: It is no workbook, or a damaged one, has no such sheet, or no usable header.
    """
    xlsx_parts.require_sound(content)
    workbook = _opened(content)
    name, note = _chosen(workbook.sheets_metadata, dialect)
    cells = xlsx_parts.cells(content, name)
    _require_bounded(name, cells)
    sheet = _read(lambda: workbook.get_sheet_by_name(name))
    values: list[list[Any]] = _read(lambda: sheet.to_python(skip_empty_area=False))
    wrong = {**cells.wrong, **_undated(values, cells.undated)}
    rows = _filled(values, wrong)
    first = _first(rows, dialect, name)
    below = {n: row for n, row in rows.items() if n > first}
    width = max(len(row) for row in (rows[first], *below.values()))
    wrong |= _merged(sheet.merged_cell_ranges or (), (first, *below), width)
    header = _header(rows[first], first, width, wrong, dialect)
    return _parsed(header, below, wrong, dialect, note)


def _parsed(
    header: list[str],
    rows: Mapping[int, list[Any]],
    wrong: Mapping[Cell, str],
    dialect: Dialect,
    note: str,
) -> Parsed:
    refused = list(_refusals(header, rows, wrong))
    lines = {refusal.line for refusal in refused}
    kept = {n: row for n, row in rows.items() if n + 1 not in lines}
    blank = [None] * len(header)
    cells = [(*row, *blank)[: len(header)] for row in kept.values()]
    columns = list(zip(*cells, strict=True)) if cells else [()] * len(header)
    texts = [[_text(value) for value in column] for column in columns]
    values = [[None if text in dialect.nulls else text for text in column] for column in texts]
    return Parsed(
        table=pa.Table.from_arrays([pa.array(c, pa.string()) for c in values], names=header),
        lines=pa.array([n + 1 for n in kept], pa.int64()),
        row_text=lambda row: as_json(dict(zip(header, map(_text, cells[row]), strict=True))),
        refused=tuple(refused),
        texts=frozenset(n for n, c in zip(header, columns, strict=True) if _has_text(c, dialect)),
        tells="numbers",
        note=note,
    )


def _opened(content: bytes) -> Any:
    from python_calamine import CalamineWorkbook  # noqa: PLC0415 - of the extra `files`

    return _read(lambda: CalamineWorkbook.from_filelike(io.BytesIO(content)))


def _read(step: Callable[[], Any]) -> Any:
    """What the reader gives; a panic of it is an error like others."""
    try:
        return step()
    except BaseException as error:
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise FileRefused(
                f"the workbook cannot be read: {error}", hint="save it again"
            ) from error
        raise


def _chosen(sheets: Sequence[Any], dialect: Dialect) -> tuple[str, str]:
    """The sheet that is loaded, and what is said of the others."""
    from python_calamine import SheetTypeEnum, SheetVisibleEnum  # noqa: PLC0415

    of_cells = [sheet for sheet in sheets if sheet.typ == SheetTypeEnum.WorkSheet]
    names = [sheet.name for sheet in of_cells]
    if dialect.sheet and dialect.sheet not in names:
        raise FileRefused(
            f"no sheet {dialect.sheet!r}; there are {', '.join(map(repr, names))}",
            hint=f"rename it, or {DECLARE.format('another sheet')}",
        )
    visible = [sheet.name for sheet in of_cells if sheet.visible == SheetVisibleEnum.Visible]
    if not visible and not dialect.sheet:
        hint = DECLARE.format(f"sheet = {quoted(names[0])}") if names else "save it again"
        raise FileRefused("the workbook has no visible sheet", hint=hint)
    chosen = dialect.sheet or visible[0]
    others = [
        repr(name) if name in visible else f"{name!r} (hidden)" for name in names if name != chosen
    ]
    return chosen, f"sheet {chosen!r}; left out: {', '.join(others)}" if others else ""


def _require_bounded(sheet: str, cells: Cells) -> None:
    """Refuse what the reader would not survive: it keeps the whole rectangle in memory, empty cells and all."""
    (row, column), area = cells.last, (cells.last[0] + 1) * (cells.last[1] + 1)
    if area > MOST_CELLS:
        raise FileRefused(
            f"sheet {sheet!r} reaches to {place(row, column)}, which are {area:,} cells, most of them empty",
            hint="delete what stands far away, or save it as CSV",
        )
    if cells.shared > MOST_TEXT:
        raise FileRefused(
            f"sheet {sheet!r} repeats texts to {cells.shared:,} characters", hint="split it"
        )


def _undated(values: Sequence[Sequence[Any]], cells: frozenset[Cell]) -> dict[Cell, str]:
    """Cells that are shown as a day or time which their number is not."""
    wrong = {}
    for row, column in cells:
        value = values[row][column] if row < len(values) and column < len(values[row]) else None
        is_sound = isinstance(value, date) and value.year >= _SECOND_CALENDAR
        if isinstance(value, date | time) and not is_sound:
            wrong[row, column] = "a number that is no day or time"
    return wrong


def _filled(values: list[list[Any]], wrong: Mapping[Cell, str]) -> dict[int, list[Any]]:
    """Number of a row, from 0 → its cells up to the last that is not empty; empty rows are left out."""
    reach: dict[int, int] = {}
    for row, column in wrong:
        reach[row] = max(reach.get(row, 0), column + 1)
    filled = {}
    for row in range(max(len(values), max(reach, default=-1) + 1)):
        cells = values[row] if row < len(values) else []
        if width := max(_width(cells), reach.get(row, 0)):
            filled[row] = [*cells, *[None] * width][:width]
    return filled


def _width(row: Sequence[Any]) -> int:
    return max((n for n, value in enumerate(row, 1) if not _is_blank(value)), default=0)


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _first(rows: Mapping[int, list[Any]], dialect: Dialect, sheet: str) -> int:
    """Row of the header."""
    if dialect.header and dialect.header - 1 not in rows:
        raise FileRefused(
            f"row {dialect.header} of sheet {sheet!r} is empty, and header = {dialect.header} is declared"
        )
    if not rows:
        raise FileRefused(
            f"sheet {sheet!r} has no header", hint=DECLARE.format('sheet = "…" for another')
        )
    return dialect.header - 1 if dialect.header else next(iter(rows))


def _merged(
    ranges: Sequence[tuple[Cell, Cell]], rows: Sequence[int], width: int
) -> dict[Cell, str]:
    """The first cell of each row that has a part of a merged one."""
    merged = {}
    for (top, left), (bottom, right) in ranges:
        if left < width:
            why = f"merged {place(top, left)}:{place(bottom, right)}"
            for row in rows[bisect_left(rows, top) : bisect_right(rows, bottom)]:
                merged[row, left] = why
    return merged


def _header(
    row: list[Any], number: int, width: int, wrong: Mapping[Cell, str], dialect: Dialect
) -> list[str]:
    names = stripped([_text(value) or "" for value in (*row, *[None] * width)[:width]])
    wrong_columns = {column: why for (r, column), why in wrong.items() if r == number}
    if wrong_columns:
        column, why = min(wrong_columns.items())
        raise FileRefused(
            f"cell {place(number, column)}, in the header, is {why}",
            hint=f"correct it; if the header stands below, {DECLARE.format(f'header = {number + 2}')}",
        )
    require_names(names, dialect)
    return names


def _refusals(
    header: list[str], rows: Mapping[int, list[Any]], wrong: Mapping[Cell, str]
) -> Iterator[RowRefusal]:
    for (number, column), why in sorted(wrong.items()):
        if number in rows:
            cells = [wrong.get((number, n)) or _text(v) for n, v in enumerate(rows[number])]
            row = as_json(dict(zip(header, (*cells, *[None] * len(header)), strict=False)))
            yield RowRefusal(
                number + 1, "cell", header[column], f"{place(number, column)}: {why}", row
            )


def _has_text(column: Sequence[Any], dialect: Dialect) -> bool:
    return any(isinstance(v, str) and v.strip() and v not in dialect.nulls for v in column)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime) and value.timetz().isoformat() == "00:00:00":
        return value.date().isoformat()
    if isinstance(value, timedelta):
        return _duration(value)
    return value.isoformat() if isinstance(value, date | datetime | time) else repr(value)


def _duration(value: timedelta) -> str:
    """Hours, minutes and seconds, as many hours as there are."""
    sign, value = ("-", -value) if value < timedelta(0) else ("", value)
    seconds, micros = value // timedelta(seconds=1), value.microseconds
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
