"""What differs between two versions of a table."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder

from lakeshelf.lake.errors import SchemaError, explained
from lakeshelf.lake.predicates import quoted
from lakeshelf.lake.reading import schema_of
from lakeshelf.lake.schemas import plain_schema

CHANGE_TYPE = "_change_type"
_SIDE, _MORE = "__side", "__more"
INSERT, DELETE, BEFORE, AFTER = "insert", "delete", "update_preimage", "update_postimage"


def diff(
    before: DeltaTable, after: DeltaTable, name: str, key: Sequence[str]
) -> pa.RecordBatchReader:
    """Rows that two versions of a table do not share, with `_change_type` in front.

    Args:
        before: The table at one version.
        after: The table at the other.
        name: The dataset, for errors.
        key: Columns that identify a row: a row that differs is there as it was (`update_preimage`) and as it is
            (`update_postimage`). Empty: rows have no identity, and each one more or less is an insert or a delete.

    Raises:
        SchemaError: The versions share no columns.
    """
    schema = schema_of(after)
    columns = [column for column in schema.names if column in schema_of(before).names]
    if not columns:
        raise SchemaError(f"the versions of {name} share no columns", hint="read both")
    shared = pa.schema([pa.field(CHANGE_TYPE, pa.string()), *(schema.field(c) for c in columns)])
    text, shaped = (_by_key(columns, key), _as_it_is) if key else (_by_row(columns), _expanded)
    with explained(f"the versions of {name} cannot be compared"):
        engine = QueryBuilder().register("a", before).register("b", after)
        found = pa.RecordBatchReader.from_stream(engine.execute(text))
    batches = (shaped(batch).cast(shared) for batch in found)
    return pa.RecordBatchReader.from_batches(shared, batches)


def _as_it_is(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch


def _by_key(columns: Sequence[str], key: Sequence[str]) -> str:
    on = " AND ".join(f"a.{quoted(k)} = b.{quoted(k)}" for k in key)
    others = [c for c in columns if c not in key]
    changed = " OR ".join(f"(a.{quoted(c)} IS DISTINCT FROM b.{quoted(c)})" for c in others)
    parts = [
        _select("b", columns, INSERT) + f" FROM b LEFT ANTI JOIN a ON {on}",
        _select("a", columns, DELETE) + f" FROM a LEFT ANTI JOIN b ON {on}",
    ]
    if others:
        parts += [
            _select("a", columns, BEFORE) + f" FROM a JOIN b ON {on} WHERE {changed}",
            _select("b", columns, AFTER) + f" FROM a JOIN b ON {on} WHERE {changed}",
        ]
    return " UNION ALL ".join(parts)


def _by_row(columns: Sequence[str]) -> str:
    """One line for rows that are equal, with how many more of them there are in `b`."""
    listed = ", ".join(quoted(c) for c in columns)
    return (
        f"SELECT sum({_SIDE}) AS {_MORE}, {listed} FROM (SELECT 1 AS {_SIDE}, {listed} FROM b "  # noqa: S608 - columns of the table, quoted
        f"UNION ALL SELECT -1 AS {_SIDE}, {listed} FROM a) GROUP BY {listed} HAVING sum({_SIDE}) <> 0"
    )


def _expanded(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Each row as often as it is more or less."""
    more = batch.column(_MORE).to_pylist()
    places = [place for place, number in enumerate(more) for _ in range(abs(number))]
    kinds = pa.array([INSERT if more[place] > 0 else DELETE for place in places], pa.string())
    rows = batch.drop_columns([_MORE])
    rows = rows.cast(plain_schema(rows.schema)).take(pa.array(places, pa.int64()))
    return pa.RecordBatch.from_arrays(
        [kinds, *rows.columns], names=[CHANGE_TYPE, *rows.schema.names]
    )


def _select(side: str, columns: Sequence[str], kind: str) -> str:
    listed = ", ".join(f"{side}.{quoted(c)}" for c in columns)
    return f"SELECT '{kind}' AS {CHANGE_TYPE}, {listed}"
