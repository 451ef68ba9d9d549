"""Writes of rows to an open table: append, overwrite, replace a slice. Each is one commit or none.

Names and types are compared before a file is written, and an identity is looked up on the handle that writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Literal, TypeVar

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.transaction import AddAction

from lakeshelf.errors import LakeError
from lakeshelf.lake.form import features, owners, partitions
from lakeshelf.lake.form.commits import HOOKS, Commit, Write
from lakeshelf.lake.form.schemas import SchemaMode, fitting
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import Conflict, LeaseLost, PredicateError, explained
from lakeshelf.lake.rows import traits
from lakeshelf.lake.rows.conditions import Where, columns_of
from lakeshelf.lake.rows.predicates import to_sql
from lakeshelf.lake.rows.reading import schema_of
from lakeshelf.lake.rows.sources import CountedBatches, Rows, Source
from lakeshelf.lake.write import int96, staging
from lakeshelf.telemetry import metrics

Result = TypeVar("Result")
Mode = Literal["append", "overwrite"]
Made = TypeVar("Made")
ATTEMPTS = 12
"""Times that a write is made that conflicts with others; a merge starves beside busy appenders."""
LONGEST_PAUSE_S = 1.0


def append(
    handle: DeltaTable, name: str, rows: Rows, write: Write, mode: SchemaMode | None = None
) -> Commit:
    """Append rows; no rows are no commit."""
    source = Source.of(rows, schema_of(handle))
    attempt = partial(_write, handle, name, source, write, "append", mode)
    return committed(handle, name, "append", write, attempt)


def overwrite(
    handle: DeltaTable, name: str, rows: Rows, write: Write, mode: SchemaMode | None = None
) -> Commit:
    """Make rows the only rows of the table."""
    source = Source.of(rows, schema_of(handle))
    attempt = partial(_write, handle, name, source, write, "overwrite", mode)
    return committed(handle, name, "overwrite", write, attempt)


def replace(handle: DeltaTable, name: str, rows: Rows, write: Write, where: Where) -> Commit:
    """Make rows the only rows of a slice; no rows delete it.

    Raises:
        KeyViolation: A row lies outside the slice; nothing is written.
        PredicateError: There are no conditions, or one is on a column of floats: statistics leave NaN out, so
            delta-rs would take rows for rows of the slice that are not.
    """
    schema = schema_of(handle)
    if not where:
        raise PredicateError(
            "`replace` has no conditions", hint=f"`overwrite` {name} to replace all of its rows"
        )
    require_exact(schema, columns_of(where, schema), "a slice")
    source, predicate = Source.of(rows, schema), to_sql(where, schema)
    attempt = partial(_write, handle, name, source, write, "overwrite", None, predicate)
    return committed(handle, name, "replace", write, attempt)


def require_exact(schema: pa.Schema, columns: Iterable[str], what: str) -> None:
    """Raise `PredicateError` for columns of floats, which choose no rows to be replaced."""
    for column in columns:
        if column in schema.names and pa.types.is_floating(schema.field(column).type):
            raise PredicateError(
                f"{what} cannot be chosen by {column}, which is {schema.field(column).type}",
                hint="choose it by a key, a number without fractions, a text or a time",
            )


def note(handle: DeltaTable, name: str, write: Write) -> Commit:
    """Record once that a write had no rows, so that it is not made again."""
    if write.is_done(handle):
        return write.skipped(name, "note")
    with explained(f"nothing was noted in {name}", LakeError):
        commit_files(handle, [], "append", write)
    return Commit(name, handle.version(), "note", 0, write.metadata)


def commit_files(handle: DeltaTable, files: Sequence[AddAction], mode: Mode, write: Write) -> None:
    """Commit files that are written already; errors as for `owners.require`."""
    owners.require(handle, storage.name_of(handle), write.writer)
    handle.create_write_transaction(
        list(files),
        mode,
        handle.schema(),
        commit_properties=write.properties(replaces_all=mode == "overwrite"),
        post_commithook_properties=HOOKS,
    )
    handle.update_incremental()  # other writes leave the handle at their own version, this one does not


def committed(
    handle: DeltaTable, name: str, operation: str, write: Write, attempt: Callable[[], Commit]
) -> Commit:
    """Make a write, unless it stands in the table: after the version that it expects, or after the newest.

    Args:
        handle: The table.
        name: The dataset.
        operation: What is done.
        write: Identities and what is expected.
        attempt: Makes the write on the handle; raises `Conflict` when others were quicker.

    Raises:
        Conflict: The table is at another version than is expected; nothing is tried again. Or, where none is
            expected, others got in the way each time.
    """

    def once() -> Commit:
        owners.require(handle, name, write.writer)
        if write.is_done(handle):
            return write.skipped(name, operation)
        return (
            attempt() if write.expected is None else _after(write.expected, handle, name, attempt)
        )

    return repeated(handle, once) if write.expected is None else once()


def _after(expected: int, handle: DeltaTable, name: str, attempt: Callable[[], Commit]) -> Commit:
    """Make a write on the version that is expected; one that changes nothing is told of that version alone."""
    _require_version(handle, name, expected, expected)
    made = attempt()
    if made.version is None:
        stood = int(handle.version())
        handle.update_incremental()
        _require_version(handle, name, stood, expected)
    return made


def _require_version(handle: DeltaTable, name: str, version: int, expected: int) -> None:
    if handle.version() != version:
        raise Conflict(
            f"{name} is at version {handle.version()}, expected was {expected}",
            hint="read it again, and repeat the change on what it is now",
        )


def repeated(handle: DeltaTable, attempt: Callable[[], Made], attempts: int = ATTEMPTS) -> Made:
    """Make a write again, from the newest version, while others get in its way.

    Args:
        handle: The table, which is brought to its newest version before each repetition.
        attempt: Makes the write; raises `Conflict` when others were quicker.
        attempts: Times that it is made at most.

    Raises:
        Conflict: They did so each time.
        LeaseLost: Another driver has taken over; it is not made again.
    """
    try:
        return attempt()
    except LeaseLost:
        raise
    except Conflict:
        _overtaken(handle)
    from tenacity import (  # noqa: PLC0415 - slow to import, and most writes meet nobody
        Retrying,
        retry_if_exception_type,
        retry_if_not_exception_type,
        stop_after_attempt,
        wait_random_exponential,
    )

    retrying = Retrying(
        retry=retry_if_exception_type(Conflict) & retry_if_not_exception_type(LeaseLost),
        stop=stop_after_attempt(attempts - 1),
        wait=wait_random_exponential(multiplier=0.02, max=LONGEST_PAUSE_S),
        before_sleep=lambda _: _overtaken(handle),
        reraise=True,
    )
    return retrying(attempt)


def _overtaken(handle: DeltaTable) -> None:
    """Go on from the version of whoever was quicker."""
    metrics.COMMIT_CONFLICTS.add(table=storage.name_of(handle))
    handle.update_incremental()


def _write(
    handle: DeltaTable,
    name: str,
    source: Source,
    write: Write,
    operation: Mode,
    mode: SchemaMode | None,
    predicate: str | None = None,
) -> Commit:
    operation_name = operation if predicate is None else "replace"
    if operation == "overwrite":
        features.require_changeable(handle, name)
        features.require_removable(handle, name)
    if predicate is not None:
        int96.rewrite(handle, name, write.expected)
        traits.require_copyable(handle, name)
    schema = fitting(name, source.schema, schema_of(handle), mode)
    if mode is not None:
        features.refuse_naive_times(name, schema, features.in_force(handle))
    partition_by = handle.metadata().partition_columns
    if mode is not None:
        partitions.require_columns(name, schema, partition_by)
    staged = staging.columns(handle, schema) if predicate is None and mode is None else []
    rows = CountedBatches(
        source.reader(), schema, name, [c for c in partition_by if c not in staged]
    )
    if rows.is_empty and operation == "append":
        return write.skipped(name, operation_name, "no rows")
    with rows.blamed(), explained(f"{name} was not written", LakeError):
        if staged and not rows.is_empty:
            version = _staged(handle, rows, operation, write)
            return Commit(name, version, operation_name, rows.rows, write.metadata)
        write_deltalake(
            handle,
            rows.reader(),
            mode=operation,  # type: ignore[arg-type] # its overloads know each mode alone
            predicate=predicate,
            schema_mode=mode,
            commit_properties=write.properties(
                schema, replaces_all=operation == "overwrite" and predicate is None
            ),
            post_commithook_properties=HOOKS,
        )
    return Commit(name, handle.version(), operation_name, rows.rows, write.metadata)


def _staged(handle: DeltaTable, rows: CountedBatches, operation: Mode, write: Write) -> int:
    before = int(handle.version())
    staged = staging.staged(handle, rows.reader())
    commit_files(handle, staged.files, operation, write)
    return staged.version(handle, before)
