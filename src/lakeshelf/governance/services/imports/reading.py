"""What an uploaded file holds, as typed rows of a dataset and as cells that cannot be.

The formats are those of `lakeshelf.ingestion`; here they get the columns of the definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.types import BINARY, DOUBLE, Type
from lakeshelf.errors import first_line
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.exchange import ESCAPED, SHEET, ExportMark, restored
from lakeshelf.governance.domain.editing.importing import REFUSED
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.services.imports import marking
from lakeshelf.ingestion.declared.dialect import Dialect
from lakeshelf.ingestion.declared.parsed import Parsed, RowRefusal
from lakeshelf.ingestion.declared.spec import FILE_LINE, FileColumn, Spec
from lakeshelf.ingestion.domain import rows as file_rows
from lakeshelf.ingestion.domain.rules import RULES
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats import formats
from lakeshelf.ingestion.formats.encoding import DECLARE
from lakeshelf.ingestion.formats.headers import OPTIONAL, UNDER_COLUMNS

_WORDS: Mapping[Type, Mapping[str, Any]] = {
    DOUBLE: {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")},
    BINARY: {"'": b""},
}
"""Values that formats have no text for; an empty one is null in them."""
_HERE = {
    DECLARE.removeprefix("declare {} "): "with the import (`--declare`)",
    UNDER_COLUMNS: "have it added to the definition",
    OPTIONAL: "",
}
"""Way out that a folder of files has → the one that an upload has."""
_OWN_SHEET = f"{SHEET!r} (hidden)"
"""What is said of the sheet by which a workbook knows its version."""


@dataclass(frozen=True)
class FileContent:
    """What a file holds.

    Attributes:
        rows: Rows whose cells are values of their columns; the columns that the file has.
        lines: Line of each row.
        refused: Cells that are no values (`lakeshelf.governance.domain.editing.importing.REFUSED`).
        mark: What the file was exported from; None: it was not.
        note: What was left out of the file; empty: nothing.
    """

    rows: pa.Table
    lines: pa.Array
    refused: pa.Table
    mark: ExportMark | None
    note: str


def read(
    definition: Definition, dataset: str, content: bytes, format_: str, dialect: Dialect
) -> FileContent:
    """Read a file.

    Raises:
        GovernanceError: `upload_invalid`: it cannot be read at all, or was exported from another dataset;
            `body_too_large`: it unpacks to too much.
    """
    try:
        marking.require_bounded(content, format_)
        mark, dialect = marking.read_mark(content, format_, dialect)
        spec = _spec(definition, dataset, dialect)
        parsed = formats.parse(content, f"upload.{format_}", spec, dialect)
        escaped = mark is not None and format_ in ESCAPED
        return _typed(definition, spec, parsed, mark, escaped=escaped)
    except FileRefused as error:
        raise unreadable(error.message, error.hint) from error
    except (pa.ArrowException, OSError) as error:
        raise unreadable(f"the file is damaged: {first_line(error)}", "") from error


def refusals(rows: Iterable[RowRefusal], types: Mapping[str, Type]) -> pa.Table:
    """Cells that broke a rule of files; `types` are those of the columns."""
    listed = [
        {
            "line": one.line,
            "column": one.column or None,
            "value": one.value,
            "rule": one.rule,
            "message": f"no {types[one.column]}" if one.rule == "type" else RULES[one.rule],
        }
        for one in rows
    ]
    return pa.Table.from_pylist(listed, REFUSED)


def _spec(definition: Definition, dataset: str, dialect: Dialect) -> Spec:
    key = () if definition.made_keys else definition.key
    columns = (
        FileColumn(
            column.name, definition.schema.field(column.name).type, optional=column.name not in key
        )
        for column in definition.content
    )
    return Spec(dataset, tuple(columns), key, dialect=dialect, is_declared=True)


def _typed(
    definition: Definition, spec: Spec, parsed: Parsed, mark: ExportMark | None, *, escaped: bool
) -> FileContent:
    parsed, special = _without_words(definition, parsed)
    parsed = _restored(parsed) if escaped else parsed
    judged = file_rows.judged({0: parsed}, spec)
    if judged.failed:
        raise FileRefused(judged.failed[0])
    lines = judged.rows[FILE_LINE].combine_chunks()
    places = pc.index_in(lines, value_set=parsed.lines)
    # A file without a whole record has no columns; its rows have a key all the same.
    present = {*parsed.table.column_names, *spec.key}
    rows = judged.rows.select([name for name in spec.schema.names if name in present])
    for name, values in special.items():
        place = rows.column_names.index(name)
        rows = rows.set_column(place, name, pc.coalesce(values.take(places), rows[name]))
    types = {column.name: column.field.type for column in definition.content}
    broken = refusals(judged.refused.get(0, ()), types)
    rows, lines, unfit = _without_unfit(_with_zero(rows), lines, types)
    return FileContent(rows, lines, pa.concat_tables([broken, unfit]), mark, _note(parsed, mark))


def _note(parsed: Parsed, mark: ExportMark | None) -> str:
    """What was left out, but for the sheet with the mark, which was read."""
    if mark is None:
        return parsed.note
    return parsed.note.removesuffix(f"; left out: {_OWN_SHEET}").removesuffix(f", {_OWN_SHEET}")


def _without_words(definition: Definition, parsed: Parsed) -> tuple[Parsed, dict[str, pa.Array]]:
    """The file without the words for values that have no other text, and those values."""
    table, values = parsed.table, {}
    for place, name in enumerate(table.column_names):
        column = table[name]
        words = _WORDS.get(definition[name].field.type) if name in definition.schema.names else None
        if words and _is_text(column):
            places = pc.index_in(column.combine_chunks(), value_set=pa.array([*words]))
            values[name] = pa.array([*words.values()]).take(places)
            rest = pc.if_else(pc.is_valid(places), pa.scalar(None, pa.string()), column)
            table = table.set_column(place, name, rest)
    return replace(parsed, table=table), values


def _with_zero(rows: pa.Table) -> pa.Table:
    """-0.0 is 0.0."""
    for place, field in enumerate(rows.schema):
        if pa.types.is_floating(field.type):
            rows = rows.set_column(place, field.name, pc.add(rows[field.name], 0.0))
    return rows


def _without_unfit(
    rows: pa.Table, lines: pa.Array, types: Mapping[str, Type]
) -> tuple[pa.Table, pa.Array, pa.Table]:
    """Rows without those whose texts hold NUL, which no cell holds."""
    masks = {
        field.name: pc.fill_null(pc.match_substring(rows[field.name], "\0"), False).combine_chunks()
        for field in rows.schema
        if pa.types.is_string(field.type)
    }
    broken = [
        RowRefusal(line, "type", name, json.dumps(value))
        for name, mask in masks.items()
        for line, value in zip(
            lines.filter(mask).to_pylist(), rows[name].filter(mask).to_pylist(), strict=True
        )
    ]
    if not broken:
        return rows, lines, REFUSED.empty_table()
    good = pc.invert(reduce(pc.or_, masks.values()))
    return rows.filter(good), lines.filter(good), refusals(broken, types)


def _restored(parsed: Parsed) -> Parsed:
    table = parsed.table
    for place, name in enumerate(table.column_names):
        if _is_text(table[name]):
            chunks = [restored(chunk) for chunk in table[name].chunks]
            table = table.set_column(place, name, pa.chunked_array(chunks, table[name].type))
    return replace(parsed, table=table)


def _is_text(values: pa.ChunkedArray) -> bool:
    return bool(pa.types.is_string(values.type))


def unreadable(problem: str, hint: str) -> GovernanceError:
    """The refusal of a file that cannot be read."""
    for elsewhere, here in _HERE.items():
        problem, hint = problem.replace(elsewhere, here), hint.replace(elsewhere, here)
    return refused("upload_invalid", problem, hint=hint or "correct the file, and upload it again")
