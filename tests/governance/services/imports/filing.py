"""What people do with files, in short."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from openpyxl import Workbook, load_workbook

from lakeshelf.governance.services import imports
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.imports import LoadedUpload
from tests.governance.services.acting import ROW
from tests.governance.services.conftest import ANN, DATASET, PROJECT

NAMES = ("shelf_id", *ROW)


def csv(*rows: dict[str, Any]) -> bytes:
    """A file of policies, each the usual one but for some cells."""
    lines = [",".join(str({**ROW, **row}[name]).lower() for name in NAMES[1:]) for row in rows]
    shelves = [row["shelf_id"] for row in rows]
    body = [f"{shelf},{line}" for shelf, line in zip(shelves, lines, strict=True)]
    return "\n".join([",".join(NAMES), *body, ""]).encode()


def sent(context: Context, content: bytes, name: str = "policies.csv", **how: Any) -> str:
    """Id of an upload of ann."""
    chunks = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    return imports.receive(context, ANN, PROJECT, DATASET, name, chunks, **how).id


def loaded(
    context: Context,
    content: bytes,
    name: str = "policies.csv",
    mode: str = "upsert",
    caller: Caller = ANN,
    **how: Any,
) -> LoadedUpload:
    """What becomes of a file."""
    upload = sent(context, content, name, mode=mode)
    return imports.load(context, caller, PROJECT, upload, **how)


def refused(context: Context, made: LoadedUpload) -> list[tuple[Any, ...]]:
    """Line, column, value and rule of what is refused."""
    listed, total = imports.refusals(context, ANN, PROJECT, made.upload.id)
    assert total == len(listed) == made.upload.report["refused"]
    return [(one["line"], one["column"], one["value"], one["rule"]) for one in listed]


def exported(context: Context, format_: str = "xlsx") -> bytes:
    """The dataset as a file."""
    sink = io.BytesIO()
    imports.export(context, ANN, PROJECT, DATASET, format_, sink)
    return sink.getvalue()


def edited(
    workbook: bytes, cells: dict[tuple[str, str], Any], removed: Sequence[str] = ()
) -> bytes:
    """A workbook with other cells, as a person saves it: (shelf, column) → value."""
    book = load_workbook(io.BytesIO(workbook))
    sheet = book.worksheets[0]
    names = [cell.value for cell in sheet[1]]
    rows = {row[0].value: row for row in sheet.iter_rows(min_row=2)}
    for (shelf, column), value in cells.items():
        rows[shelf][names.index(column)].value = value
    for shelf in removed:
        sheet.delete_rows(rows[shelf][0].row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


def workbook(rows: Sequence[Sequence[Any]], hidden: Sequence[Sequence[Any]] = ()) -> bytes:
    """A workbook of a sheet, before which a hidden one stands if that has rows."""
    book = Workbook()
    if hidden:
        first = book.worksheets[0]
        first.sheet_state = "hidden"
        for row in hidden:
            first.append(row)
        book.create_sheet("Policies")
        book.active = 1
    for row in rows:
        book.worksheets[-1].append(row)
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()
