"""What stands behind every write to a lake: what it goes to, who may, and what the commit says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.contracts import Catalog
from lakeshelf.lake.form import features, owners
from lakeshelf.lake.form.commits import Commit, Txns, Write, identities
from lakeshelf.lake.form.dataset import LIBRARY, Dataset, Datasets
from lakeshelf.lake.form.metadata import stamp
from lakeshelf.lake.form.schemas import SchemaMode, require_mode
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import Conflict, NotFound
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.readable import ReadableLake
from lakeshelf.lake.rows import conditions, tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.sources import Rows, Source
from lakeshelf.lake.write import merging


class WritableLake(ReadableLake):
    """A lake with somebody who writes to it; `Lake` has the words.

    Args:
        root: As for `ReadableLake`.
        catalog: As for `ReadableLake`.
        storage_options: As for `ReadableLake`.
        who: Who writes, for the history; None: the user of this process.
        why: Why, in words.
        writer: The owner whose tables this process may write; tables that a job owns have no second writer.
        clock: Gives the present time.
    """

    def __init__(
        self,
        root: Root | Path | str | None = None,
        catalog: Datasets | Catalog | None = None,
        storage_options: Mapping[str, str] | None = None,
        *,
        who: str | None = None,
        why: str = "",
        writer: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__(root, catalog, storage_options, clock=clock)
        self.stamp = stamp(who, why)
        self.writer = writer

    def create(
        self, name: str, schema: pa.Schema | None = None, *, exist_ok: bool = False, **options: Any
    ) -> Commit:
        """Create the table of a dataset, without rows.

        Args:
            name: The dataset.
            schema: Columns of a dataset that is not in the catalogue.
            exist_ok: Whether a table that is there is left as it is.
            options: `key`, `partition_by`, `profile`, `constraints`, `properties`, `doc`, `path` and `owner` of a
                dataset that is not in the catalogue. An owner other than the library stands in the table's properties,
                and is the only one who writes it.

        Raises:
            Conflict: The table is there, or others own it.
        """
        known = names.checked(name) in self.catalog
        dataset = self.catalog[name] if known else Dataset(name, schema, **options)
        self._require_writer(dataset)
        write = self._write(None, None)
        if tables.exists(self.root, name):
            owners.require(tables.open_table(self.root, name, to_read=True), name, self.writer)
            if exist_ok:
                return write.skipped(name, "create", "exists")
            raise Conflict(f"{name} exists", hint="append to it, or choose another name")
        handle = tables.create(self.root, dataset, write)
        return self._recorder.wrote(Commit(name, int(handle.version()), "create", 0))

    def _changeable(self, name: str) -> tuple[Dataset, DeltaTable]:
        """A dataset that is there, and its table, for who may write it."""
        dataset, handle = self._opened(name)
        owners.require(handle, name, self.writer)
        self._require_writer(dataset)
        features.require_writable(handle, name)
        return dataset, handle

    def _target(
        self,
        name: str,
        rows: Rows,
        keys: tuple[str, ...] = (),
        where: Where | None = None,
        *,
        merged: bool = False,
        expected: int | None = None,
    ) -> tuple[Dataset, Source, DeltaTable]:
        """What rows go to, and the rows; a table that is not there is created, unless it would be refused."""
        try:
            dataset, handle = self._opened(name)
        except NotFound:
            if expected is not None:
                raise
            dataset = self.catalog[name] if name in self.catalog else Dataset(name, key=keys)
            handle = None
        if handle is not None:
            owners.require(handle, name, self.writer)
        self._require_writer(dataset)
        source = Source.of(rows, dataset.schema)
        if handle is None:
            schema = source.schema if dataset.schema is None else dataset.schema
            schema = merging.content(schema) if merged else schema
            conditions.checked(where, schema)
            if merged:
                merging.require_columns(name, keys or dataset.key, schema)
            with suppress(Conflict):  # somebody else was first
                tables.create(self.root, replace(dataset, schema=schema), self._write(None, None))
            handle = tables.open_table(self.root, name)
        features.require_writable(handle, name)
        return dataset, source, handle

    def _write(
        self,
        txn: Txns | None,
        metadata: Mapping[str, Any] | None,
        schema_mode: SchemaMode | None = None,
        modes: Sequence[SchemaMode] = get_args(SchemaMode),
        expected: int | None = None,
    ) -> Write:
        require_mode(schema_mode, modes)
        own = {} if metadata is None else metadata
        return Write(identities(txn), self.stamp, own, expected, self.writer)

    def _require_writer(self, dataset: Dataset, way_out: str = "") -> None:
        if dataset.owner not in (LIBRARY, self.writer):
            raise Conflict(
                f"{dataset.name} is written by {dataset.owner} alone",
                hint=way_out or "send a command to its owner, or write a dataset of your own",
            )
