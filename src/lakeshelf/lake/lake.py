"""The lake: datasets by name, read at a version, written by one commit each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from lakeshelf.errors import LakeError
from lakeshelf.lake.form import features, owners
from lakeshelf.lake.form.commits import HOOKS, Commit, Txns
from lakeshelf.lake.form.schemas import ADDING, SchemaMode
from lakeshelf.lake.history import cursors
from lakeshelf.lake.history.changes import Changes, changes
from lakeshelf.lake.history.cursors import Consumer
from lakeshelf.lake.history.runs import Book
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.snapshot import At
from lakeshelf.lake.rows.sources import Rows
from lakeshelf.lake.writable import WritableLake
from lakeshelf.lake.write import changing, merging, writing

if TYPE_CHECKING:
    from lakeshelf.lake.upkeep.maintenance import Action
    from lakeshelf.lake.upkeep.requests import Done


class Lake(WritableLake):
    """Tables of a lake by the names of their datasets.

    Args:
        root: Folder, or address such as `s3://bucket/prefix`; None: the one that is configured
            (`LAKESHELF_LAKE_ROOT`, `LAKE_ROOT`, `DELTA_ROOT` or `DELTA_DATA_ROOT`).
        catalog: Datasets that are known beside the tables that are there; None: the product's own.
        storage_options: What delta-rs is given to reach an object store; never shown.
        who: Who writes, for the history; None: the user of this process.
        why: Why, in words.
        writer: The owner whose tables this process may write; a table that has an owner has no second writer.
        clock: Gives the present time.

    Raises:
        ConfigurationError: No root is given and none is configured.
    """

    def append(
        self,
        name: str,
        rows: Rows,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: SchemaMode | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Append rows in one commit; no rows are no commit.

        Args:
            name: The dataset; a table that is not there is created.
            rows: A table, reader, frame, relation or list of records, or a function that gives one of them.
            txn: Identity of the write: (application, number), or `txns` of changes. It is made once, however often
                it is tried.
            metadata: Entries of the commit; JSON values, which come back typed.
            schema_mode: `merge` adds columns that the table lacks; None: columns are the same.
            expected: The version that the table has to be at: the commit follows it, or there is none, whatever
                others committed meanwhile; None: the newest, also when others are quicker.

        Raises:
            SchemaError: Names or types do not fit; nothing is written.
            KeyViolation: A row breaks a constraint; nothing is written.
            Conflict: Others own the table, or got in the way each time; or it is not at the version expected.
        """
        write = self._write(txn, metadata, schema_mode, ADDING, expected)
        _, source, handle = self._target(name, rows, expected=expected)
        made = writing.append(handle, name, source, write, schema_mode)
        return self._recorder.wrote(cursors.noted(handle, write, made))

    def overwrite(
        self,
        name: str,
        rows: Rows,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: SchemaMode | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Make rows the only rows of a dataset, in one commit; arguments and errors as for `append`.

        `schema_mode='overwrite'` gives the table the schema of the rows.
        """
        write = self._write(txn, metadata, schema_mode, expected=expected)
        _, source, handle = self._target(name, rows, expected=expected)
        return self._recorder.wrote(writing.overwrite(handle, name, source, write, schema_mode))

    def replace(
        self,
        name: str,
        rows: Rows,
        where: Where,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Make rows the only rows of a slice, in one commit; no rows delete the slice.

        Args:
            name: The dataset.
            rows: As for `append`.
            where: Conditions that make the slice; every row meets them.
            txn: As for `append`.
            metadata: As for `append`.
            expected: As for `append`.

        Raises:
            KeyViolation: A row lies outside the slice; nothing is written.
        """
        write = self._write(txn, metadata, expected=expected)
        _, source, handle = self._target(name, rows, where=where, expected=expected)
        made = writing.replace(handle, name, source, write, where)
        return self._recorder.wrote(made, where=where)

    def merge(
        self,
        name: str,
        rows: Rows,
        keys: Sequence[str] | None = None,
        order_by: str | Sequence[str] | None = None,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        schema_mode: Literal["merge"] | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Insert rows of new keys and update rows that differ, in one commit; none when nothing changes.

        Args:
            name: The dataset; a table that is not there is created.
            rows: As for `append`; of several rows of a key the newest counts, of equally new ones the last. Columns
                that they lack keep their values, and are null in new rows.
            keys: Key columns; None: the dataset's.
            order_by: Columns that say which row is newer; one that is older than the table's changes nothing.
            txn: As for `append`.
            metadata: As for `append`.
            schema_mode: `merge` adds columns that the table lacks; None: the rows have none of their own.
            expected: As for `append`.

        Raises:
            KeyViolation: A key is null, or a new row lacks a column that may not be null.
            SchemaError: The dataset has no key, or columns do not fit.
        """
        write = self._write(txn, metadata, schema_mode, ADDING, expected)
        named = names.columns(keys or (), f"the key of {name}")
        order = names.columns(order_by or (), f"the order of {name}")
        dataset, source, handle = self._target(name, rows, named, merged=True, expected=expected)
        key_columns = named or dataset.key
        made = merging.upsert(handle, name, source, key_columns, write, order, schema_mode)
        return self._recorder.wrote(cursors.noted(handle, write, made), keys=key_columns)

    def delete(
        self,
        name: str,
        where: Where,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Delete the rows that meet conditions, in one commit; none when no row does.

        Args:
            name: The dataset.
            where: `[(column, op, value), …]`, all of which hold; one at least.
            txn: As for `append`.
            metadata: As for `append`.
            expected: As for `append`.

        Raises:
            PredicateError: There is no condition, or one that cannot choose rows to be changed.
        """
        _, handle = self._changeable(name)
        write = self._write(txn, metadata, expected=expected)
        made = cursors.noted(handle, write, changing.delete(handle, name, where, write))
        return self._recorder.wrote(made, where=where)

    def update(
        self,
        name: str,
        where: Where,
        set: Mapping[str, Any],  # noqa: A002 - as SQL says it
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Set columns of the rows that meet conditions, in one commit; none when nothing changes.

        Args:
            name: The dataset.
            where: As for `delete`.
            set: Column → the value that it gets in each of them; None: null.
            txn: As for `append`.
            metadata: As for `append`.
            expected: As for `append`.

        Raises:
            PredicateError: As for `delete`.
            SchemaError: A column is not there, or a value does not fit it.
            KeyViolation: A key would change, or a constraint be broken; nothing is written.
        """
        dataset, handle = self._changeable(name)
        write = self._write(txn, metadata, expected=expected)
        made = changing.update(handle, name, where, set, dataset.key, write)
        return self._recorder.wrote(cursors.noted(handle, write, made), where=where)

    def restore(self, name: str, at: At, *, metadata: Mapping[str, Any] | None = None) -> Commit:
        """Make the rows of an earlier version the latest, in one commit.

        Raises:
            Conflict: Others own the table: the checkpoint of a job would not fit any more.
            Vacuumed: Files of that version are gone.
        """
        dataset, then = self.dataset(name), self.snapshot(name, at)
        target, handle = then.version, tables.open_table(self.root, name)
        owners.require(handle, name, self.writer)
        self._require_writer(dataset, "`lakeshelf rebuild` computes it again from `raw`")
        if target == handle.version():
            return Commit(name, None, "restore", 0, metadata or {}, "it is the latest")
        with explained(f"{name} was not restored", LakeError):
            handle.restore(
                target,
                commit_properties=self._write(
                    cursors.as_of(self, name, then.handle), metadata
                ).properties(),
                post_commithook_properties=HOOKS,
            )
        made = Commit(name, int(handle.version()), "restore", 0, metadata or {})
        return self._recorder.wrote(made)

    def optimize(
        self,
        name: str,
        *,
        partition: Mapping[str, str] | None = None,
        columns: Sequence[str] = (),
        dry_run: bool = False,
    ) -> Done:
        """Merge the small files of a dataset, or put its rows in z-order, where it is worth it.

        A dataset that has an owner is optimized by it, or under its lease while it is down.

        Args:
            name: The dataset.
            partition: Values of partition columns, of which each partition has all; None: every partition.
            columns: Columns to z-order by.
            dry_run: Whether only to say what would be done.

        Raises:
            SchemaError: Columns that the table does not have.
            Conflict: The owner does not answer in time, or cannot be asked.
        """
        arguments = {"partition": partition, "columns": list(columns), "dry_run": dry_run}
        return self._maintain(name, "optimize", arguments)

    def vacuum(
        self,
        name: str,
        *,
        retention: timedelta | None = None,
        dry_run: bool = False,
    ) -> Done:
        """Delete files and log entries that no version within the retention, no run and no consumer needs.

        Args:
            name: The dataset.
            retention: How long replaced files are kept; None: as the table says.
            dry_run: Whether only to say what would be done.

        Raises:
            LakeError: The retention is no length of time, or shorter than the table's own.
            Conflict: The owner does not answer in time, or cannot be asked.
        """
        if retention is not None and not isinstance(retention, timedelta):
            raise LakeError(
                f"a retention of {retention!r} is no length of time",
                hint="give a timedelta, such as timedelta(days=30)",
            )
        hours = None if retention is None else retention / timedelta(hours=1)
        arguments = {"retention_hours": hours, "dry_run": dry_run}
        return self._maintain(name, "vacuum", arguments)

    def enable(self, name: str, feature: str) -> bool:
        """Turn a table feature on (`lakeshelf.lake.form.features`); whether anything had to be done.

        Raises:
            FeatureRefused: One of the engines that read and write the dataset cannot handle it.
            Conflict: Others own the table.
        """
        dataset, handle = self._opened(name)
        owners.require(handle, name, self.writer)
        self._require_writer(dataset)
        done = features.enable(handle, name, feature, features.writers_of(dataset.profile))
        if done:
            self._recorder.wrote(Commit(name, int(handle.version()), "enable", 0))
        return done

    def changes(self, name: str, consumer: Consumer, *, touched: bool = False) -> Changes:
        """Changes of a dataset since a consumer last read it (`lakeshelf.lake.history.changes`).

        With `touched` they are the keys of all that was written, changed or deleted since, whatever that nets to.
        """
        return self._recorder.changed(changes(self, name, consumer, touched=touched))

    def note(
        self,
        name: str,
        *,
        txn: Txns | None = None,
        metadata: Mapping[str, Any] | None = None,
        expected: int | None = None,
    ) -> Commit:
        """Make a commit without rows: identities, such as a cursor that moves on, or a fence that others stop at.

        Args:
            name: The dataset.
            txn: As for `append`; None: it is made each time.
            metadata: As for `append`.
            expected: As for `append`; whoever expects the same version is refused afterwards.

        Raises:
            Conflict: As for `append`.
        """
        _, handle = self._changeable(name)
        write = self._write(txn, metadata, expected=expected)
        note = partial(writing.note, handle, name, write)
        return self._recorder.wrote(writing.committed(handle, name, "note", write, note))

    def run(self, run_id: str | None = None, *, why: str = "", profile: str = "") -> Run:
        """A run: this lake, with what it reads and writes recorded and published at its end.

        Args:
            run_id: Its name; None: a new one.
            why: Why it is done, for the history.
            profile: Runtime profile; empty: that of this process.

        Raises:
            Conflict: A run of that name is published.
        """
        return Run(self, run_id, why, profile)

    def _maintain(self, name: str, action: Action, arguments: Mapping[str, Any]) -> Done:
        from lakeshelf.lake.upkeep import requests  # noqa: PLC0415 - slow to import, and seldom needed

        return requests.carry_out(self, name, action, arguments)


class Run(Lake):
    """A lake whose readings and commits are recorded, to be published together (`Lake.run`).

    What it reads twice it reads at the same version, unless it has written it meanwhile.
    """

    def __init__(self, lake: Lake, run_id: str | None, why: str = "", profile: str = "") -> None:
        super().__init__(lake.root, lake.catalog, writer=lake.writer, clock=lake.clock)
        self._recorder = self._book = Book(lake, run_id, why, profile)
        self.stamp = self._book.stamp

    @property
    def run_id(self) -> str:
        """Its name."""
        return self._book.run_id

    @property
    def started_at(self) -> datetime:
        """When it began."""
        return self._book.started_at

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if error is None:
            self._book.finish("published")
            return
        try:
            self._book.finish("failed")
        except LakeError as unwritten:
            error.add_note(f"run {self.run_id} was not recorded: {unwritten}")
