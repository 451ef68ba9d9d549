"""Staged rows that take a change back, or that hold what is between two tables.

docs/design/governance.md#inverse-changes
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.keys import key_of, row_ids
from lakeshelf.governance.domain.rows import OrderedRows, mask_of, patched
from lakeshelf.governance.domain.staged import staged_rows
from lakeshelf.governance.domain.values import of_text
from lakeshelf.governance.errors import refused

_Cells = dict[str, tuple[str | None, str | None]]
"""Column → JSON texts before and after; None: the row was not there."""


def difference(definition: Definition, before: pa.Table, after: pa.Table) -> pa.Table:
    """Staged rows that turn one table of a dataset into another.

    For a restore, `before` is main as it is and `after` the version that is wanted. For a change from outside,
    `before` is what our last commit left and `after` what is there: merged, it changes nothing more.

    Raises:
        GovernanceError: `key_invalid`: a table has a key twice, or a null in one.
    """
    present = [row_ids(definition, table) for table in (before, after)]
    ids = pc.unique(pa.chunked_array(present, pa.string()))
    old, new = (OrderedRows.of_table(definition, table, ids) for table in (before, after))
    return staged_rows(definition, ids, old, new)


def reverted(definition: Definition, cells: pa.Table, main: pa.Table) -> pa.Table:
    """Staged rows that take back what a merge did.

    Their base is what the merge left, so a cell that somebody changed since is a conflict, and the rest of the row is
    main's.

    Args:
        definition: The dataset.
        cells: History of one merge (`lakeshelf.governance.domain.requests.merge.HISTORY`), whole.
        main: Main's rows of those keys, as they are now.

    Raises:
        GovernanceError: `request_invalid`: a cell changed twice, so it is not the history of one merge.
    """
    rows = _by_row(cells)
    ids = pa.array(list(rows), pa.string())
    now = OrderedRows.of_table(definition, main, ids)
    base, new = (_as_of(definition, rows, now, side) for side in (1, 0))
    return staged_rows(definition, ids, base, new)


def _by_row(cells: pa.Table) -> dict[str, _Cells]:
    rows: dict[str, _Cells] = {}
    columns = (cells[name].to_pylist() for name in ("row_id", "column", "old", "new"))
    for row_id, column, old, new in zip(*columns, strict=True):
        row = rows.setdefault(row_id, {})
        if column in row:
            raise refused(
                "request_invalid",
                f"{row_id}.{column} changed twice",
                hint="revert one change request at a time",
                row_id=row_id,
                column=column,
            )
        row[column] = (old, new)
    return rows


def _as_of(
    definition: Definition, rows: dict[str, _Cells], now: OrderedRows, side: int
) -> OrderedRows:
    """Main's rows with the cells as they were before (0) or after (1) the merge."""
    replaced: dict[str, tuple[list[int], list[Any]]] = {
        c.name: ([], []) for c in definition.columns
    }
    present: list[bool] = []
    for place, (row_id, cells) in enumerate(rows.items()):
        texts = {name: pair[side] for name, pair in cells.items()}
        present.append(None not in texts.values())
        values = {name: of_text(definition[name], t) for name, t in texts.items() if t is not None}
        for name, value in (key_of(definition, row_id) | values).items():
            replaced[name][0].append(place)
            replaced[name][1].append(value)
    absent = mask_of(len(rows), [place for place, here in enumerate(present) if not here])
    values = {
        name: _without(patched(now.values[name], *part), absent) for name, part in replaced.items()
    }
    return OrderedRows(pa.array(present, pa.bool_()), values, frozenset(values))


def _without(values: pa.Array, absent: pa.BooleanArray) -> pa.Array:
    return pc.if_else(absent, pa.scalar(None, values.type), values)
