"""Tables inside a dataset's folder: edits of a session, staged rows, cells that changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.form.commits import HOOKS, Commit, Txns, Write, identities
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import Conflict, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import reading
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.sources import Rows
from lakeshelf.lake.upkeep.alone import rewriting
from lakeshelf.lake.upkeep.optimizing import SMALL_BYTES
from lakeshelf.lake.write import writing
from lakeshelf.logs import log

FILES = 25
"""Commits after which the small files of a log become one: who reads it opens each."""
TIME = pa.timestamp("us", tz="UTC")
CELLS = pa.schema(
    [
        ("version", pa.int64()),
        ("row_id", pa.string()),
        ("column", pa.string()),
        ("op", pa.string()),
        ("old_value", pa.string()),
        ("new_value", pa.string()),
        ("kind", pa.string()),
        ("change_request", pa.int64()),
        ("actor", pa.string()),
        ("approvers", pa.list_(pa.string())),
        ("committed_at", TIME),
        ("reason", pa.string()),
    ]
)
"""Every cell that ever changed; `change_request` is null where none stands behind it."""


@dataclass(frozen=True)
class Log:
    """A table inside a dataset's folder; it is made by its first rows.

    Attributes:
        root: Root of the lake.
        path: Its path below the root.
        schema: Its columns.
    """

    root: Root
    path: str
    schema: pa.Schema

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        with explained(f"{self.path} cannot be looked for"):
            return DeltaTable.is_deltatable(self.root.of(self.path), self.root.options)

    @property
    def version(self) -> int | None:
        """Its newest version; None: it is not there."""
        return int(self._newest.version()) if self.exists else None

    def append(self, rows: pa.Table, txn: Txns | None = None) -> Commit:
        """Add rows, once where they have an identity; every so often the small files of a log become one."""
        made = writing.append(self._made, self.path, rows, Write(identities(txn)))
        if made.version and made.version % FILES == 0:
            self._merge_files()
        return made

    def replace(self, rows: Rows, where: Where) -> Commit:
        """Make rows the only rows that meet conditions."""
        return writing.replace(self._made, self.path, rows, Write(), where)

    def rows(self, columns: Sequence[str] | None = None, where: Where | None = None) -> pa.Table:
        """Its rows, in no order; none where it is not there. Columns that a newer version added are left out."""
        chosen = self.schema.names if columns is None else list(columns)
        if not self.exists:
            return self.schema.empty_table().select(chosen)
        return reading.rows(self._newest, self.path, chosen, where)

    def remove(self) -> None:
        """Take it away; nothing where nothing is."""
        storage.remove(self.root, self.path)

    def _merge_files(self) -> None:
        """Tried, and no more: the rows are in the log, so what goes wrong here is no fault of their addition."""
        try:
            what = f"files of {self.path} were not merged"
            with explained(what, LakeError), rewriting(self._made, self.path):
                self._made.optimize.compact(
                    target_size=SMALL_BYTES,
                    max_concurrent_tasks=1,
                    post_commithook_properties=HOOKS,
                )
        except Conflict:
            return  # somebody else does it
        except LakeError as error:
            log.warning("log not merged", table=self.path, error=str(error))

    @property
    def _newest(self) -> DeltaTable:
        handle = self._made
        with explained(f"{self.path} cannot be read"):
            handle.update_incremental()
        return handle

    @cached_property
    def _made(self) -> DeltaTable:
        if self.exists:
            with explained(f"{self.path} cannot be read"):
                return DeltaTable(self.root.of(self.path), storage_options=self.root.options)
        with explained(f"{self.path} was not created"):
            return DeltaTable.create(
                self.root.of(self.path),
                schema=self.schema,
                mode="ignore",
                configuration={"delta.checkpointInterval": str(FILES)},
                storage_options=self.root.options,
            )


@dataclass(frozen=True)
class ReadLog:
    """A log with its rows, so that who comes again need not read them again.

    Attributes:
        log: The log.
        version: Version of the log that has these rows; None: it was not there.
        rows: The rows, in no order.
    """

    log: Log
    version: int | None
    rows: pa.Table

    @classmethod
    def of(cls, log: Log) -> ReadLog:
        """A log of which nothing was read."""
        return cls(log, None, log.schema.empty_table())

    @property
    def nbytes(self) -> int:
        """Bytes of the rows."""
        return int(self.rows.nbytes)

    def newest(self) -> ReadLog:
        """The log as it is now; it is read only if somebody else wrote to it."""
        version = self.log.version  # before the rows, which may be newer and are then read again
        return self if version == self.version else ReadLog(self.log, version, self.log.rows())

    def appended(self, rows: pa.Table) -> ReadLog:
        """Add rows; the log with them, or as it was where others wrote meanwhile."""
        made = self.log.append(rows)
        if made.version != (self.version or 0) + 1:
            return self
        return ReadLog(self.log, made.version, pa.concat_tables([self.rows, rows]))
