"""The frame that Great Expectations judges: a measure for each check, of rows as they would be and as they are.

docs/design/governance.md#validation
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import ROW_ID
from lakeshelf.governance.domain.values import whole
from lakeshelf.governance.validation.counting import Main, Others, occurrences
from lakeshelf.governance.validation.suite import ColumnCheck

ROWS = 100_000
"""Most rows of a change in a frame."""
MEASURES = 5_000_000
"""Most measures of those rows: fewer rows where there are very many checks."""


@dataclass(frozen=True)
class Frame:
    """Some rows of a change, twice.

    Attributes:
        rows: The rows as they would be.
        measures: A column for each check: first all of `rows`, then those of them that main has, as they are there.
        before: For each row behind the first, which of `rows` it is.
    """

    rows: pa.Table
    measures: pa.Table
    before: npt.NDArray[np.int64]


def frames(
    checks: Sequence[ColumnCheck], new: pa.Table, base: pa.Table, main: Main, others: Others
) -> Iterator[Frame]:
    """All rows of a change, as many at a time as a frame takes.

    Args:
        checks: What is judged.
        new: Rows as they would be, with `row_id`.
        base: The rows of main that they replace, and those that are deleted, with `row_id`.
        main: Columns of main.
        others: Columns of other datasets.
    """
    for number, check in enumerate(checks):
        if check.kind.whole:
            counts = occurrences(check, new, base, main, others)
            name = _count_name(number)
            new, base = (
                rows.append_column(name, count)
                for rows, count in zip((new, base), counts, strict=True)
            )
    place = pc.index_in(whole(new[ROW_ID]), whole(base[ROW_ID]))
    size = min(ROWS, max(1, MEASURES // len(checks)))
    for start in range(0, len(new), size):
        yield _frame(checks, new.slice(start, size), base, place.slice(start, size))


def measure_name(number: int) -> str:
    """Column of the measure of a check, by its place."""
    return f"measure_{number}"


def _count_name(number: int) -> str:
    return f"count {number}"  # no column of a dataset is called so


def _frame(checks: Sequence[ColumnCheck], rows: pa.Table, base: pa.Table, place: pa.Array) -> Frame:
    present = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False))
    sides = (rows, base.take(place.drop_null()))
    columns = {
        measure_name(number): pa.chunked_array(
            [_measure(check, side, number) for side in sides], pa.float64()
        )
        for number, check in enumerate(checks)
    }
    return Frame(rows, pa.table(columns), present)


def _measure(check: ColumnCheck, rows: pa.Table, number: int) -> pa.Array:
    names = [_count_name(number)] if check.kind.whole else [column.name for column in check.columns]
    cells = [whole(rows[name]) for name in names]
    return check.kind.measure(check.columns, check.rule.params, cells).cast(pa.float64())
