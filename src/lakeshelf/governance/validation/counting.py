"""How often values of a change occur in a table, for rules that need rows which are not in the change.

Only DuckDB reads the whole of a table, once a rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.errors import first_line
from lakeshelf.governance.domain.rows import nowhere
from lakeshelf.governance.domain.values import whole
from lakeshelf.governance.errors import refused
from lakeshelf.governance.validation.suite import ColumnCheck
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.lake.rows.sources import BATCH_ROWS

Main = Callable[[Sequence[str]], pa.RecordBatchReader]
"""Some columns of all rows of main, at one version."""
Others = Callable[[str, str], pa.RecordBatchReader]
"""A column of all rows of another dataset, by both names."""
Sides = tuple[pa.Array, pa.Array]
"""How often the value of each new row, and of each base row, occurs; null where it is null."""
MEMORY = "192MB"
_SQL = """
    WITH sides AS (
        SELECT value, count(*) FILTER (new) AS come, count(*) FILTER (NOT new) AS gone
        FROM touched GROUP BY value),
    there AS (
        SELECT value, count(*) AS held
        FROM whole SEMI JOIN sides USING (value) GROUP BY value)
    SELECT row, CAST({number} AS DOUBLE) AS number
    FROM touched JOIN sides USING (value) LEFT JOIN there USING (value)"""
_HELD = "coalesce(held, 0)"
_AS_IT_WOULD_BE = f"{_HELD} + CASE WHEN new THEN come - gone ELSE 0 END"
"""How often a value occurs in the table, as it would be for new rows, and as it is for those of the base."""


def occurrences(
    check: ColumnCheck, new: pa.Table, base: pa.Table, main: Main, others: Others
) -> Sides:
    """How often values occur: of `unique` in the table as it would be and as it is, else in the other dataset.

    Args:
        check: What is judged.
        new: Rows as they would be.
        base: The rows of main that they replace, and those that are deleted.
        main: Columns of main.
        others: Columns of other datasets.
    """
    names = [column.name for column in check.columns]
    sides = _values(new, names), _values(base, names)
    if check.rule.kind == "unique":
        return _counted(*sides, main(names), names, _AS_IT_WOULD_BE)
    other = check.rule.params["column"]
    return _counted(*sides, others(check.rule.params["dataset"], other), [other], _HELD)


def _counted(
    new: pa.Array, base: pa.Array, whole: pa.RecordBatchReader, names: Sequence[str], number: str
) -> Sides:
    import duckdb  # noqa: PLC0415 - an extra

    rows = len(new) + len(base)
    touched = pa.table(
        {
            "row": pa.array(np.arange(rows)),
            "new": pa.array(np.arange(rows) < len(new)),
            "value": pa.chunked_array([new, base]),
        }
    )
    touched = touched.filter(touched["value"].is_valid())
    cells = _as_values(whole, names, touched.schema.field("value"))
    numbers = np.full(rows, np.nan)
    try:
        for batch in _numbers(touched, cells, number):
            numbers[batch["row"].to_numpy()] = batch["number"].to_numpy()
    except duckdb.Error as error:
        raise refused(
            "storage_unavailable",
            f"{', '.join(names)} of all rows could not be counted: {first_line(error)}",
            hint="try again",
        ) from error
    known = pa.array(numbers, from_pandas=True)
    return known[: len(new)], known[len(new) :]


def _numbers(
    touched: pa.Table, whole: pa.RecordBatchReader, number: str
) -> Iterator[pa.RecordBatch]:
    """`row` and `number` of each value, in no order."""
    import duckdb  # noqa: PLC0415 - as above

    with TemporaryDirectory(prefix="lakeshelf-") as spill:
        config: dict[str, Any] = {
            "memory_limit": MEMORY,
            "threads": 2,
            "temp_directory": spill,
            "preserve_insertion_order": False,
        }
        with quiet(duckdb.connect(config=config)) as connection:
            connection.register("touched", touched)
            connection.register("whole", whole)
            yield from connection.execute(_SQL.format(number=number)).to_arrow_reader(BATCH_ROWS)


def _as_values(
    whole: pa.RecordBatchReader, names: Sequence[str], value: pa.Field
) -> pa.RecordBatchReader:
    schema = pa.schema([value])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in whole:
            cells = _values(pa.Table.from_batches([batch]), names)
            yield pa.record_batch([cells.cast(value.type)], schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _values(rows: pa.Table, names: Sequence[str]) -> pa.Array:
    """A value for each row, of several columns a struct; null where one of them is."""
    columns = [_alike(whole(rows[name])) for name in names]
    if len(columns) == 1:
        return columns[0]
    missing = nowhere(len(rows))
    for column in columns:
        missing = pc.or_(missing, column.is_null())
    return pa.StructArray.from_arrays(
        columns, [f"part_{n}" for n in range(len(names))], mask=missing
    )


def _alike(cells: pa.Array) -> pa.Array:
    """Floats as integers, one for each value: engines differ on whether NaN is NaN, and 0.0 is -0.0."""
    if not pa.types.is_floating(cells.type):
        return cells
    plain = pc.if_else(pc.is_nan(cells), pa.scalar(math.nan), pc.add(cells, 0.0))
    return plain.view(pa.int64())
