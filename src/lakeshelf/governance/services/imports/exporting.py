"""Datasets as files that say which version they are of, so that they merge when they come back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.exchange import PROPERTY, SHEET, ExportMark, escaped
from lakeshelf.governance.domain.values import texts
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.lake.place.errors import Vacuumed, VersionNotFound

MOST_SHEET_ROWS = 1_048_575
"""Rows of a sheet, below its header."""
_DIGITS = 15
"""Digits of a number that a spreadsheet keeps."""
_FIRST_DAY = date(1900, 3, 1)
"""First day that all spreadsheets count alike."""


def export(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    format_: str,
    sink: IO[bytes],
    version: int | None = None,
) -> ExportMark:
    """Write the rows of a dataset into a file.

    Columns are those that people decide on. Texts that a spreadsheet would calculate or change are escaped, and are
    restored when the file is imported.

    Args:
        context: What it stands on.
        caller: Who exports.
        project: The project.
        dataset: The dataset.
        format_: `csv`, `xlsx` or `parquet`.
        sink: Where the file goes.
        version: Version of the table; None: the newest.

    Returns:
        What the file is of.

    Raises:
        GovernanceError: `not_found`; `gone`: rows of the version are no longer kept; `request_invalid`: another
            format, or more rows than a sheet has.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        table = table_of(context, tx, project, dataset)
    try:
        opened = table.opened(version)
        mark = ExportMark(table.folder.name, opened.version)
        names = [column.name for column in table.definition.content]
        rows = (_whole(table.definition, batch) for batch in opened.reader(names))
        write(table.definition, mark, rows, format_, sink)
    except VersionNotFound as error:
        raise refused("not_found", error.message, hint=error.hint, version=version) from error
    except Vacuumed as error:
        raise refused(
            "gone",
            f"rows of version {version} are no longer kept",
            hint="export the newest version",
            version=version,
        ) from error
    return mark


def write(
    definition: Definition,
    mark: ExportMark,
    rows: Iterator[pa.RecordBatch],
    format_: str,
    sink: IO[bytes],
) -> None:
    """Write rows, with all columns that people decide on, into a file as `csv`, `xlsx` or `parquet`.

    Raises:
        GovernanceError: `request_invalid`: another format, or more rows than a sheet has.
    """
    writers: Mapping[str, Callable[..., None]] = {"csv": _csv, "xlsx": _xlsx, "parquet": _parquet}
    if format_ not in writers:
        raise refused(
            "request_invalid",
            f"nothing is exported as {format_[:80]!r}",
            hint=f"there are {', '.join(writers)}",
        )
    writers[format_](definition, mark, rows, sink)


def _whole(definition: Definition, batch: pa.RecordBatch) -> pa.RecordBatch:
    """A batch with all columns that people decide on."""
    schema = _schema(definition)
    columns = [
        batch[field.name] if field.name in batch.schema.names else pa.nulls(len(batch), field.type)
        for field in schema
    ]
    return pa.record_batch(columns, schema=schema)


def _schema(definition: Definition) -> pa.Schema:
    fields = (definition.schema.field(column.name) for column in definition.content)
    return pa.schema([field.with_nullable(True) for field in fields])


def _parquet(
    definition: Definition, mark: ExportMark, rows: Iterator[pa.RecordBatch], sink: IO[bytes]
) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    schema = _schema(definition).with_metadata({PROPERTY: json.dumps(vars(mark)).encode()})
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for batch in rows:
            writer.write_batch(pa.record_batch(batch.columns, schema=schema))


def _csv(
    definition: Definition, mark: ExportMark, rows: Iterator[pa.RecordBatch], sink: IO[bytes]
) -> None:
    """With the byte order mark, without which Excel takes UTF-8 for something else and saves it so."""
    from pyarrow import csv  # noqa: PLC0415 - slow to import

    names = [column.name for column in definition.content]
    sink.write(f"\ufeff{mark.comment}\n{','.join(names)}\n".encode())
    options = csv.WriteOptions(include_header=False, quoting_style="needed")
    schema = pa.schema([(name, pa.string()) for name in names])
    with csv.CSVWriter(sink, schema, write_options=options) as writer:
        for batch in rows:
            cells = [_texts(definition, name, batch[name]) for name in names]
            writer.write_batch(pa.record_batch(cells, schema=schema))


def _xlsx(
    definition: Definition, mark: ExportMark, rows: Iterator[pa.RecordBatch], sink: IO[bytes]
) -> None:
    from openpyxl import Workbook  # noqa: PLC0415 - slow to import

    workbook = Workbook(write_only=True)
    sheet = workbook.create_sheet(mark.dataset.rpartition("/")[2][:31])
    names = [column.name for column in definition.content]
    sheet.append(names)
    written = 0
    for batch in rows:
        written += len(batch)
        if written > MOST_SHEET_ROWS:
            raise refused(
                "request_invalid",
                f"the dataset has more rows than the {MOST_SHEET_ROWS:,} of a sheet",
                hint="export it as csv or parquet",
            )
        cells = (_cells(definition, name, batch[name]) for name in names)
        for row in zip(*cells, strict=True):
            sheet.append(row)
    hidden = workbook.create_sheet(SHEET)
    hidden.sheet_state = "hidden"
    hidden.append(list(vars(mark)))
    hidden.append(list(vars(mark).values()))
    workbook.save(sink)


def _cells(definition: Definition, name: str, values: pa.Array) -> list[Any]:
    """Cells of a sheet: numbers and days where a spreadsheet keeps them, else their texts."""
    kind = values.type
    if pa.types.is_boolean(kind):
        return list(values.to_pylist())
    shown: list[str | None] = _texts(definition, name, values).to_pylist()
    plain = values.to_pylist()
    if pa.types.is_date(kind):
        return [
            day if day is None or day >= _FIRST_DAY else text
            for day, text in zip(plain, shown, strict=True)
        ]
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_floating(kind):
        return [_number(value, text) for value, text in zip(plain, shown, strict=True)]
    return shown


def _number(value: Any, text: str | None) -> Any:
    """A number as itself where a spreadsheet keeps it and shows it whole, else its text."""
    if text is None or not text.lstrip("-")[:1].isdigit():
        return text
    is_long = sum(map(str.isdigit, text)) > _DIGITS or abs(value) >= 10**_DIGITS
    return text if is_long else value


def _texts(definition: Definition, name: str, values: pa.Array) -> pa.StringArray:
    """Values as `read` of the formats takes them back, null as null."""
    if pa.types.is_string(values.type):
        return escaped(values)
    if pa.types.is_integer(values.type):
        return values.cast(pa.string())
    shown = pa.array(texts(definition[name], values), pa.string())
    plain = pc.replace_substring_regex(shown, '^"|"$', "")
    present = pc.if_else(values.is_valid(), plain, pa.scalar(None, pa.string()))
    return escaped(present) if pa.types.is_binary(values.type) else present
