"""The hash of what a change request wants: approvals are given to it.

docs/design/governance.md#content
"""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.rows import OrderedRows, places_of
from lakeshelf.governance.domain.staged import DELETE, INSERT, SET, sides
from lakeshelf.governance.domain.values import same

_ROWS = 100_000
"""Rows that are in memory as bytes at a time."""
_RAW = pa.large_binary()


def content_hash(definition: Definition, staged: pa.Table) -> str:
    """SHA-256 over the staged cells and the version of the definition.

    It covers op, key, column, base value and staged value of every staged cell: of an insert the values that it
    brings, of a delete those that it takes. The order of rows and columns and all other cells of the base are no part
    of it, so a rebase that changes no base value of a staged cell leaves it as it is.
    """
    digest = hashlib.sha256(f"{definition.version}\n".encode())
    staged = staged.combine_chunks()
    order = pc.sort_indices(staged["row_id"])
    for start in range(0, staged.num_rows, _ROWS):
        ids, base, new = sides(definition, staged.take(order.slice(start, _ROWS)))
        ops = _ops(base, new)
        whole = places_of(
            pc.not_equal(ops, SET)
        )  # a row that comes or goes may have no value but its key
        digest.update(_bytes("", ops.take(whole), ids.take(whole)))
        for name in sorted(column.name for column in definition.editable):
            old, staged_values = base.values[name], new.values[name]
            places = places_of(pc.invert(same(old, staged_values)))
            digest.update(
                _bytes(name, *(part.take(places) for part in (ops, ids, old, staged_values)))
            )
    return digest.hexdigest()


def _ops(base: OrderedRows, new: OrderedRows) -> pa.Array:
    return pc.if_else(new.present, pc.if_else(base.present, SET, INSERT), DELETE)


def _bytes(name: str, *parts: pa.Array) -> bytes:
    """Arrays row by row as bytes that are the same for the same values, and for no others."""
    head = f"{name}:{len(parts[0])}\n".encode()
    rows = pc.binary_join_element_wise(*map(_framed, parts), pa.scalar(b"", _RAW))
    return head + b"".join(rows.to_pylist())


def _framed(values: pa.Array) -> pa.Array:
    """`<length>:<value>`, so that what stands side by side is not taken for something else; null is `-`."""
    raw = (
        values.cast(_RAW)
        if pa.types.is_binary(values.type)
        else values.cast(pa.large_string()).cast(_RAW)
    )
    length = pc.binary_length(raw).cast(pa.large_string()).cast(_RAW)
    framed = pc.binary_join_element_wise(length, raw, pa.scalar(b":", _RAW))
    return pc.fill_null(framed, pa.scalar(b"-", _RAW))
