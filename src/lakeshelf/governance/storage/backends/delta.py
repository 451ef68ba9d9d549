"""Tables of a lake as a `StorageBackend`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.storage.backends import port
from lakeshelf.governance.storage.backends.keys import require_keys
from lakeshelf.governance.storage.backends.port import TableStats, TableVersion
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Commit
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.diff import CHANGE_TYPE, DELETE, INSERT
from lakeshelf.lake.rows.reading import count
from lakeshelf.lake.rows.snapshot import Entry

FEW_KEYS = 1_000
"""Keys up to which files are chosen by them."""
_CHANGE = "change"
"""Entry of a commit that says what made it."""


class DeltaBackend:
    """The tables of a lake; `lakeshelf.governance.storage.backends.port.StorageBackend` says what it does.

    Args:
        lake: The lake.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def create(self, name: str, schema: pa.Schema, key: Sequence[str] = ()) -> int:
        """Make a table without rows."""
        port.require_storable(name, schema, key)
        self._lake.create(name, schema, key=tuple(key))
        return self._version(name)

    def append_rows(self, name: str, rows: pa.Table, *, expected: int | None = None) -> int:
        """Add rows."""
        fitted = port.whole(name, rows, self._schema(name))
        made = self._lake.append(name, fitted, expected=expected, metadata={_CHANGE: port.APPEND})
        return self._made(name, made)

    def overwrite(self, name: str, rows: pa.Table, *, expected: int | None = None) -> int:
        """Make rows the only rows."""
        fitted = port.whole(name, rows, self._schema(name))
        metadata = {_CHANGE: port.OVERWRITE}
        return self._made(
            name, self._lake.overwrite(name, fitted, expected=expected, metadata=metadata)
        )

    def merge(
        self,
        name: str,
        rows: pa.Table,
        *,
        deleted: pa.Table | None = None,
        expected: int | None = None,
    ) -> int:
        """Insert, change and take away rows by their keys."""
        schema, key = self._schema(name), self._lake.dataset(name).key
        fitted = port.whole(name, rows, schema)
        gone = self._present(name, require_keys(name, schema, key, fitted, deleted))
        kinds = pa.array([INSERT] * len(fitted) + [DELETE] * len(gone), pa.string())
        nullable = pa.schema([field.with_nullable(True) for field in schema])
        whole = [gone[f.name] if f.name in key else pa.nulls(len(gone), f.type) for f in nullable]
        changes = pa.concat_tables([fitted.cast(nullable), pa.table(whole, schema=nullable)])
        made = self._lake.merge(
            name,
            changes.append_column(CHANGE_TYPE, kinds),
            key,
            expected=expected,
            metadata={_CHANGE: port.MERGE},
        )
        return self._made(name, made)

    def restore(self, name: str, version: int) -> int:
        """Make the rows of an earlier version the newest."""
        made = self._lake.restore(name, version, metadata={_CHANGE: port.RESTORE})
        return self._made(name, made)

    def history(self, name: str) -> list[TableVersion]:
        """Its versions, the newest first."""
        entries = self._lake.history(name)
        return [TableVersion(one.version, _operation(one), one.committed_at) for one in entries]

    def query(
        self,
        name: str,
        *,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        version: int | None = None,
    ) -> pa.RecordBatchReader:
        """Rows that meet conditions."""
        return self._lake.snapshot(name, version).scan(columns, where)

    def stats(self, name: str) -> TableStats:
        """How large it is."""
        snapshot = self._lake.snapshot(name)
        sizes = pa.table(snapshot.handle.get_add_actions(flatten=True))["size_bytes"]
        return TableStats(
            snapshot.version, count(snapshot.handle, name), int(pc.sum(sizes).as_py() or 0)
        )

    def optimize(self, name: str) -> None:
        """Merge its small files."""
        self._lake.optimize(name)

    def z_order(self, name: str, columns: Sequence[str]) -> None:
        """Put its rows in z-order."""
        port.require_columns(name, self._schema(name), columns)
        self._lake.optimize(name, columns=columns)

    def vacuum(self, name: str, keep: timedelta) -> None:
        """Delete files that only older versions need."""
        self._lake.vacuum(name, retention=keep)

    def _present(self, name: str, keys: pa.Table) -> pa.Table:
        """Those of some keys that are there: delta-rs asks also of a row that it does not insert that it be whole."""
        if not len(keys):
            return keys
        first = keys.column_names[0]
        few = len(keys) <= FEW_KEYS
        where = [(first, "in", keys[first].to_pylist())] if few else None
        held = self._lake.snapshot(name).scan(keys.column_names, where).read_all()
        return keys.join(held, keys.column_names, join_type="left semi")

    def _schema(self, name: str) -> pa.Schema:
        return self._lake.snapshot(name).schema

    def _version(self, name: str) -> int:
        return self._lake.snapshot(name).version

    def _made(self, name: str, commit: Commit) -> int:
        return self._version(name) if commit.version is None else commit.version


def _operation(entry: Entry) -> str:
    made_by = entry.metadata.get(_CHANGE)
    if made_by in port.CHANGES:
        return str(made_by)
    return port.CREATE if entry.operation == "CREATE TABLE" else port.UPKEEP
