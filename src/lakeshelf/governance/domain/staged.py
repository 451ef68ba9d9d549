"""Staged rows: what a change request wants of each row, beside the whole row that it began with.

| column | meaning |
|---|---|
| `row_id` | the key as text |
| `op` | `set`, `insert` or `delete` |
| `changed` | columns whose value is another than in `base`; of an insert those that are not null, of a delete none |
| `new` | the row as it is wanted; null for a delete |
| `base` | the row that the author saw; null for an insert |

docs/design/governance.md#staged-rows
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.keys import require_distinct
from lakeshelf.governance.domain.rows import (
    OrderedRows,
    any_of,
    mask_of,
    places_of,
)
from lakeshelf.governance.domain.values import same, whole
from lakeshelf.governance.errors import refused

Cell = tuple[str, str | None]
"""Row and column; None stands for the whole row."""
SET, INSERT, DELETE = ("set", "insert", "delete")


def schema(definition: Definition) -> pa.Schema:
    """Columns of staged rows of a dataset."""
    row = pa.struct([field.with_nullable(True) for field in definition.schema])
    return pa.schema(
        [
            pa.field("row_id", pa.string()),
            pa.field("op", pa.string()),
            pa.field("changed", pa.list_(pa.field("element", pa.string()))),
            pa.field("new", row),
            pa.field("base", row),
        ]
    )


def staged_rows(
    definition: Definition, ids: pa.StringArray, base: OrderedRows, new: OrderedRows
) -> pa.Table:
    """What turns rows into others; rows that are the same, or on neither side, are left out.

    Args:
        definition: The dataset.
        ids: `row_id` of each row.
        base: The rows as they were, in the order of `ids`.
        new: The rows as they are wanted, in the same order.
    """
    changes = {
        column.name: pc.and_(
            new.present, pc.invert(same(base.values[column.name], new.values[column.name]))
        )
        for column in definition.editable
    }
    both = pc.and_(base.present, new.present)
    kept = pc.or_(
        pc.xor(base.present, new.present),
        pc.and_(both, any_of(list(changes.values()), len(ids))),
    )
    op = pc.if_else(new.present, pc.if_else(base.present, SET, INSERT), DELETE)
    columns = [ids, op, _lists(changes, len(ids)), new.struct, base.struct]
    table = pa.table(dict(zip(schema(definition).names, columns, strict=True)))
    return table.filter(kept).cast(schema(definition))


def sides(
    definition: Definition, staged: pa.Table
) -> tuple[pa.StringArray, OrderedRows, OrderedRows]:
    """`row_id`, base and new rows of staged rows; columns that the definition gained since are null.

    Raises:
        GovernanceError: `request_invalid`: a changed column is none of the definition; `key_invalid`: a row is staged
            twice.
    """
    changed = pc.unique(pc.list_flatten(whole(staged["changed"]))).to_pylist()
    for name in changed:
        definition[name]
    ids = whole(staged["row_id"])
    require_distinct(definition, ids)
    base = OrderedRows.of_struct(definition, staged["base"])
    return ids, base, OrderedRows.of_struct(definition, staged["new"])


def rows_before(definition: Definition, staged: pa.Table) -> pa.Table:
    """The rows that staged rows are based on, those that were there."""
    _, base, _ = sides(definition, staged)
    return pa.table(dict(base.values), definition.schema).filter(base.present)


def columns_of(definition: Definition, staged: pa.Table) -> frozenset[str]:
    """Columns that staged rows decide on: all where a row comes or goes."""
    if pc.any(pc.not_equal(staged["op"], SET)).as_py():
        return frozenset(column.name for column in definition.content)
    return frozenset(pc.unique(pc.list_flatten(whole(staged["changed"]))).to_pylist())


def cells(staged: pa.Table) -> Iterator[Cell]:
    """Cells that are staged: each changed one, and the whole row where one comes or goes."""
    names = iter(pc.list_flatten(staged["changed"]).to_pylist())
    columns = (staged["row_id"], staged["op"], pc.list_value_length(staged["changed"]))
    for row_id, op, count in zip(*(column.to_pylist() for column in columns), strict=True):
        changed = list(islice(names, count))
        yield from ((row_id, name) for name in (changed if op == SET else [None]))


def without(definition: Definition, staged: pa.Table, rejected: Collection[Cell]) -> pa.Table:
    """Staged rows but for some cells, which are again as they were.

    Args:
        definition: The dataset.
        staged: Staged rows.
        rejected: Cells, or whole rows; a cell of an insert is null then.

    Raises:
        GovernanceError: `not_found`: one of them is not staged.
    """
    ids, base, new = sides(definition, staged)
    places = {row_id: place for place, row_id in enumerate(ids.to_pylist())}
    known = {*cells(staged), *_whole_rows(staged), *_inserted_cells(staged)}
    unknown = sorted(set(rejected) - known, key=str)
    if unknown:
        row, column = unknown[0]
        raise refused(
            "not_found",
            f"{row}{'.' + column if column else ''} is no change of this request",
            hint="name cells that it changes",
            cells=[{"row_id": row, "column": column} for row, column in unknown],
        )
    by_column: dict[str | None, list[int]] = {}
    for row, column in rejected:
        by_column.setdefault(column, []).append(places[row])
    return staged_rows(definition, ids, base, _undone(base, new, by_column))


def _whole_rows(staged: pa.Table) -> Iterator[Cell]:
    return ((row_id, None) for row_id in staged["row_id"].to_pylist())


def _inserted_cells(staged: pa.Table) -> Iterator[Cell]:
    inserted = staged.filter(pc.equal(staged["op"], INSERT)).select(["row_id", "changed"])
    for row in inserted.to_pylist():
        yield from ((row["row_id"], name) for name in row["changed"])


def _undone(
    base: OrderedRows, new: OrderedRows, places: Mapping[str | None, list[int]]
) -> OrderedRows:
    length = len(base.present)
    rows = mask_of(length, places.get(None, []))
    values = {}
    for name, values_ in new.values.items():
        undone = pc.or_(rows, mask_of(length, places.get(name, [])))
        values[name] = pc.if_else(undone, base.values[name], values_)
    return OrderedRows(pc.if_else(rows, base.present, new.present), values, new.known)


def _lists(changes: Mapping[str, pa.BooleanArray], length: int) -> pa.ListArray:
    """The names of the columns in which each row changes, in the order of the columns."""
    counts = pa.repeat(pa.scalar(0, pa.int32()), length)
    rows: list[pa.Array] = []
    columns: list[pa.Array] = []
    for number, mask in enumerate(changes.values()):
        counts = pc.add(counts, mask.cast(pa.int32()))
        rows.append(places_of(mask).cast(pa.int64()))
        columns.append(pa.repeat(pa.scalar(number, pa.int64()), len(rows[-1])))
    changed_cells = pa.table({"row": _joined(rows), "column": _joined(columns)})
    changed_cells = changed_cells.sort_by([("row", "ascending"), ("column", "ascending")])
    names = pa.array(list(changes), pa.string()).take(whole(changed_cells["column"]))
    ends = pc.cumulative_sum(counts)
    starts = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    return pa.ListArray.from_arrays(starts, names, type=pa.list_(pa.field("element", pa.string())))


def _joined(arrays: list[pa.Array]) -> pa.Array:
    return pa.concat_arrays(arrays) if arrays else pa.array([], pa.int64())
