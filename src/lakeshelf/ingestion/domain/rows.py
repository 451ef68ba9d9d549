"""From what files hold to rows of a dataset and rows that are refused. Pure.

A batch of files is judged at once, column by column: ten thousand small files cost as much as a large one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.ingestion.declared.parsed import Parsed, RowRefusal
from lakeshelf.ingestion.declared.spec import DAY, FILE_ID, FILE_LINE, STORE, FileColumn, Spec
from lakeshelf.ingestion.domain.casting import only_plain, typed, with_point, within_calendar
from lakeshelf.ingestion.domain.days import local_days
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats.headers import require_header
from lakeshelf.lake.form.partitions import HIVE_NULL
from lakeshelf.lake.form.schemas import is_lossless

LONGEST_FOLDER = 255
"""Bytes that the name of a folder has at most."""
_NUMBERS = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)


@dataclass(frozen=True)
class JudgedRows:
    """Rows of a batch of files.

    Attributes:
        rows: Rows that keep every rule, in the order of files and lines.
        refused: File → rules that its rows broke, by line.
        failed: File → why none of it can be loaded.
    """

    rows: pa.Table
    refused: Mapping[int, tuple[RowRefusal, ...]]
    failed: Mapping[int, str]


@dataclass(frozen=True)
class _Broken:
    rule: str
    column: str
    rows: pa.Array


def judged(files: Mapping[int, Parsed], spec: Spec) -> JudgedRows:
    """Rows of files as rows of a dataset.

    Args:
        files: Id of the file → what it holds.
        spec: What the dataset has.
    """
    parts: dict[int, pa.Table] = {}
    failed: dict[int, str] = {}
    for file_id, parsed in files.items():
        try:
            parts[file_id] = _conformed(parsed, spec)
        except FileRefused as error:
            failed[file_id] = str(error)
    taken = {file_id: files[file_id] for file_id in parts}
    values, broken = _cast(list(parts.values()), spec)
    broken += _nulls(values, broken, spec) + _bounds(values, spec) + _unfit_partitions(values, spec)
    if spec.time:
        broken += _with_day(values, spec)
    origin = [
        pa.array(_owners(taken), pa.int64()),
        _concatenated([p.lines for p in taken.values()]),
    ]
    rows = pa.Table.from_arrays([*values.values(), *origin], names=[*values, FILE_ID, FILE_LINE])
    good = pc.invert(_any([b.rows for b in broken], rows.num_rows))
    refusals = {file_id: list(parsed.refused) for file_id, parsed in taken.items()}
    for file_id, refusal in _refusals(broken, taken):
        refusals[file_id].append(refusal)
    refused = {i: tuple(sorted(r, key=lambda one: one.line)) for i, r in refusals.items() if r}
    return JudgedRows(rows.select(spec.schema.names).filter(good), refused, failed)


def _conformed(parsed: Parsed, spec: Spec) -> pa.Table:
    """The spec's columns as the file has them: text, or of the column's type."""
    require_header(parsed.table.column_names, spec, parsed.complete)
    columns = [*spec.columns, *([FileColumn(DAY, pa.date32())] if spec.time else [])]
    return pa.table({c.name: _file_column(parsed, c, spec) for c in columns})


def _file_column(parsed: Parsed, column: FileColumn, spec: Spec) -> pa.ChunkedArray:
    if column.name not in parsed.table.column_names:
        return pa.chunked_array([pa.nulls(parsed.table.num_rows, pa.string())])
    values = parsed.table[column.name]
    if pa.types.is_string(values.type):
        is_number = any(fits(column.type) for fits in _NUMBERS)
        return _numbers(values, parsed, spec) if is_number else values
    if values.type.equals(column.type):
        return values
    if is_lossless(values.type, column.type):
        return values.cast(column.type)
    raise FileRefused(
        f"column {column.name!r} is {values.type} in the file, {column.type} in {spec.dataset}",
        hint=f"cast it to {column.type} where the file is written",
    )


def _numbers(text: pa.ChunkedArray, parsed: Parsed, spec: Spec) -> pa.ChunkedArray:
    numbers = with_point(text, parsed.dialect)
    return numbers if spec.is_declared or parsed.tells == "numbers" else only_plain(numbers)


def _cast(parts: Sequence[pa.Table], spec: Spec) -> tuple[dict[str, pa.Array], list[_Broken]]:
    columns = [*spec.columns, *([FileColumn(DAY, pa.date32())] if spec.time else [])]
    values: dict[str, pa.Array] = {}
    broken: list[_Broken] = []
    for column in columns:
        chunks = [part[column.name].combine_chunks() for part in parts]
        values[column.name], malformed, outside = _cast_column(
            chunks, column.type, spec.dialect.assume_zone
        )
        broken += [_Broken("type", column.name, malformed), _Broken("range", column.name, outside)]
    return values, broken


def _cast_column(
    chunks: Sequence[pa.Array], kind: pa.DataType, zone: str
) -> tuple[pa.Array, pa.Array, pa.Array]:
    """All text of a column is cast at once; typed chunks stay as they are, in their places."""
    of_text = [chunk for chunk in chunks if pa.types.is_string(chunk.type)]
    values, malformed, outside = typed(_concatenated(of_text, pa.string()), kind, zone)
    if len(of_text) == len(chunks):
        return values, malformed, outside
    cut, parts = 0, []
    for chunk in chunks:
        if pa.types.is_string(chunk.type):
            place = slice(cut, cut + len(chunk))
            parts.append((values[place], malformed[place], outside[place]))
            cut += len(chunk)
        else:
            fits = within_calendar(chunk)
            parts.append((chunk, pa.repeat(False, len(chunk)), pc.invert(fits)))
    return tuple(pa.concat_arrays(each) for each in zip(*parts, strict=True))


def _nulls(values: Mapping[str, pa.Array], broken: Sequence[_Broken], spec: Spec) -> list[_Broken]:
    """Nulls where none may be, reported once each; a wrong value does not count as missing."""
    required = [column.name for column in spec.columns if column.required]
    rule_of = (
        dict.fromkeys(required, "required")
        | dict.fromkeys(spec.key, "key")
        | dict.fromkeys(spec.partition_by, "partition")
    )
    nulls = []
    if spec.time:
        rule_of = {spec.time if n == DAY else n: rule for n, rule in rule_of.items()}
    for name, rule in rule_of.items():
        wrong = [one.rows for one in broken if one.column == name]
        is_wrong = _any(wrong, len(values[name]))
        nulls.append(_Broken(rule, name, pc.and_not(_is_missing(values[name]), is_wrong)))
    return nulls


def _is_missing(values: pa.Array) -> pa.Array:
    """Where nothing stands: null, or the empty text, which a partition cannot tell from null."""
    if not pa.types.is_string(values.type):
        return pc.is_null(values)
    return pc.equal(values, "").fill_null(True)


def _unfit_partitions(values: Mapping[str, pa.Array], spec: Spec) -> list[_Broken]:
    """Values that name no folder: a partition is one, the escapes of its letters count, and one name means null."""
    broken = []
    for name in spec.partition_by:
        if name in values and pa.types.is_string(values[name].type):
            encoded = values[name].dictionary_encode()
            distinct = encoded.dictionary.to_pylist()
            is_wrong = pa.array([not _names_folder(name, value) for value in distinct], pa.bool_())
            broken.append(_Broken("partition", name, is_wrong.take(encoded.indices)))
    return broken


def _names_folder(name: str, value: str) -> bool:
    return value != HIVE_NULL and len(f"{name}={quote(value, '')}") <= LONGEST_FOLDER


def _bounds(values: Mapping[str, pa.Array], spec: Spec) -> list[_Broken]:
    broken = []
    for column in spec.columns:
        here = values[column.name]
        if column.minimum is not None:
            broken.append(_Broken("minimum", column.name, pc.less(here, column.minimum)))
        if column.maximum is not None:
            broken.append(_Broken("maximum", column.name, pc.greater(here, column.maximum)))
        if column.enum:
            among = pc.is_in(here, pa.array(column.enum, column.type))
            broken.append(_Broken("enum", column.name, pc.and_not(pc.is_valid(here), among)))
    return broken


def _with_day(values: dict[str, pa.Array], spec: Spec) -> list[_Broken]:
    """Put the derived day in the place of the files' own, and report where they differ."""
    days = local_days(values[spec.time], values[STORE], spec.zone, spec.zones)
    file_days, values[DAY] = values[DAY], days
    return [_Broken("date", DAY, pc.not_equal(file_days, days))]


def _refusals(
    broken: Sequence[_Broken], files: Mapping[int, Parsed]
) -> Iterator[tuple[int, RowRefusal]]:
    ids = list(files)
    ends = list(accumulate(parsed.table.num_rows for parsed in files.values()))
    for one in broken:
        for row in pc.indices_nonzero(one.rows.fill_null(False)).to_pylist():
            owner = bisect_right(ends, row)
            parsed = files[ids[owner]]
            place = row - ends[owner] + parsed.table.num_rows
            yield ids[owner], _refusal(one, parsed, place)


def _refusal(one: _Broken, parsed: Parsed, place: int) -> RowRefusal:
    value = None
    if one.column in parsed.table.column_names:
        cell = parsed.table[one.column][place].as_py()
        value = None if cell in (None, "") else str(cell)
    return RowRefusal(
        parsed.lines[place].as_py(), one.rule, one.column, value, parsed.row_text(place)
    )


def _owners(files: Mapping[int, Parsed]) -> list[int]:
    return [i for i, parsed in files.items() for _ in range(parsed.table.num_rows)]


def _any(masks: Sequence[pa.Array], length: int) -> pa.Array:
    combined = pa.repeat(False, length)
    for mask in masks:
        combined = pc.or_(combined, mask.fill_null(False))
    return combined


def _concatenated(arrays: Sequence[pa.Array], kind: pa.DataType | None = None) -> pa.Array:
    return pa.concat_arrays(arrays) if arrays else pa.array([], kind or pa.int64())
