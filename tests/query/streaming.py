"""Write the result of an engine into a table, and print rows and peak memory: `streaming.py ENGINE ROWS FOLDER`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lakeshelf.lake import Lake

TEXT = "x" * 120


def result(engine: str, rows: int) -> Any:
    """Rows of (id, text), lazily."""
    if engine == "polars":
        import polars as pl

        ids = pl.select(pl.int_range(rows, dtype=pl.Int64).alias("id")).lazy()
        return ids.with_columns((pl.col("id").cast(pl.String) + TEXT).alias("text"))
    statement = f"SELECT range AS id, CAST(range AS VARCHAR) || '{TEXT}' AS text FROM range({rows})"
    if engine == "datafusion":
        from datafusion import SessionContext

        return SessionContext().sql(
            statement.replace("range AS id", "value AS id").replace("range AS V", "value AS V")
        )
    import duckdb

    connection = duckdb.connect()
    if engine == "duckdb":
        return connection.sql(statement)
    import ibis

    return ibis.duckdb.from_connection(connection).sql(statement)


def peak_kib() -> int:
    """Most memory that this process has taken; `ru_maxrss` counts what the process before `exec` took."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    engine, rows, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    lake = Lake(folder)
    lake.append("test/warm", result(engine, 1000))
    before = peak_kib()
    commit = lake.append("test/rows", result(engine, rows))
    peak = peak_kib()
    told = {"rows": commit.rows, "version": commit.version, "grown_mb": (peak - before) // 1024}
    sys.stdout.write(json.dumps(told))
