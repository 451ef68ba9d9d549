"""Changes of rows that are there: delete those that meet conditions, or set columns of them. One commit or none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.form import features, partitions
from lakeshelf.lake.form.commits import HOOKS, Commit, Write
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import KeyViolation, PredicateError, SchemaError, explained
from lakeshelf.lake.rows import conditions, exact, reading, traits
from lakeshelf.lake.rows.conditions import Condition, Where, all_of, any_of, columns_of
from lakeshelf.lake.rows.predicates import literal, quoted, to_sql
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.write import int96
from lakeshelf.lake.write.writing import committed, require_exact

DELETE, UPDATE = "delete", "update"


def delete(handle: DeltaTable, name: str, where: Where, write: Write) -> Commit:
    """Delete the rows that meet conditions.

    Raises:
        PredicateError: There are no conditions, one is on floats, or they have too many values.
        FeatureRefused: Rows of the table cannot be changed.
    """
    schema = schema_of(handle)
    _require_conditions(where, schema, "delete", f"`overwrite` {name} with no rows to delete all")
    predicate = to_sql(where, schema)

    def attempt() -> Commit:
        _require_changeable(handle, name, write)
        with explained(f"no rows of {name} were deleted", LakeError):
            metrics = handle.delete(
                predicate,
                commit_properties=write.properties(),
                post_commithook_properties=HOOKS,
            )
        return _commit(handle, name, DELETE, int(metrics["num_deleted_rows"]), write)

    return committed(handle, name, DELETE, write, attempt)


def update(
    handle: DeltaTable,
    name: str,
    where: Where,
    values: Mapping[str, Any],
    key: Iterable[str],
    write: Write,
) -> Commit:
    """Set columns of the rows that meet conditions, where they differ.

    Args:
        handle: The table.
        name: The dataset.
        where: Conditions that choose rows.
        values: Column → the value that it gets; null where it may be.
        key: Columns that identify a row, which keep their values.
        write: Identities, stamp and metadata.

    Raises:
        PredicateError: There are no conditions, one is on floats, or they have too many values.
        SchemaError: A column is not there, or a value does not fit it.
        KeyViolation: A key column is set, or a constraint broken; nothing is written.
        FeatureRefused: Rows of the table cannot be changed.
    """
    schema = schema_of(handle)
    _require_conditions(where, schema, "update", 'choose all rows by `(column, "is not null")`')
    fitted = _fitted(name, values, schema, key, handle.metadata().partition_columns)
    chosen = [*where, any_of(*map(_differs, _exact(fitted, schema).items()))]
    inexact = len(_exact(fitted, schema)) < len(fitted)
    predicate = to_sql(where if inexact else chosen, schema)
    updates = {
        quoted(column): _literal(value, schema.field(column)) for column, value in fitted.items()
    }

    def attempt() -> Commit:
        _require_changeable(handle, name, write)
        differing = _differing(handle, name, where, fitted) if inexact else None
        if differing == 0:
            return write.skipped(name, UPDATE, "nothing changed")
        with explained(f"no rows of {name} were updated", LakeError):
            metrics = handle.update(
                updates,
                predicate=predicate,
                commit_properties=write.properties(),
                post_commithook_properties=HOOKS,
            )
        rows = int(metrics["num_updated_rows"]) if differing is None else differing
        return _commit(handle, name, UPDATE, rows, write)

    return committed(handle, name, UPDATE, write, attempt)


def _commit(handle: DeltaTable, name: str, operation: str, rows: int, write: Write) -> Commit:
    if not rows:
        return write.skipped(name, operation, "nothing changed")
    return Commit(name, handle.version(), operation, rows, write.metadata)


def _require_changeable(handle: DeltaTable, name: str, write: Write) -> None:
    features.require_changeable(handle, name)
    features.require_removable(handle, name)
    int96.rewrite(handle, name, write.expected)
    traits.require_copyable(handle, name)


def _require_conditions(where: Where, schema: pa.Schema, verb: str, way_out: str) -> None:
    columns = columns_of(where, schema)
    if not where:
        raise PredicateError(f"`{verb}` has no conditions", hint=way_out)
    require_exact(schema, columns, f"what to {verb}")


def _fitted(
    name: str,
    values: Mapping[str, Any],
    schema: pa.Schema,
    key: Iterable[str],
    partitioned_by: Sequence[str],
) -> dict[str, Any]:
    """The values as the table keeps them."""
    if not isinstance(values, Mapping) or not values:
        raise SchemaError(f"{values!r} sets no column of {name}", hint="give {column: value}")
    for column in values:
        if column not in schema.names:
            raise SchemaError(
                f"{name} has no column {column!r}",
                hint=names.suggestion(str(column), schema.names),
            )
        if column in key:
            raise KeyViolation(
                f"{column} is in the key of {name}, which tells rows apart",
                hint="delete the rows and append others",
            )
        _require_plain(name, schema.field(column), values[column])
    fitted = {column: _value(name, schema.field(column), value) for column, value in values.items()}
    for column in set(partitioned_by) & set(fitted):
        row = pa.Table.from_pylist([fitted], schema=pa.schema([schema.field(column)]))
        partitions.require_values(name, row, [column])
    return fitted


def _value(name: str, field: pa.Field, value: Any) -> Any:
    """A value as a column has it."""
    try:
        held = (None,) if value is None else _held(value, field.type)
    except PredicateError as error:
        raise _unfit(name, field, value, error.hint) from error
    if not held:
        raise _unfit(name, field, value, "give a value of that type")
    return held[0]


def _unfit(name: str, field: pa.Field, value: Any, hint: str) -> SchemaError:
    return SchemaError(
        f"column {field.name} of {name} is {field.type}, {names.shown(value)} is no such value",
        hint=hint,
    )


def _held(value: Any, kind: pa.DataType) -> tuple[Any, ...]:
    """The one value of a column that a value is; none where the column has no such value."""
    if not conditions.is_comparable(value, kind):
        return ()
    if conditions.is_nan(value):
        return (math.nan,) if pa.types.is_floating(kind) else ()
    if pa.types.is_floating(kind) and isinstance(value, float):
        near = pa.scalar(value, kind).as_py()
        return (near,) if math.isinf(value) or not math.isinf(near) else ()
    below, above = exact.around(value, kind)
    if below is None or below != above:
        return ()
    is_kept = pa.scalar(below, kind).as_py() == below
    return (below,) if is_kept else ()


def _require_plain(name: str, field: pa.Field, value: Any) -> None:
    if pa.types.is_nested(field.type):
        raise SchemaError(
            f"column {field.name} of {name} is {field.type}, which `update` does not set",
            hint="merge rows that have it",
        )
    if value is None and not field.nullable:
        raise KeyViolation(f"{field.name} of {name} cannot be null", hint="give it a value")


def _exact(values: Mapping[str, Any], schema: pa.Schema) -> dict[str, Any]:
    """Those that delta-rs can compare; it takes NaN for a neighbour of the same file."""
    return {
        column: value
        for column, value in values.items()
        if not pa.types.is_floating(schema.field(column).type)
    }


def _differs(one: tuple[str, Any]) -> Condition:
    column, value = one
    if value is None:
        return (column, "is not null")
    if value != value:  # noqa: PLR0124 - NaN, which no condition takes
        return all_of()
    return any_of((column, "is null"), (column, "!=", value))


def _differing(handle: DeltaTable, name: str, where: Where, values: Mapping[str, Any]) -> int:
    differs = any_of(*map(_differs, values.items()))
    reader = reading.scan(handle, name, list(values)[:1], [*where, differs])
    return sum(batch.num_rows for batch in reader)


def _literal(value: Any, field: pa.Field) -> str:
    return "NULL" if value is None else literal(value, field.type)
