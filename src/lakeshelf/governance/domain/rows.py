"""Rows side by side: tables that are brought into one order of keys, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.keys import require_distinct, row_ids
from lakeshelf.governance.domain.values import whole


@dataclass(frozen=True)
class OrderedRows:
    """Rows in a given order, some of which may not be there.

    Attributes:
        there: Whether the row is there; never null.
        values: Column → values, null where the row is not there; all columns of the definition.
        known: Columns that the table had; the others are null throughout.
    """

    present: pa.BooleanArray
    values: Mapping[str, pa.Array]
    known: frozenset[str]

    @classmethod
    def of_table(cls, definition: Definition, table: pa.Table, ids: pa.StringArray) -> OrderedRows:
        """The rows of a table whose keys have the given ids; columns are found by name.

        Raises:
            GovernanceError: `key_invalid`: the table has a key twice, or a null in one.
        """
        return cls.at(definition, table, places_in(definition, table, ids))

    @classmethod
    def at(cls, definition: Definition, table: pa.Table, places: pa.Int32Array) -> OrderedRows:
        """The rows of a table at some places; null stands for a row that is not there."""
        columns = {
            field.name: whole(table[field.name]).cast(field.type).take(places)
            for field in definition.schema
            if field.name in table.column_names
        }
        return cls._of(definition, places.is_valid(), columns)

    @classmethod
    def of_struct(cls, definition: Definition, column: pa.ChunkedArray) -> OrderedRows:
        """The rows of `new` or `base` of staged rows; null stands for a row that is not there."""
        rows = whole(column)
        names = {rows.type.field(place).name for place in range(rows.type.num_fields)}
        columns = {
            field.name: pc.struct_field(rows, field.name).cast(field.type)
            for field in definition.schema
            if field.name in names
        }
        return cls._of(definition, rows.is_valid(), columns)

    @classmethod
    def _of(
        cls, definition: Definition, present: pa.BooleanArray, columns: Mapping[str, pa.Array]
    ) -> OrderedRows:
        values = {
            field.name: columns[field.name]
            if field.name in columns
            else pa.nulls(len(present), field.type)
            for field in definition.schema
        }
        return cls(present, values, frozenset(columns))

    @property
    def struct(self) -> pa.StructArray:
        """The rows as structs, null where the row is not there."""
        return pa.StructArray.from_arrays(
            list(self.values.values()), list(self.values), mask=pc.invert(self.present)
        )


def places_in(definition: Definition, table: pa.Table, ids: pa.StringArray) -> pa.Int32Array:
    """Where rows of some ids stand in a table; null: they are not in it.

    Raises:
        GovernanceError: `key_invalid`: the table has a key twice, or a null in one.
    """
    own = row_ids(definition, table)
    require_distinct(definition, own)
    return pc.index_in(ids, value_set=own)


def joined(schema: pa.Schema, tables: Iterable[pa.Table]) -> pa.Table:
    """Tables as one, a column after another, so that no two copies of all are there."""
    columns: dict[str, list[pa.Array]] = {name: [] for name in schema.names}
    for table in tables:
        for name in columns:
            columns[name] += table[name].chunks
    for field in schema:
        columns[field.name] = [pa.concat_arrays([pa.array([], field.type), *columns[field.name]])]
    return pa.table([parts[0] for parts in columns.values()], schema=schema)


def patched(values: pa.Array, places: Sequence[int], replacements: Sequence[Any]) -> pa.Array:
    """The array with some values replaced."""
    if not places:
        return values
    order = np.arange(len(values))
    order[np.asarray(places)] = len(values) + np.arange(len(places))
    both = pa.concat_arrays([values, pa.array(replacements, values.type)])
    return both.take(pa.array(order))


def nowhere(length: int) -> pa.BooleanArray:
    """A mask that is false throughout."""
    return pa.repeat(pa.scalar(False), length)


def mask_of(length: int, places: Sequence[int]) -> pa.BooleanArray:
    """A mask that is true at some places."""
    return patched(nowhere(length), places, [True] * len(places))


def any_of(masks: Sequence[pa.BooleanArray], length: int) -> pa.BooleanArray:
    """Where at least one of the masks is true."""
    columns = nowhere(length)
    for mask in masks:
        columns = pc.or_(columns, mask)
    return columns


def all_of(first: pa.BooleanArray, *others: pa.BooleanArray) -> pa.BooleanArray:
    """Where every mask is true."""
    for mask in others:
        first = pc.and_(first, mask)
    return first


def places_of(mask: pa.BooleanArray) -> pa.Array:
    """The places at which a mask is true."""
    return pc.indices_nonzero(mask)
