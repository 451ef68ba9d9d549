"""Fingerprints of rows: equal for equal rows, whatever their order, files and layout.

A row is written as bytes that are the same for the same values and say where each value ends, hashed (BLAKE2b, 256
bits), and the hashes are summed. So a fingerprint takes no memory, knows no order, counts rows that are there twice,
and that of two parts is the sum of theirs (a multiset hash: Bellare and Micciancio, "A New Paradigm for
Collision-Free Hashing", 1997). It finds damage and mistakes, not somebody who makes rows in order to collide.

What is the same value: all NaN are one, and -0.0 is 0.0; numbers count without their width, decimals without
trailing zeros; times are instants, to the nanosecond; text and bytes count byte by byte, also in dictionaries; lists
and structs by their elements; the entries of a map in their order. Columns count by name, in any order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.lake.place.errors import SchemaError

BYTES = 32
_MODULUS = 1 << (8 * BYTES)
_DECIMAL = pa.decimal256(76, 38)
_RAW = pa.large_binary()
_NULL = b"-"
_MICROS = {"s": 1_000_000, "ms": 1_000, "us": 1}


class RowSums:
    """Rows that have passed: how many, and the sums of their hashes.

    Args:
        schema: Columns, and the types as which values are compared; rows may have narrower ones. None: those of each
            batch.
        by_column: Whether each column gets a checksum of its own.

    Attributes:
        rows: Rows so far.
    """

    def __init__(self, schema: pa.Schema | None = None, *, by_column: bool = False) -> None:
        self.rows = 0
        self._schema = schema
        self._total = 0
        self._by_column = by_column
        self._columns = dict.fromkeys(sorted(schema.names), 0) if schema and by_column else {}

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch]) -> RowSums:
        """The content of batches, one of which is in memory at a time."""
        content = cls()
        for batch in batches:
            content.add(batch)
        return content

    @property
    def fingerprint(self) -> str:
        """The sum as 64 hexadecimal digits."""
        return _hex(self._total)

    @property
    def columns(self) -> dict[str, str]:
        """Column → checksum of its values."""
        return {name: _hex(total) for name, total in self._columns.items()}

    def add(self, batch: pa.RecordBatch) -> None:
        """Count the rows of a batch in.

        Raises:
            SchemaError: A column of a type that cannot be compared.
        """
        self.rows += batch.num_rows
        pieces = _pieces(batch, self._schema)
        rows = _joined(pieces, batch.num_rows)
        self._total = (self._total + sum(map(_hash, rows.to_pylist()))) % _MODULUS
        if self._by_column:
            for name, piece in pieces.items():
                total = self._columns.get(name, 0) + _of_values(piece)
                self._columns[name] = total % _MODULUS


def content_fingerprint(reader: Iterable[pa.RecordBatch]) -> str:
    """The fingerprint of the rows of a stream, in flat memory.

    Raises:
        SchemaError: A column of a type that cannot be compared.
    """
    return RowSums.of(reader).fingerprint


def encoded(rows: pa.RecordBatch) -> pa.Array:
    """Each row as bytes (`large_binary`) that differ when a value does; null is not the empty text."""
    return _joined(_pieces(rows, None), rows.num_rows)


def canonical(column: pa.Array, kind: pa.DataType | None = None) -> pa.Array:
    """Values of a column as bytes (`large_binary`) that are equal for equal values and for no others.

    Args:
        column: The values.
        kind: The type as which they are compared; None: their own.

    Raises:
        SchemaError: A type that cannot be compared, or values that do not fit `kind`.
    """
    column = _stored(column)
    kind = column.type if kind is None else kind
    if pa.types.is_null(column.type):
        return pa.repeat(pa.scalar(_NULL, _RAW), len(column))
    made = next((made for is_such, made in _KINDS if is_such(kind)), None)
    if made is None:
        raise SchemaError(f"{kind} cannot be compared", hint="cast the column first")
    try:
        return _framed(made(column, kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"{column.type} cannot be compared as {kind}: {error}", hint="compare the types"
        ) from error


def _pieces(batch: pa.RecordBatch, schema: pa.Schema | None) -> dict[str, pa.Array]:
    fields = sorted(schema or batch.schema, key=lambda field: field.name)
    return {f.name: canonical(batch.column(f.name), f.type) for f in fields}


def _joined(pieces: dict[str, pa.Array], rows: int) -> pa.Array:
    names = hashlib.blake2b(json.dumps(list(pieces)).encode(), digest_size=8).digest()
    return _concatenated([pa.repeat(pa.scalar(names, _RAW), rows), *pieces.values()])


def _framed(content: pa.Array) -> pa.Array:
    """`<length>:<bytes>`, so that what stands side by side is not taken for something else; null is `-`."""
    length = _raw(pc.binary_length(content))
    framed = _concatenated([length, pa.scalar(b":", _RAW), content])
    return pc.fill_null(framed, pa.scalar(_NULL, _RAW))


def _concatenated(pieces: Sequence[pa.Array | pa.Scalar]) -> pa.Array:
    return pc.binary_join_element_wise(*pieces, pa.scalar(b"", _RAW))


def _of_values(piece: pa.Array) -> int:
    # Each distinct value is hashed once: most columns repeat theirs.
    counted = pc.value_counts(piece)
    pairs = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
    return sum(_hash(value) * count for value, count in pairs)


def _hash(value: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(value, digest_size=BYTES).digest(), "big")


def _hex(total: int) -> str:
    return total.to_bytes(BYTES, "big").hex()


def _stored(column: pa.Array) -> pa.Array:
    """The values without wrapping: no dictionary, no runs, no type of an application."""
    if isinstance(column, pa.ExtensionArray):
        return _stored(column.storage)
    if pa.types.is_dictionary(column.type):
        return _stored(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return _stored(pc.run_end_decode(column))
    return column


def _raw(column: pa.Array, _: pa.DataType | None = None) -> pa.Array:
    """Text, bytes, and what has one way to be written in digits."""
    if not (_is_text(column.type) or _is_bytes(column.type)):
        column = column.cast(pa.large_string())
    return column.cast(_RAW)


def _float(column: pa.Array, _: pa.DataType) -> pa.Array:
    wide = column.cast(pa.float64())
    same = pc.if_else(pc.is_nan(wide), float("nan"), pc.add(wide, 0.0))  # -0.0 + 0.0 is 0.0
    return _raw(same.view(pa.int64()))


def _decimal(column: pa.Array, _: pa.DataType) -> pa.Array:
    return _raw(column.cast(_DECIMAL))


def _date(column: pa.Array, _: pa.DataType) -> pa.Array:
    return _raw(column.cast(pa.date32()).cast(pa.int32()))


def _ticks(column: pa.Array, _: pa.DataType) -> pa.Array:
    return _raw(column.cast(pa.int32() if column.type.bit_width == 32 else pa.int64()))


def _instant(column: pa.Array, _: pa.DataType) -> pa.Array:
    ticks, unit = column.cast(pa.int64()), column.type.unit
    if unit != "ns":
        return _raw(pc.multiply_checked(ticks, _MICROS[unit]))
    micros = pc.divide(ticks, 1000)
    rest = pc.subtract(ticks, pc.multiply(micros, 1000))
    exact = _concatenated([_raw(micros), pa.scalar(b"n", _RAW), _raw(rest)])
    return pc.if_else(pc.equal(rest, 0), _raw(micros), exact)


def _list(column: pa.Array, kind: pa.DataType) -> pa.Array:
    column = column.cast(pa.large_list(column.type.value_type))
    first, last = _bounds(column)
    elements = canonical(column.values.slice(first, last - first), kind.value_type)
    return _gathered(column, elements, first)


def _map(column: pa.Array, kind: pa.DataType) -> pa.Array:
    first, last = _bounds(column)
    keys = canonical(column.keys.slice(first, last - first), kind.key_type)
    items = canonical(column.items.slice(first, last - first), kind.item_type)
    return _gathered(column, _concatenated([keys, items]), first)


def _bounds(column: pa.Array) -> tuple[int, int]:
    offsets = column.offsets
    return offsets[0].as_py(), offsets[-1].as_py()


def _gathered(column: pa.Array, elements: pa.Array, first: int) -> pa.Array:
    offsets = pc.subtract(column.offsets.cast(pa.int64()), first)
    lists = pa.LargeListArray.from_arrays(offsets, elements)
    return _where_valid(column, pc.binary_join(lists, pa.scalar(b"", _RAW)))


def _struct(column: pa.Array, kind: pa.DataType) -> pa.Array:
    fields = [canonical(c, f.type) for c, f in zip(column.flatten(), kind, strict=True)]
    nothing = pa.repeat(pa.scalar(b"", _RAW), len(column))
    return _where_valid(column, _concatenated([nothing, *fields]))


def _where_valid(column: pa.Array, content: pa.Array) -> pa.Array:
    return pc.if_else(column.is_valid(), content, pa.scalar(None, _RAW))


def _any(*kinds: str) -> Callable[[pa.DataType], bool]:
    tests = [getattr(pa.types, f"is_{kind}") for kind in kinds]
    return lambda kind: any(test(kind) for test in tests)


_is_text = _any("string", "large_string", "string_view")
_is_bytes = _any("binary", "large_binary", "binary_view", "fixed_size_binary")
_is_list = _any("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
_KINDS: tuple[
    tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, pa.DataType], pa.Array]], ...
] = (
    (_any("boolean", "integer"), _raw),
    (pa.types.is_floating, _float),
    (pa.types.is_decimal, _decimal),
    (lambda kind: _is_text(kind) or _is_bytes(kind), _raw),
    (pa.types.is_date, _date),
    (pa.types.is_timestamp, _instant),
    (_any("time", "duration"), _ticks),
    (_is_list, _list),
    (pa.types.is_map, _map),
    (pa.types.is_struct, _struct),
)
