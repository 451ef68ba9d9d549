"""Rows of a version, held in memory in the order of their keys, and how their values stand among each other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.keys import key_of
from lakeshelf.governance.errors import GovernanceError

_FEW = 500
"""Keys up to which each is looked for by itself."""
_HALF = 16
"""Bits of numbers that numpy sorts by counting them, which is fast."""


@dataclass(frozen=True)
class HeldTable:
    """The rows of a version in the order of their keys; texts that repeat are held once.

    Attributes:
        definition: The definition in force.
        columns: Column → values; those that the version lacked are null.
        rows: How many rows there are.
    """

    definition: Definition
    columns: Mapping[str, pa.Array]
    rows: int

    @classmethod
    def of(cls, definition: Definition, reader: pa.RecordBatchReader) -> HeldTable:
        """The rows of a stream."""
        columns = _gathered(definition, reader)
        rows = len(next(iter(columns.values())))
        order = np.arange(rows, dtype=np.int32)
        for name in reversed(definition.key):
            order = order[stable_order(Ranks.of(columns[name]).values[order])]
        places = pa.array(order)
        for name in columns:  # one after another, so that no second table is there
            columns[name] = columns[name].take(places)
        for one in definition.schema:
            columns.setdefault(one.name, pa.nulls(rows, one.type))
        return cls(definition, columns, rows)

    def take(self, places: np.ndarray) -> pa.Table:
        """Rows at places, in that order, in plain types."""
        indices = pa.array(places)
        return pa.table({name: plain(of.take(indices)) for name, of in self.columns.items()})

    def place(self, row_id: str) -> int | None:
        """Where a row is; None: there is none."""
        try:
            key = key_of(self.definition, row_id)
        except GovernanceError:
            return None
        columns = [self.columns[name] for name in key]
        asked = [_nulls_last(value) for value in key.values()]

        def at(place: int) -> list[tuple[bool, Any]]:
            return [_nulls_last(column[place].as_py()) for column in columns]

        place = bisect_left(range(self.rows), asked, key=at)
        return place if place < self.rows and at(place) == asked else None

    def of_ids(self, row_ids: Sequence[str]) -> pa.Table:
        """The rows of keys that are there, in the columns of the definition, in any order."""
        is_through = len(self.definition.key) == 1 and len(row_ids) > _FEW
        rows = self.take(self._through(row_ids) if is_through else self._each(row_ids))
        schema = self.definition.schema
        return pa.table(
            [rows[name].cast(schema.field(name).type) for name in schema.names], schema=schema
        )

    def _each(self, row_ids: Sequence[str]) -> np.ndarray:
        places = (self.place(one) for one in row_ids)
        return np.array([one for one in places if one is not None], np.int32)

    def _through(self, row_ids: Sequence[str]) -> np.ndarray:
        """Places of many keys of one column, by one look at each row."""
        [name] = self.definition.key
        keys = [key_of(self.definition, one)[name] for one in row_ids]
        column = self.columns[name]
        return np.flatnonzero(pc.is_in(column, pa.array(keys, column.type)))

    @property
    def nbytes(self) -> int:
        """Bytes that it takes."""
        return sum(int(column.nbytes) for column in self.columns.values())


@dataclass(frozen=True)
class Ranks:
    """Numbers that sort as the values of a column do; equal values have one number.

    Attributes:
        values: The number of each row, NaN behind all that can be compared, then null.
        last: The numbers from here on are of NaN and null, which are last in either direction.
    """

    values: np.ndarray
    last: int

    @classmethod
    def of(cls, column: pa.Array) -> Ranks:
        """The ranks of a column."""
        values = column.dictionary if pa.types.is_dictionary(column.type) else column
        ranks = pc.rank(values, tiebreaker="dense")
        last = (pc.max(ranks.filter(_comparable(values))).as_py() or 0) + 1
        if values is not column:
            ranks = pc.fill_null(ranks.take(column.indices), last)
        numbers = ranks.to_numpy()
        fits = max(last, numbers.max(initial=0)) < 1 << _HALF
        return cls(numbers.astype(np.uint16 if fits else np.uint32), last)

    def keys(self, *, descending: bool) -> np.ndarray:
        """Numbers that ascend in that direction."""
        if not descending:
            return self.values
        turned: np.ndarray = np.where(
            self.values < self.last, self.last - self.values, self.values
        ).astype(self.values.dtype)
        return turned

    @property
    def nbytes(self) -> int:
        """Bytes that they take."""
        return int(self.values.nbytes)


def stable_order(numbers: np.ndarray) -> np.ndarray:
    """The order of numbers of 16 or 32 bits; equal ones stay as they are."""
    if numbers.dtype.itemsize * 8 <= _HALF:
        return np.argsort(numbers, kind="stable")
    order = np.argsort(numbers.astype(np.uint16), kind="stable")
    return order[np.argsort((numbers[order] >> _HALF).astype(np.uint16), kind="stable")]


def plain(column: pa.Array) -> pa.Array:
    """A column whose repeated texts are not held once."""
    kind = column.type
    return column.cast(kind.value_type) if pa.types.is_dictionary(kind) else column


def _gathered(definition: Definition, reader: pa.RecordBatchReader) -> dict[str, pa.Array]:
    """Each column in one piece."""
    batches = [_encoded(definition, batch) for batch in reader]
    table = pa.Table.from_batches(batches) if batches else reader.schema.empty_table()
    table = table.unify_dictionaries()
    return {name: table[name].combine_chunks() for name in table.column_names}


def _encoded(definition: Definition, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts by dictionary, but for a key, in which none is there twice."""
    alone = definition.key[0] if len(definition.key) == 1 else None
    columns = [
        column.dictionary_encode() if pa.types.is_string(column.type) and name != alone else column
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, batch.schema.names)


def _comparable(values: pa.Array) -> pa.BooleanArray:
    valid = pc.is_valid(values)
    if not pa.types.is_floating(values.type):
        return valid
    return pc.and_not(valid, pc.fill_null(pc.is_nan(values), False))


def _nulls_last(value: Any) -> tuple[bool, Any]:
    return value is None, value
