"""Memory of a training: rows in fewer bytes, and what reading took given back before a model is trained."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

HALF = 1 << 31
"""Above all whole numbers of 32 bits."""


def give_back() -> None:
    """Have memory that was let go given back to the machine: libraries that read rows keep it from those that train."""
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc alone
    if trim is not None:
        trim(0)


def joined(parts: Iterable[pa.Table]) -> pa.Table:
    """Rows of several tables, `narrowed`; a column has the type in which those of all parts fit."""
    return pa.concat_tables(map(narrowed, parts), promote_options="permissive")


def narrowed(rows: pa.Table) -> pa.Table:
    """The rows with whole numbers in half the bytes, in each column of which all fit."""
    for place, name in enumerate(rows.column_names):
        column = rows[name]
        if column.type == pa.int64() and _fits(column):
            rows = rows.set_column(place, name, column.cast(pa.int32()))
    return rows


def _fits(column: pa.ChunkedArray) -> bool:
    ends = pc.min_max(column).as_py()
    return ends["min"] is None or (ends["min"] >= -HALF and ends["max"] < HALF)
