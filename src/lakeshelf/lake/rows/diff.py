"""What differs between two versions of a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lakeshelf.lake.form.conforming import conformed
from lakeshelf.lake.form.schemas import plain_schema
from lakeshelf.lake.place.errors import SchemaError, explained
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.predicates import quoted
from lakeshelf.lake.rows.reading import schema_of

CHANGE_TYPE = "_change_type"
_SIDE, _MORE, _PAIRED = "__side", "__more", "__paired"
INSERT, DELETE, BEFORE, AFTER = "insert", "delete", "update_preimage", "update_postimage"
_PHYSICAL = "delta.columnMapping.physicalName"


def diff(
    before: DeltaTable, after: DeltaTable, name: str, key: Sequence[str]
) -> pa.RecordBatchReader:
    """Rows that two versions of a table do not share, with `_change_type` in front.

    Rows are counted by their content, so a key need not be unique: of rows that are equal, as many are there as one
    version has more of them. A column that a version does not have is null in it; one that was renamed has its later
    name.

    Args:
        before: The table at one version.
        after: The table at the other.
        name: The dataset, for errors.
        key: Columns that identify a row: of a key with one row less and one row more, the row is there as it was
            (`update_preimage`) and as it is (`update_postimage`). Empty: each row more or less is an insert or a
            delete.

    Raises:
        SchemaError: A column has another type in each version.
        FeatureRefused: A column that delta-rs would read wrong.
        Vacuumed: While rows are read: a file of a version is gone.
    """
    columns = _columns(before, after, name)
    for handle in (before, after):
        traits.require_readable(handle, name)
    schema = pa.schema([column.field for column in columns])
    shared = schema.insert(0, pa.field(CHANGE_TYPE, pa.string()))
    with explained(f"the versions of {name} cannot be compared"):
        engine = QueryBuilder().register("a", before).register("b", after)
        text = _by_row(columns, [column for column in key if column in schema.names])
        reader = pa.RecordBatchReader.from_stream(engine.execute(text))
    return pa.RecordBatchReader.from_batches(shared, _batches(reader, shared, name))


@dataclass(frozen=True)
class _Column:
    """A column of either version: its field, and its names in the earlier and the later one; None: it is not there."""

    field: pa.Field
    before: str | None
    after: str | None


def _columns(before: DeltaTable, after: DeltaTable, name: str) -> list[_Column]:
    earlier, later = _by_physical(before), _by_physical(after)
    columns = [_Column(field, _name(earlier, p), field.name) for p, field in later.items()]
    taken = {column.field.name for column in columns}
    for physical, field in earlier.items():
        if physical in later:
            _require_same(field, later[physical], name)
        elif field.name in taken:
            raise SchemaError(
                f"{field.name} of {name} was dropped and made anew between the versions",
                hint="read both",
            )
        else:
            columns.append(_Column(field, field.name, None))
    return [_Column(c.field.with_nullable(True), c.before, c.after) for c in columns]


def _by_physical(handle: DeltaTable) -> dict[str, pa.Field]:
    """Columns by the name that stays when they are renamed."""
    schema = schema_of(handle)
    return {
        str(f.metadata.get(_PHYSICAL, f.name)): schema.field(f.name) for f in handle.schema().fields
    }


def _name(fields: dict[str, pa.Field], physical: str) -> str | None:
    return str(fields[physical].name) if physical in fields else None


def _require_same(before: pa.Field, after: pa.Field, name: str) -> None:
    if not before.type.equals(after.type):
        raise SchemaError(
            f"{after.name} of {name} is {before.type} in one version and {after.type} in the other",
            hint="read both",
        )


def _by_row(columns: Sequence[_Column], key: Sequence[str]) -> str:
    """One line for rows that are equal, with how many more of them there are in `b`, and whether an update."""
    listed = ", ".join(quoted(column.field.name) for column in columns)
    a = ", ".join(_selected(column.before, column.field.name) for column in columns)
    b = ", ".join(_selected(column.after, column.field.name) for column in columns)
    counted = (
        f"SELECT sum({_SIDE}) AS {_MORE}, {listed} FROM (SELECT 1 AS {_SIDE}, {b} FROM b "  # noqa: S608 - columns of the table, quoted
        f"UNION ALL SELECT -1 AS {_SIDE}, {a} FROM a) GROUP BY {listed} HAVING sum({_SIDE}) <> 0"
    )
    return f"SELECT {_paired(key)} AS {_PAIRED}, {_MORE}, {listed} FROM ({counted})"  # noqa: S608


def _selected(held: str | None, name: str) -> str:
    return f"{'NULL' if held is None else quoted(held)} AS {quoted(name)}"


def _paired(key: Sequence[str]) -> str:
    """Whether a row is the only one of its key that went, or came, and there is one of the other kind."""
    if not key:
        return "FALSE"
    columns = ", ".join(quoted(column) for column in key)
    among = f"OVER (PARTITION BY {columns})"
    alone = f"count(*) {among} = 2 AND sum({_MORE}) {among} = 0 AND abs({_MORE}) = 1"
    return " AND ".join([alone, *(f"{quoted(column)} IS NOT NULL" for column in key)])


def _batches(
    reader: pa.RecordBatchReader, schema: pa.Schema, name: str
) -> Iterator[pa.RecordBatch]:
    with explained(f"the versions of {name} cannot be compared"):
        for batch in reader:
            yield conformed(_expanded(batch), schema)


def _expanded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Each row as often as it is more or less."""
    more, paired = batch.column(_MORE).to_pylist(), batch.column(_PAIRED).to_pylist()
    places = [place for place, number in enumerate(more) for _ in range(abs(number))]
    kinds = pa.array([_KINDS[paired[place], more[place] > 0] for place in places], pa.string())
    rows = batch.drop_columns([_MORE, _PAIRED])
    rows = conformed(rows, plain_schema(rows.schema)).take(pa.array(places, pa.int64()))
    return pa.RecordBatch.from_arrays(
        [kinds, *rows.columns], names=[CHANGE_TYPE, *rows.schema.names]
    )


_KINDS = {
    (True, True): AFTER,
    (True, False): BEFORE,
    (False, True): INSERT,
    (False, False): DELETE,
}
"""Whether a row belongs to an update, and whether it came → what it is called."""
