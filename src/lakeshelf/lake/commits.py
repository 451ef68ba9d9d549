"""Commits: one append or one upsert, at most once for an application id and version.

delta-rs stores application transactions without enforcing them, so a version is looked up on the
very handle that writes (storage.md, section 4).
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import (
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    write_deltalake,
)
from deltalake.transaction import AddAction

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import LakeError
from lakeshelf.lake.statements import Statements

CONSTRAINT = "delta.constraints."
REMOVED = "removed"
HOOKS = PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False)
"""Looking for expired entries would read the state of every file of the log at each commit; `maintenance` does it."""


class _Engine(threading.local):
    def __init__(self) -> None:
        self.statements = Statements(threads=1)


_engine = _Engine()


@dataclass(frozen=True)
class Txn:
    """Identity of one write: it is committed once, however often it is tried.

    Attributes:
        app_id: Who writes, for example `<query id>:cleansed/shelf_state`.
        version: Which write of that writer, for example the batch id.
    """

    app_id: str
    version: int


@dataclass(frozen=True)
class Commit:
    """What a write did: the table's version after it, and why nothing was committed if so."""

    table: str
    version: int
    rows: int
    skipped: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


def is_committed(handle: DeltaTable, txn: Txn) -> bool:
    """Whether the write `txn` stands in the table already."""
    recorded = handle.transaction_version(txn.app_id)
    return recorded is not None and recorded >= txn.version


def append(handle: DeltaTable, name: str, rows: pa.Table, txn: Txn, *also: Txn) -> Commit:
    """Append `rows` once; the identities `also` are recorded with it and not looked at."""
    if is_committed(handle, txn):
        return Commit(name, handle.version(), 0, "already committed")
    if rows.num_rows == 0:
        return Commit(name, handle.version(), 0, "no rows")
    write_deltalake(
        handle,
        rows,
        mode="append",
        commit_properties=properties(txn, *also),
        post_commithook_properties=HOOKS,
    )
    return Commit(name, handle.version(), rows.num_rows)


def note(handle: DeltaTable, name: str, txn: Txn) -> Commit:
    """Record once that a write had no rows, so that it is not made again."""
    if is_committed(handle, txn):
        return Commit(name, handle.version(), 0, "already committed")
    _commit(handle, [], "append", txn)
    return Commit(name, handle.version(), 0)


def upsert(handle: DeltaTable, name: str, rows: pa.Table, keys: Sequence[str], txn: Txn) -> Commit:
    """Replace or insert `rows` by key once; rows whose column `removed` is true are removed.

    Args:
        handle: The table, at the version that was read.
        name: The table's name, for the result.
        rows: Absolute rows, one a key; the column `removed` is optional.
        keys: Key columns, never null.
        txn: Identity of the write.
    """
    if is_committed(handle, txn):
        return Commit(name, handle.version(), 0, "already committed")
    if rows.num_rows == 0:
        return Commit(name, handle.version(), 0, "no rows")
    columns = {column: f"s.`{column}`" for column in rows.column_names if column != REMOVED}
    predicate = " AND ".join(f"t.`{key}` = s.`{key}`" for key in keys)
    merge = handle.merge(
        rows,
        predicate,
        source_alias="s",
        target_alias="t",
        commit_properties=properties(txn),
        post_commithook_properties=HOOKS,
    )
    if REMOVED in rows.column_names:
        merge = (
            merge.when_matched_delete("s.removed")
            .when_matched_update(columns)
            .when_not_matched_insert(columns, "NOT s.removed")
        )
    else:
        merge = merge.when_matched_update(columns).when_not_matched_insert(columns)
    merge.execute()
    return Commit(name, handle.version(), rows.num_rows)


def replace(handle: DeltaTable, name: str, rows: pa.Table, changed: pa.Table, txn: Txn) -> Commit:
    """Make `rows` all rows of the table, once: an upsert by somebody who holds the others anyway.

    It writes one file and reads none, which a merge of a few rows into many cannot.

    Args:
        handle: The table, at the version that was read; not partitioned.
        name: The table's name, for the result.
        rows: All rows of the table afterwards.
        changed: Those of them that are new or different, which have to keep the table's constraints.
        txn: Identity of the write.

    Raises:
        LakeError: A row breaks a constraint; nothing is written.
    """
    if is_committed(handle, txn):
        return Commit(name, handle.version(), 0, "already committed")
    _require_constraints(handle, name, changed)
    files = [_written(handle, name, rows)] if rows.num_rows else []
    _commit(handle, files, "overwrite", txn)
    return Commit(name, handle.version(), rows.num_rows)


def _commit(handle: DeltaTable, files: Sequence[AddAction], mode: str, txn: Txn) -> None:
    handle.create_write_transaction(
        list(files),
        mode,
        handle.schema(),
        commit_properties=properties(txn),
        post_commithook_properties=HOOKS,
    )
    handle.update_incremental()  # other writes leave the handle at their own version, this one does not


def _require_constraints(handle: DeltaTable, name: str, rows: pa.Table) -> None:
    found = handle.metadata().configuration
    checks = {k.removeprefix(CONSTRAINT): v for k, v in found.items() if k.startswith(CONSTRAINT)}
    if not checks or not rows.num_rows:
        return
    broken = ", ".join(
        f"count(*) FILTER (WHERE NOT ({check})) AS {_quoted(constraint)}"
        for constraint, check in checks.items()
    )
    text = f"SELECT {broken} FROM rows"  # noqa: S608 - constraints of the table, which Delta lets nobody ignore
    counts = _engine.statements.native(text, rows=rows).to_pylist()[0]
    for constraint, count in counts.items():
        if count:
            raise LakeError(
                f"{count} rows of {name} break its constraint {constraint}: {checks[constraint]}",
                hint="this is a fault of the job that computed them",
            )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _written(handle: DeltaTable, name: str, rows: pa.Table) -> AddAction:
    file = Path(handle.table_uri.removeprefix("file://")) / f"part-{uuid.uuid4()}.snappy.parquet"
    pq.write_table(rows, file, use_dictionary=False)
    keys = CATALOG.tables[name].key
    bounds = {key: pc.min_max(rows[key]).as_py() for key in keys}
    stats = {
        "numRecords": rows.num_rows,
        "minValues": {key: found["min"] for key, found in bounds.items()},
        "maxValues": {key: found["max"] for key, found in bounds.items()},
        "nullCount": dict.fromkeys(keys, 0),
    }
    return AddAction(
        file.name,
        file.stat().st_size,
        {},
        time.time_ns() // 1_000_000,
        data_change=True,
        stats=orjson.dumps(stats, default=str).decode(),
    )


def properties(*txns: Txn) -> CommitProperties:
    """Commit properties that carry the identities of a write."""
    return CommitProperties(app_transactions=[Transaction(t.app_id, t.version) for t in txns])
