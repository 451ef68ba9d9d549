"""What stores tables with versions has to be able to do, and what all who do it check alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import pyarrow as pa

from lakeshelf.errors import first_line
from lakeshelf.lake.form.kinds import bad_name
from lakeshelf.lake.place.errors import SchemaError
from lakeshelf.lake.place.names import suggestion
from lakeshelf.lake.rows.conditions import Where

CREATE, APPEND, OVERWRITE, MERGE, RESTORE = CHANGES = (
    "create",
    "append",
    "overwrite",
    "merge",
    "restore",
)
"""What makes a version."""
UPKEEP = "upkeep"
"""What makes one, in some stores, and changes no row."""


@dataclass(frozen=True)
class TableVersion:
    """A version of a table.

    Attributes:
        version: Its number, above all before it.
        operation: What made it: one of `CHANGES`, or `UPKEEP`.
        committed_at: When.
    """

    version: int
    operation: str
    committed_at: datetime


@dataclass(frozen=True)
class TableStats:
    """How large a table is.

    Attributes:
        version: The newest version.
        rows: Rows of it.
        bytes: What they take in the store; older versions may count.
    """

    version: int
    rows: int
    bytes: int


class StorageBackend(Protocol):
    """Tables with versions, by the names of datasets (`layer/name`, `project/dataset`).

    A write makes one version or none, and returns the newest one. With `expected` it follows that version or is
    refused, whatever others did meanwhile. Rows are whole: each has all columns of the table, by name.
    Errors are those of the library.
    """

    def create(self, name: str, schema: pa.Schema, key: Sequence[str] = ()) -> int:
        """Make a table without rows.

        Raises:
            Conflict: It is there.
            SchemaError: A column that the store cannot keep.
        """
        ...

    def append_rows(self, name: str, rows: pa.Table, *, expected: int | None = None) -> int:
        """Add rows; no rows make no version.

        Raises:
            NotFound: No such table.
            SchemaError: Columns or values that do not fit.
            Conflict: The table is not at the version expected.
        """
        ...

    def overwrite(self, name: str, rows: pa.Table, *, expected: int | None = None) -> int:
        """Make rows the only rows; errors as for `append_rows`."""
        ...

    def merge(
        self,
        name: str,
        rows: pa.Table,
        *,
        deleted: pa.Table | None = None,
        expected: int | None = None,
    ) -> int:
        """Insert rows of new keys, change those that differ, take others away; no version where nothing changes.

        Args:
            name: The table, which has a key.
            rows: Rows, one of a key.
            deleted: Keys of rows that go.
            expected: The version that the table has to be at.

        Raises:
            KeyViolation: A key is null, or there twice.
            SchemaError: The table has no key; or as for `append_rows`.
            NotFound, Conflict: As for `append_rows`.
        """
        ...

    def restore(self, name: str, version: int) -> int:
        """Make the rows of an earlier version the newest.

        Raises:
            NotFound, VersionNotFound: There is no such table, or version.
            Vacuumed: Rows of that version are gone.
        """
        ...

    def history(self, name: str) -> list[TableVersion]:
        """Its versions, the newest first."""
        ...

    def query(
        self,
        name: str,
        *,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
        version: int | None = None,
    ) -> pa.RecordBatchReader:
        """Rows that meet conditions, in no order, some at a time.

        Args:
            name: The table.
            columns: Columns that are wanted; None: all.
            where: Typed conditions (`lakeshelf.lake.rows.conditions`), never SQL.
            version: The version; None: the newest.

        Raises:
            PredicateError: A condition that cannot be.
            NotFound, VersionNotFound, Vacuumed: As for `restore`.
        """
        ...

    def stats(self, name: str) -> TableStats:
        """How large it is."""
        ...

    def optimize(self, name: str) -> None:
        """Have the store put in order what many writes left; changes no row."""
        ...

    def z_order(self, name: str, columns: Sequence[str]) -> None:
        """Put rows beside each other that are alike in some columns; changes no row.

        Raises:
            SchemaError: No such column.
        """
        ...

    def vacuum(self, name: str, keep: timedelta) -> None:
        """Let go of what only versions need that were replaced longer ago; younger ones stay.

        Raises:
            LakeError: A length of time that the store refuses.
        """
        ...


def require_storable(name: str, schema: pa.Schema, key: Sequence[str]) -> None:
    """Refuse columns that no store keeps, and keys that are none.

    Raises:
        SchemaError: With the first of them.
    """
    for field in schema:
        if reason := bad_name(field):
            raise SchemaError(f"{name}: column {reason}", hint="choose another name")
    require_columns(name, schema, key)


def require_columns(name: str, schema: pa.Schema, columns: Sequence[str]) -> None:
    """Refuse columns that a table lacks.

    Raises:
        SchemaError: With the first of them.
    """
    for column in columns:
        if column not in schema.names:
            hint = suggestion(str(column), schema.names)
            raise SchemaError(f"{name} has no column {column!r}", hint=hint)


def whole(name: str, rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Rows in the columns of a table.

    Raises:
        SchemaError: A column is missing, unknown or there twice, or a value does not fit.
    """
    if sorted(rows.column_names) != sorted(schema.names):
        raise SchemaError(
            f"{name} has the columns {', '.join(schema.names)}, the rows have {', '.join(rows.column_names)}",
            hint="give each of them once",
        )
    try:
        fitted = rows.select(schema.names).cast(schema)
        fitted.validate(full=True)
    except (pa.ArrowException, ValueError) as error:
        raise SchemaError(
            f"rows do not fit {name}: {first_line(error)}", hint="nothing was written"
        ) from error
    return fitted
