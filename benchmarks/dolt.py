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


def filled(folder: Path, size: int, seed: int) -> Path:
    """A repository with so many rows on its main branch; of our rules it keeps the unique one."""
    repository = folder / str(size)
    repository.mkdir(parents=True)
    _dolt(repository, "init", "--name", "bench", "--email", "bench@localhost")
    for name, value in (("user.name", "bench"), ("user.email", "bench@localhost")):
        _dolt(repository, "config", "--local", "--add", name, value)
    _dolt(repository, "sql", "-q", SCHEMA)
    for first in range(0, size, governed.AT_ONCE):
        numbers = np.arange(first, min(first + governed.AT_ONCE, size))
        _import(repository, governed.rows(numbers, seed))
    _dolt(repository, "add", TABLE)
    _commit(repository, "rows")
    return repository


def merged(repository: Path, cells: np.ndarray, seed: int) -> float:
    """Seconds of `dolt merge` of changed cells into a branch that moved on from the rows meanwhile."""
    change, target = f"change_{len(cells)}", f"target_{len(cells)}"
    _dolt(repository, "checkout", "-b", change, "main")
    rows = governed.rows(cells, seed)
    quantity = rows.schema.get_field_index("quantity")
    _import(repository, rows.set_column(quantity, "quantity", pa.array([QUANTITY] * len(rows))))
    _commit(repository, "change")
    _dolt(repository, "checkout", "-b", target, "main")
    meanwhile = f"INSERT INTO {TABLE} VALUES ('meanwhile', 'S0', 1, 1.00, -1, 0.5)"
    _dolt(repository, "sql", "-q", meanwhile)
    _commit(repository, "meanwhile")
    began = time.perf_counter()
    _dolt(repository, "merge", change, "-m", "merge")
    if "still merging" in _dolt(repository, "status"):  # older releases leave the commit to be made
        _commit(repository, "merge")
    seconds = time.perf_counter() - began
    statement = f"SELECT count(*) FROM {TABLE} WHERE quantity = {QUANTITY}"
    counted = _dolt(repository, "sql", "-r", "csv", "-q", statement)
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
