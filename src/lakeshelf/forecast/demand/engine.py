"""DuckDB over tables of Arrow, within bounds that the caller sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from lakeshelf.lake.rows.quiet import quiet

if TYPE_CHECKING:
    import duckdb

MODULES = ("duckdb", "pandas")
"""What forecasts use of the extra `query`, of which an image has no more than it runs."""


@dataclass(frozen=True)
class EngineBounds:
    """What a statement may take of the machine.

    Args:
        memory: Most memory of DuckDB, as it writes it: `1500MB`.
        threads: Threads of DuckDB.
    """

    memory: str = "1500MB"
    threads: int = 2


BOUNDS = EngineBounds()


@contextmanager
def engine(
    tables: Mapping[str, pa.Table | pa.RecordBatchReader], bounds: EngineBounds
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory that has the tables under their names; a stream can be asked once."""
    import duckdb  # noqa: PLC0415 - an extra

    with quiet(duckdb.connect()) as connection:
        connection.execute("SET memory_limit = $memory", {"memory": bounds.memory})
        connection.execute("SET threads = $threads", {"threads": bounds.threads})
        connection.execute("SET TimeZone = 'UTC'")
        for name, table in tables.items():
            connection.register(name, table)
        yield connection
