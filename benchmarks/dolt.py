"""The same merges by Dolt: a branch that changes cells goes into one that moved on meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks import governed

TABLE, QUANTITY = "stock_lines", 401
SCHEMA = f"""
    CREATE TABLE {TABLE} (
        line varchar(32) PRIMARY KEY, store varchar(32), quantity bigint, price decimal(12, 2), code bigint,
        note double, UNIQUE (code))"""


def merged(folder: Path, size: int, cells: np.ndarray, seed: int) -> float:
    """Seconds of `dolt merge` of changed cells into so many rows; of our rules it keeps the unique one."""
    repository = folder / f"{size}_{len(cells)}"
    repository.mkdir(parents=True)
    _dolt(repository, "init", "--name", "bench", "--email", "bench@localhost")
    _dolt(repository, "sql", "-q", SCHEMA)
    for first in range(0, size, governed.AT_ONCE):
        numbers = np.arange(first, min(first + governed.AT_ONCE, size))
        _import(repository, governed.rows(numbers, seed))
    _commit(repository, "rows")
    _dolt(repository, "checkout", "-b", "change")
    rows = governed.rows(cells, seed)
    quantity = rows.schema.get_field_index("quantity")
    _import(repository, rows.set_column(quantity, "quantity", pa.array([QUANTITY] * len(rows))))
    _commit(repository, "change")
    _dolt(repository, "checkout", "main")
    _dolt(repository, "sql", "-q", f"UPDATE {TABLE} SET note = 0.5 WHERE code = 0")
    _commit(repository, "meanwhile")
    began = time.perf_counter()
    _dolt(repository, "merge", "change", "-m", "merge")
    seconds = time.perf_counter() - began
    counted = _dolt(
        repository,
        "sql",
        "-r",
        "csv",
        "-q",
        f"SELECT count(*) FROM {TABLE} WHERE quantity = {QUANTITY}",
    )
    if int(counted.split()[-1]) != len(cells):
        raise RuntimeError(f"Dolt merged {counted.split()[-1]} of {len(cells):,} cells")
    return seconds


def _import(repository: Path, rows: pa.Table) -> None:
    file = repository.parent / "rows.csv"
    csv.write_csv(rows, file)
    _dolt(repository, "table", "import", "-u", TABLE, str(file))
    file.unlink()


def _commit(repository: Path, message: str) -> None:
    _dolt(repository, "commit", "-a", "-m", message)


def _dolt(repository: Path, *arguments: str) -> str:
    environment = {**os.environ, "HOME": str(repository.parent), "DOLT_DISABLE_EVENT_FLUSH": "1"}
    done = subprocess.run(
        ["dolt", *arguments],
        cwd=repository, capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"dolt {arguments[0]}: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout
