"""Commits: one append or one upsert, at most once for an application id and version.

delta-rs stores application transactions without enforcing them, so a version is looked up on the
very handle that writes (storage.md, section 4).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

REMOVED = "removed"


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


def append(handle: DeltaTable, name: str, rows: pa.Table, txn: Txn) -> Commit:
    """Append `rows` once."""
    if is_committed(handle, txn):
        return Commit(name, handle.version(), 0, "already committed")
    if rows.num_rows == 0:
        return Commit(name, handle.version(), 0, "no rows")
    write_deltalake(handle, rows, mode="append", commit_properties=properties(txn))
    return Commit(name, handle.version(), rows.num_rows)


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
        rows, predicate, source_alias="s", target_alias="t", commit_properties=properties(txn)
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


def properties(txn: Txn) -> CommitProperties:
    """Commit properties that carry the identity of a write."""
    return CommitProperties(app_transactions=[Transaction(txn.app_id, txn.version)])
