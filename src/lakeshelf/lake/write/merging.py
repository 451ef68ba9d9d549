"""Upserts by key: one atomic commit, and none when nothing changes."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.table import TableMerger

from lakeshelf.counts import count_of
from lakeshelf.errors import LakeError
from lakeshelf.lake.form import features, partitions
from lakeshelf.lake.form.commits import HOOKS, Commit, Write
from lakeshelf.lake.form.schemas import cast, fitting, plain
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import KeyViolation, SchemaError, explained
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.diff import BEFORE, CHANGE_TYPE, DELETE
from lakeshelf.lake.rows.predicates import quoted
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.rows.sources import Rows, Source
from lakeshelf.lake.write import int96
from lakeshelf.lake.write.writing import committed, require_exact

_PLACE = "__place"
OPERATION = "merge"


def upsert(
    handle: DeltaTable,
    name: str,
    rows: Rows,
    keys: Sequence[str],
    write: Write,
    order_by: Sequence[str] = (),
    mode: Literal["merge"] | None = None,
) -> Commit:
    """Insert rows of new keys and update rows that differ.

    Args:
        handle: The table.
        name: The dataset.
        rows: What holds them; of several rows of a key the newest counts, of equally new ones the last. Columns that
            they lack keep their values, and are null in new rows. With a column `_change_type` they are changes:
            what was deleted is removed, preimages do not count.
        keys: Key columns.
        write: Identities, stamp and metadata.
        order_by: Columns that decide which of two rows is newer, the most important first; a row that is older
            than the table's changes nothing, and null is older than everything.
        mode: `merge`: columns that the table lacks are added to it.

    Raises:
        KeyViolation: A key is null, or a new row lacks a column that may not be null.
        SchemaError: Columns or types do not fit.
        PredicateError: A key is a float.
    """
    require_columns(name, (*keys, *order_by), schema_of(handle))
    require_exact(schema_of(handle), keys, "a row")
    source = Source.of(rows, schema_of(handle))

    def attempt() -> Commit:
        content(source.schema)
        incoming = _without_preimages(source.table())
        _require_columns_of(name, incoming.schema, (*keys, *order_by), schema_of(handle), mode)
        schema = fitting(name, content(incoming.schema), schema_of(handle), "merge")
        features.refuse_naive_times(name, schema, features.in_force(handle))
        rows = _with_change_type(_conformed(incoming, schema, name), incoming)
        latest = newest(rows, keys, order_by, name)
        if not latest.num_rows:
            return write.skipped(name, OPERATION, "no rows")
        parted = handle.metadata().partition_columns
        partitions.require_values(name, latest, [c for c in parted if c in latest.column_names])
        return _merge(handle, name, latest, keys, order_by, write)

    return committed(handle, name, OPERATION, write, attempt)


def newest(rows: pa.Table, keys: Sequence[str], order_by: Sequence[str], name: str) -> pa.Table:
    """One row a key: the newest, of equally new ones the last.

    Raises:
        KeyViolation: A key is null.
    """
    _require_keys(rows, keys, name)
    groups = rows.select(keys).group_by(list(keys)).aggregate([([], "count_all")])
    if groups.num_rows == rows.num_rows:
        return rows
    placed = rows.append_column(_PLACE, pa.array(range(rows.num_rows), pa.int64()))
    ascending = [(column, "ascending", "at_start") for column in (*order_by, _PLACE)]
    order = pc.sort_indices(placed, sort_keys=ascending)
    ranked = placed.select([*keys, _PLACE]).take(order)
    last = ranked.group_by(list(keys), use_threads=False).aggregate([(_PLACE, "last")])
    return rows.take(last[f"{_PLACE}_last"])


def _merge(
    handle: DeltaTable,
    name: str,
    rows: pa.Table,
    keys: Sequence[str],
    order_by: Sequence[str],
    write: Write,
) -> Commit:
    features.require_removable(handle, name)
    int96.rewrite(handle, name, write.expected)
    traits.require_copyable(handle, name)
    with (
        _without_required(handle, rows.column_names),
        explained(f"{name} was not written", LakeError),
    ):
        metrics = _merger(handle, rows, keys, order_by, write).execute()
    changed = sum(metrics[f"num_target_rows_{done}"] for done in ("inserted", "updated", "deleted"))
    if not changed:
        return write.skipped(name, OPERATION, "nothing changed")
    return Commit(name, handle.version(), OPERATION, changed, write.metadata)


def _merger(
    handle: DeltaTable,
    rows: pa.Table,
    keys: Sequence[str],
    order_by: Sequence[str],
    write: Write,
) -> TableMerger:
    schema, known = content(rows.schema), set(schema_of(handle).names)
    columns = {quoted(column): f"s.{quoted(column)}" for column in schema.names}
    merge = handle.merge(
        rows,
        " AND ".join(f"t.{quoted(key)} = s.{quoted(key)}" for key in keys),
        source_alias="s",
        target_alias="t",
        merge_schema=not known.issuperset(schema.names),
        commit_properties=write.properties(schema, tuple(order_by)),
        post_commithook_properties=HOOKS,
    )
    kept = None
    if CHANGE_TYPE in rows.column_names:
        gone, kept = f"(s.{CHANGE_TYPE} = '{DELETE}')", f"(s.{CHANGE_TYPE} <> '{DELETE}')"
        newer = f"{gone} AND ({_not_older(order_by)})" if order_by else gone
        merge = merge.when_matched_delete(newer)
    others = [column for column in schema.names if column not in keys]
    if others:
        differs = _differs(others, known, order_by)
        merge = merge.when_matched_update(columns, f"{kept} AND {differs}" if kept else differs)
    return merge.when_not_matched_insert(columns, kept)


def _differs(columns: Sequence[str], known: Container[str], order_by: Sequence[str]) -> str:
    # Each term stands in parentheses: without them delta-rs fails to parse `IS DISTINCT FROM b OR …`.
    terms = (
        f"(t.{quoted(c)} IS DISTINCT FROM s.{quoted(c)})"
        if c in known
        else f"(s.{quoted(c)} IS NOT NULL)"
        for c in columns
    )
    changed = f"({' OR '.join(terms)})"
    return f"{changed} AND ({_not_older(order_by)})" if order_by else changed


def _not_older(order_by: Sequence[str]) -> str:
    column, rest = quoted(order_by[0]), order_by[1:]
    newer = f"((t.{column} IS NULL) AND (s.{column} IS NOT NULL)) OR (s.{column} > t.{column})"
    same = f"(s.{column} IS NOT DISTINCT FROM t.{column})"
    return f"({newer}) OR ({same} AND ({_not_older(rest)}))" if rest else f"({newer}) OR {same}"


def content(schema: pa.Schema) -> pa.Schema:
    """The schema without what says of changes which they are.

    Raises:
        SchemaError: A column of that name says something else.
    """
    kinds = [field.type for field in schema if field.name == CHANGE_TYPE]
    if any(plain(kind) != pa.string() for kind in kinds):
        raise SchemaError(
            f"{CHANGE_TYPE} is {kinds[0]}; it says of a change what happened",
            hint="rename the column",
        )
    return pa.schema([field for field in schema if field.name != CHANGE_TYPE])


def _without_preimages(rows: pa.Table) -> pa.Table:
    if CHANGE_TYPE not in rows.column_names:
        return rows
    return rows.filter(pc.not_equal(rows[CHANGE_TYPE], BEFORE))


def _with_change_type(rows: pa.Table, incoming: pa.Table) -> pa.Table:
    if CHANGE_TYPE not in incoming.column_names:
        return rows
    return rows.append_column(CHANGE_TYPE, incoming[CHANGE_TYPE])


def _conformed(rows: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    if rows.schema.equals(schema):
        return rows
    batches = [cast(batch, schema, name) for batch in rows.to_batches()]
    return pa.Table.from_batches(batches, schema=schema)


@contextmanager
def _without_required(handle: DeltaTable, columns: Container[str]) -> Iterator[None]:
    """Name the columns without which no row can be new, where a constraint was broken."""
    required = [f.name for f in schema_of(handle) if not f.nullable and f.name not in columns]
    try:
        yield
    except KeyViolation as error:
        if not required:
            raise
        raise KeyViolation(
            f"{error.message}; a new row needs {', '.join(required)}",
            hint="give those columns, or only rows whose keys are there",
        ) from error


def _require_columns_of(
    name: str,
    row_schema: pa.Schema,
    needed: Sequence[str],
    schema: pa.Schema,
    mode: Literal["merge"] | None,
) -> None:
    """Raise `SchemaError` for rows that lack a key, or have columns that may not be added."""
    if missing := [column for column in needed if column not in row_schema.names]:
        raise SchemaError(
            f"rows for {name} lack {', '.join(missing)}",
            hint=f"merge by {', '.join(needed)}; other columns may be left out",
        )
    extra = [c for c in content(row_schema).names if c not in schema.names]
    if extra and mode is None:
        raise SchemaError(
            f"{name} has no column {', '.join(map(repr, extra))}",
            hint=f"{names.suggestion(extra[0], schema.names)}; `schema_mode='merge'` adds columns",
        )


def _require_keys(rows: pa.Table, keys: Sequence[str], name: str) -> None:
    for key in keys:
        if rows[key].null_count:
            place = pc.index(pc.is_null(rows[key]), pa.scalar(True)).as_py()
            raise KeyViolation(
                f"{count_of(rows[key].null_count, 'row')} for {name} without {key}, the first is row {place}",
                hint="null is equal to nothing, so they would be inserted again and again; give them keys",
            )


def require_columns(name: str, columns: Sequence[str], schema: pa.Schema) -> None:
    """Raise `SchemaError` for a key, or what orders rows, that a table does not have."""
    unknown = [column for column in columns if column not in schema.names]
    if unknown or not columns:
        raise SchemaError(
            f"{name} has no column {', '.join(map(repr, unknown))}"
            if unknown
            else f"{name} has no key",
            hint=f"{names.suggestion(' '.join(unknown), schema.names)}; name the key with `keys=`",
        )
