"""What tests of maintenance need: tables with many small files, and their rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import HOOKS, Txn, Write
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.rows import reading, tables
from lakeshelf.lake.write import writing

LOG = CATALOG.tables["ops/journal_producer_pos"]
"""Owned by a component."""
NAME = "curated/counts"
NO_RETENTION = {
    "delta.deletedFileRetentionDuration": "interval 0 seconds",
    "delta.logRetentionDuration": "interval 0 seconds",
}
SCHEMA = pa.schema([("n", pa.int64()), ("m", pa.int64()), ("day", pa.string())])


def entry(number: int) -> pa.Table:
    """A row of `LOG`."""
    now = datetime(2017, 1, 1, tzinfo=UTC)
    row = {
        "entry_id": str(number), "seq": number, "cause": "", "decision": "{}", "messages": [],
        "event_time": now, "decided_at": now,
    }  # fmt: skip
    return pa.Table.from_pylist([row], arrow_contract.schema(LOG.columns))


def made(
    root: Path, days: Sequence[str | None] = (), *, files: int = 0, **given: Any
) -> DeltaTable:
    """A table of counts with so many files a day; without days it has no partitions."""
    properties = given.pop("properties", {})
    dataset = Dataset(
        NAME, SCHEMA, partition_by=("day",) if days else (), properties=properties, **given
    )
    handle = tables.create(root, dataset)
    for day in days or ("",):
        add(handle, files, day)
    return handle


def add(handle: DeltaTable, files: int, day: str | None = "") -> None:
    """Append so many files of three rows."""
    for number in range(files):
        rows = pa.table({"n": [number] * 3, "m": [0, 1, 2], "day": [day] * 3}, SCHEMA)
        writing.append(handle, NAME, rows, Write())


def owned(root: Path, files: int) -> DeltaTable:
    """A component's table with so many files."""
    tables.ensure(root, LOG)
    handle = tables.open_table(root, LOG.name)
    for number in range(1, files + 1):
        writing.append(handle, LOG.name, entry(number), Write.once(Txn("owner", number)))
    return handle


def without_retention(handle: DeltaTable) -> DeltaTable:
    """The table, from now on without retention of files and log."""
    handle.alter.set_table_properties(NO_RETENTION, post_commithook_properties=HOOKS)
    return handle


def rows(root: Path, name: str = NAME, at: int | None = None) -> list[tuple[Any, ...]]:
    """Rows of a table in order."""
    found = Lake(root).read(name, at).read_all()
    return sorted(tuple(str(v) for v in row.values()) for row in found.to_pylist())


def paths(handle: DeltaTable) -> dict[str, set[str]]:
    """Day → files of the latest version."""
    fresh = DeltaTable(handle.table_uri)
    actions = pa.table(fresh.get_add_actions()).to_pylist()
    found: dict[str, set[str]] = {}
    for action in actions:
        found.setdefault((action.get("partition") or {}).get("day"), set()).add(action["path"])
    return found


def on_disk(root: Path, name: str = NAME) -> set[str]:
    """Every file of a table, relative to it."""
    folder = root / name
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def count(handle: DeltaTable) -> int:
    """Rows of the latest version."""
    return reading.count(DeltaTable(handle.table_uri), NAME)
