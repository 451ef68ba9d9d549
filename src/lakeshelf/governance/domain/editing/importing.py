"""Rows of a file as a change: what they would do to the version that they were written against.

docs/design/governance.md#files
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.counts import count_of
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.files import Mode
from lakeshelf.governance.domain.keys import row_ids
from lakeshelf.governance.domain.rows import OrderedRows, joined, places_in
from lakeshelf.governance.domain.staged import schema, staged_rows
from lakeshelf.governance.errors import refused

AT_ONCE = 100_000
"""Rows of a file that are compared at a time."""
REFUSED = pa.schema(
    [
        ("line", pa.int64()),
        ("row_id", pa.string()),
        ("column", pa.string()),
        ("value", pa.string()),
        ("rule", pa.string()),
        ("message", pa.string()),
    ]
)
"""Cells of a file that cannot be imported; `line` counts as people count, with the header."""


def imported(
    definition: Definition, ids: pa.StringArray, rows: pa.Table, base: pa.Table, mode: Mode
) -> pa.Table:
    """Staged rows that a file comes to.

    A column that the file lacks stays as it is, and is null in new rows.

    Args:
        definition: The dataset.
        ids: `row_id` of each row of the file, each once.
        rows: The rows, with all columns of the key; columns by name.
        base: Rows of the version that the file was written against: those of the keys, or all for `replace`.
        mode: What the rows mean.

    Raises:
        GovernanceError: `deletes_not_allowed`: a key is absent under `replace`, and rows are not deleted.
    """
    if mode == "replace":
        ids = pc.unique(pa.chunked_array([ids, row_ids(definition, base)], pa.string()))
    base, rows = base.combine_chunks(), rows.combine_chunks()
    places, own = (places_in(definition, table, ids) for table in (base, rows))
    _require_deletes(definition, ids, own.is_valid())
    parts = (
        _staged(
            definition,
            ids.slice(start, AT_ONCE),
            OrderedRows.at(definition, base, places.slice(start, AT_ONCE)),
            OrderedRows.at(definition, rows, own.slice(start, AT_ONCE)),
        )
        for start in range(0, len(ids), AT_ONCE)
    )
    return joined(schema(definition), parts)


def _staged(
    definition: Definition, ids: pa.StringArray, before: OrderedRows, incoming: OrderedRows
) -> pa.Table:
    kept = {
        name: incoming.values[name]
        if name in incoming.known
        else pc.if_else(incoming.present, value, pa.scalar(None, value.type))
        for name, value in before.values.items()
    }
    return staged_rows(
        definition, ids, before, OrderedRows(incoming.present, kept, frozenset(kept))
    )


def repeated(ids: pa.StringArray) -> pa.BooleanArray:
    """Where a key stands that is there more than once."""
    counted = pc.value_counts(ids)
    twice = counted.filter(pc.greater(counted.field("counts"), 1)).field("values")
    return pc.is_in(ids, twice)


def _require_deletes(
    definition: Definition, ids: pa.StringArray, are_there: pa.BooleanArray
) -> None:
    if definition.deletes or pc.all(are_there).as_py() in (True, None):
        return
    absent = ids.filter(pc.invert(are_there))
    raise refused(
        "deletes_not_allowed",
        f"the file lacks {count_of(len(absent), 'row')}, the first {absent[0].as_py()[:80]!r}, and rows of this "
        "dataset are not deleted",
        hint="add them, or import it as `upsert`",
        row_ids=absent[:10].to_pylist(),
    )
