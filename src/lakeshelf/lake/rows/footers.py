"""What data files hold that not every reader reads right: their footers tell it, the log does not.

- Times as INT96, as Spark writes them by default: delta-rs, DataFusion and Polars read them as nanoseconds, which
  end in 1677 and 2262, and give another time for those beyond, silently.
- Lists of two levels, or under other names, as Hive and old Spark write them: DuckDB gives nulls for their elements.

Footers are read once in a process, and only of files that could be so: statistics clear most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable

from lakeshelf.lake.form.actions import added
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import explained

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem
    from pyarrow.parquet import ColumnSchema, ParquetFile

    Look = Callable[[FileSystem, str], frozenset[str]]

_MICROS = pa.timestamp("us")
_FIRST, _LAST = (
    (datetime(*day, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    for day in ((1677, 9, 22), (2262, 4, 11))
)
"""In microseconds: pyarrow imports pandas to turn times of Python into its own, or back."""
_PHYSICAL = "delta.columnMapping.physicalName"
_KEPT: dict[tuple[str, str], frozenset[str]] = {}
"""What was looked for, and a file → columns; files never change."""
_MOST_KEPT = 100_000
_LEVELS = (("list", "element"), ("list", "item"), ("key_value", "key"), ("key_value", "value"))
"""Names of the inner levels of lists and maps as Parquet prescribes them, `item` as Arrow wrote it for long."""


def far_times(handle: DeltaTable) -> frozenset[str]:
    """Columns with INT96 times that nanoseconds cannot hold, at the version of a handle."""
    return frozenset().union(*files_with_far_times(handle).values())


def files_with_far_times(handle: DeltaTable) -> dict[str, frozenset[str]]:
    """Files with such times, as the log names them → their columns of such times."""
    at_risk = _columns(handle, pa.types.is_timestamp)
    if not at_risk:
        return {}
    files = added(handle, flatten=True)
    near = zip(*(_near(files, column) for column in at_risk), strict=True)
    paths = [
        path
        for path, all_near in zip(files["path"].to_pylist(), near, strict=True)
        if not all(all_near)
    ]
    columns_by_file = _columns_by_file(handle, paths, _far_times)
    return {path: columns for path, columns in columns_by_file.items() if columns}


def short_lists(handle: DeltaTable) -> frozenset[str]:
    """Columns with lists of two levels or other names, at the version of a handle."""
    if not _columns(handle, lambda kind: pa.types.is_list(kind) or pa.types.is_map(kind)):
        return frozenset()
    paths = added(handle)["path"].to_pylist()
    return frozenset().union(*_columns_by_file(handle, paths, _short_lists).values())


def _columns(handle: DeltaTable, is_such: Callable[[pa.DataType], bool]) -> list[str]:
    """Columns of a type, or with one in them, as files name them; values of partitions are in the log."""
    partitions = handle.metadata().partition_columns
    kinds = pa.schema(handle.schema().to_arrow())
    names = {name: physical for physical, name in _names(handle).items()}
    return [names[f.name] for f in kinds if f.name not in partitions and _has(f.type, is_such)]


def _has(kind: pa.DataType, is_such: Callable[[pa.DataType], bool]) -> bool:
    return is_such(kind) or any(
        _has(kind.field(place).type, is_such) for place in range(kind.num_fields)
    )


def _names(handle: DeltaTable) -> dict[str, str]:
    """Names of columns in files → names in the table."""
    return {str(f.metadata.get(_PHYSICAL, f.name)): f.name for f in handle.schema().fields}


def _near(files: pa.Table, column: str) -> Iterator[bool]:
    """Whether the statistics of each file say that nanoseconds hold all times of a column."""
    names = ("num_records", f"null_count.{column}", f"min.{column}", f"max.{column}")
    for rows, nulls, least, most in zip(*(_numbers(files, n) for n in names), strict=True):
        inside = least is not None and most is not None and _FIRST < least <= most < _LAST
        yield inside or (rows is not None and nulls == rows)


def _numbers(files: pa.Table, name: str) -> list[int | None]:
    """A statistic of each file, a time in microseconds; None where there is none."""
    statistic = files[name] if name in files.column_names else None
    if statistic is not None and pa.types.is_timestamp(statistic.type):
        statistic = statistic.cast(_MICROS).cast(pa.int64())
    if statistic is None or not pa.types.is_integer(statistic.type):
        return [None] * files.num_rows
    numbers: list[int | None] = statistic.to_pylist()
    return numbers


def _columns_by_file(
    handle: DeltaTable, paths: Sequence[str], look: Look
) -> dict[str, frozenset[str]]:
    """File → its columns that are looked for."""
    if not paths:
        return {}
    root, name = storage.place_of(handle)
    files, base = storage.filesystem(root)
    names, columns_by_file = _names(handle), dict[str, frozenset[str]]()
    for path in paths:
        with explained(f"the footer of {unquote(path)} of {name} cannot be read"):
            columns = _once(look, files, path_of(f"{base}/{name}", path))
        columns_by_file[path] = frozenset(names[column] for column in columns if column in names)
    return columns_by_file


def _once(look: Look, files: FileSystem, path: str) -> frozenset[str]:
    key = (look.__name__, path)
    if key not in _KEPT:
        if len(_KEPT) >= _MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = look(files, path)
    return _KEPT[key]


def path_of(folder: str, path: str) -> str:
    """Where a file of a table lies, given its path in the log."""
    plain = unquote(path)
    return plain.removeprefix("file://") if "://" in plain else f"{folder}/{plain}"


def _far_times(files: FileSystem, path: str) -> frozenset[str]:
    with opened(files, path) as file:
        columns = {_top(leaf) for leaf in _leaves(file) if leaf.physical_type == "INT96"}
        return frozenset(column for column in columns if _has_far_times(file, column))


def _short_lists(files: FileSystem, path: str) -> frozenset[str]:
    with opened(files, path) as file:
        return frozenset(_top(leaf) for leaf in _leaves(file) if _is_short(leaf))


def opened(files: FileSystem, path: str) -> ParquetFile:
    """A data file, INT96 times read as microseconds."""
    from pyarrow import parquet  # noqa: PLC0415 - slow to import

    return parquet.ParquetFile(path, filesystem=files, coerce_int96_timestamp_unit="us")


def _leaves(file: ParquetFile) -> Iterator[ColumnSchema]:
    return (file.schema.column(place) for place in range(len(file.schema.names)))


def _top(leaf: ColumnSchema) -> str:
    return str(leaf.path.partition(".")[0])


def _is_short(leaf: ColumnSchema) -> bool:
    parts = leaf.path.split(".")
    levels = sum(pair in _LEVELS for pair in pairwise(parts))
    return bool(levels < leaf.max_repetition_level)


def _has_far_times(file: ParquetFile, column: str) -> bool:
    batches = file.iter_batches(columns=[column])
    return any(_is_far(times) for batch in batches for times in _times(batch.column(0)))


def _times(column: pa.Array) -> Iterator[pa.Array]:
    if pa.types.is_timestamp(column.type):
        yield column
    elif pa.types.is_struct(column.type):
        for part in column.flatten():
            yield from _times(part)
    elif pa.types.is_map(column.type):
        yield from _times(column.keys)
        yield from _times(column.items)
    elif pa.types.is_list(column.type):
        yield from _times(column.flatten())


def _is_far(times: pa.Array) -> bool:
    micros = times.cast(_MICROS).cast(pa.int64())
    return bool(pc.any(pc.or_(pc.less(micros, _FIRST), pc.greater(micros, _LAST))).as_py())
