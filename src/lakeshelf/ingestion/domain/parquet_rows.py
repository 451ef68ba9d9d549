"""Parquet: typed rows, counted from 1."""

from __future__ import annotations

import pyarrow as pa

from lakeshelf.ingestion.domain.parsed import MAX_BYTES, Parsed, as_json
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.lake.schemas import plain_schema


def parse(content: bytes) -> Parsed:
    """The rows of a Parquet file, with types as Delta has them.

    Raises:
        FileRefused: It is damaged, too large, or holds a value that its type in Delta has not.
    """
    import pyarrow.parquet as pq  # noqa: PLC0415 - slow to import

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        groups = [file.metadata.row_group(n) for n in range(file.metadata.num_row_groups)]
        unpacked = sum(group.total_byte_size for group in groups)
        if unpacked > MAX_BYTES:
            raise FileRefused(f"the file has {unpacked:,} bytes unpacked; split it")
        table = file.read()
        table = table.cast(plain_schema(table.schema))
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, FileRefused):
            raise
        line = next(iter(str(error).splitlines()), type(error).__name__)
        raise FileRefused(f"the file is damaged or no Parquet: {line}") from error
    return Parsed(
        table=table,
        lines=pa.array(range(1, table.num_rows + 1), pa.int64()),
        row_text=lambda place: as_json(table.slice(place, 1).to_pylist()[0]),
    )
