"""Rewrites of a whole table by somebody who holds all of its rows anyway: one file written, none read.

A merge of a few rows into many reads and copies files; the state of a streaming query is in memory already.
"""

from __future__ import annotations

import json
import threading
import time
import uuid

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from lakeshelf.contracts import CATALOG
from lakeshelf.counts import count_of
from lakeshelf.lake.form.commits import Commit, Write
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import KeyViolation, StorageError, explained
from lakeshelf.lake.rows.predicates import quoted
from lakeshelf.lake.write.statements import Statements
from lakeshelf.lake.write.writing import commit_files

CONSTRAINT = "delta.constraints."


class _Engine(threading.local):
    def __init__(self) -> None:
        self.statements = Statements(threads=1)


_engine = _Engine()


def rewrite(
    handle: DeltaTable, name: str, rows: pa.Table, changed: pa.Table, write: Write
) -> Commit:
    """Make `rows` all rows of the table, once: an upsert by somebody who holds the others anyway.

    Args:
        handle: The table, at the version that was read; not partitioned.
        name: The table's name, for the result.
        rows: All rows of the table afterwards.
        changed: Those of them that are new or different, which have to keep the table's constraints.
        write: Identity, stamp and metadata.

    Raises:
        KeyViolation: A row breaks a constraint; nothing is written.
        StorageError: The file cannot be written.
    """
    if write.is_done(handle):
        return write.skipped(name, "rewrite")
    _require_constraints(handle, name, changed)
    files = [_written(handle, name, rows)] if rows.num_rows else []
    commit_files(handle, files, "overwrite", write)
    return Commit(name, handle.version(), "rewrite", rows.num_rows, write.metadata)


def _require_constraints(handle: DeltaTable, name: str, rows: pa.Table) -> None:
    configuration = handle.metadata().configuration
    checks = {
        k.removeprefix(CONSTRAINT): v for k, v in configuration.items() if k.startswith(CONSTRAINT)
    }
    if not checks or not rows.num_rows:
        return
    broken = ", ".join(
        f"count(*) FILTER (WHERE NOT ({check})) AS {quoted(constraint)}"
        for constraint, check in checks.items()
    )
    text = f"SELECT {broken} FROM rows"  # noqa: S608 - constraints of the table, which Delta lets nobody ignore
    counts = _engine.statements.native(text, rows=rows).to_pylist()[0]
    for constraint, count in counts.items():
        if count:
            raise KeyViolation(
                f"{count_of(count, 'row')} of {name} against its constraint {constraint}: {checks[constraint]}",
                hint="this is a fault of the job that computed them",
            )


def _written(handle: DeltaTable, name: str, rows: pa.Table) -> AddAction:
    file, content = f"part-{uuid.uuid4()}.snappy.parquet", pa.BufferOutputStream()
    pq.write_table(rows, content, use_dictionary=False)
    size = _kept(handle, file, content.getvalue())
    keys = CATALOG.tables[name].key
    bounds = {key: pc.min_max(rows[key]).as_py() for key in keys}
    stats = {
        "numRecords": rows.num_rows,
        "minValues": {key: bound["min"] for key, bound in bounds.items()},
        "maxValues": {key: bound["max"] for key, bound in bounds.items()},
        "nullCount": dict.fromkeys(keys, 0),
    }
    return AddAction(
        file,
        size,
        {},
        time.time_ns() // 1_000_000,
        data_change=True,
        stats=json.dumps(stats, default=str),
    )


def _kept(handle: DeltaTable, file: str, content: pa.Buffer) -> int:
    """Keep a file in the folder of a table; its size."""
    root, name = storage.place_of(handle)
    files, base = storage.filesystem(root)
    with (
        explained(f"{name} was not written", StorageError),
        files.open_output_stream(f"{base}/{name}/{file}", compression=None) as stream,
    ):
        stream.write(content)
    return int(content.size)
