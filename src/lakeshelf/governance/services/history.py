"""Who changed what, when and why: history, blame and differences, and the ways back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from lakeshelf.governance.domain.keys import key_of, same_key
from lakeshelf.governance.domain.permissions import RequestSubject
from lakeshelf.governance.domain.requests.inverse import difference, reverted
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import NamedSnapshot
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes import merging
from lakeshelf.governance.services.changes.desks import keys_of
from lakeshelf.governance.services.changes.proposals import AT_ONCE, REVERT
from lakeshelf.governance.services.changes.requests import drafted, submit
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.storage.logs import CELLS, Log
from lakeshelf.governance.storage.main import MainTable, OpenedTable
from lakeshelf.lake.place.errors import Vacuumed, VersionNotFound
from lakeshelf.lake.rows.conditions import Where


@dataclass(frozen=True)
class CellChange:
    """A cell that changed.

    Attributes:
        version: Version of the table that has it.
        row_id: The row.
        column: The cell.
        op: `set`, `insert` or `delete` of its row.
        old_value: JSON text before; None: there was no row.
        new_value: JSON text after; None: there is no row.
        kind: Kind of the change request, or `adopt`.
        change_request: Its number; None: none stands behind it.
        actor: Who submitted it.
        approvers: Who approved it.
        committed_at: When.
        reason: Its title.
    """

    version: int
    row_id: str
    column: str
    op: str
    old_value: str | None
    new_value: str | None
    kind: str
    change_request: int | None
    actor: str
    approvers: tuple[str, ...]
    committed_at: datetime | None
    reason: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> CellChange:
        """The change of a row of the history."""
        return cls(**{**row, "approvers": tuple(row["approvers"] or ())})


def changes(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    *,
    row_id: str | None = None,
    column: str | None = None,
    request: int | None = None,
    offset: int = 0,
    limit: int = 200,
) -> tuple[list[CellChange], int]:
    """Cells that changed, the latest first, and how many there are.

    Raises:
        GovernanceError: `not_found`, `key_invalid`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        definition = tx.datasets.definition(project, dataset)
    row_id = None if row_id is None else same_key(definition, row_id)
    criteria = {"row_id": row_id, "column": column, "change_request": request}
    where: Where = [(name, "=", value) for name, value in criteria.items() if value is not None]
    rows = _cells(context, project, dataset).rows(where=where)
    latest = rows.sort_by(
        [("version", "descending"), ("row_id", "ascending"), ("column", "ascending")]
    )
    return [CellChange.of(row) for row in latest.slice(offset, limit).to_pylist()], rows.num_rows


def blame(
    context: Context, caller: Caller, project: str, dataset: str, row_id: str
) -> dict[str, CellChange | None]:
    """Who wrote each cell of a row that people decide on: column → the change; None: it was adopted, not reviewed.

    Raises:
        GovernanceError: `not_found`, `key_invalid`, `row_not_found`: there is no such row.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        table = table_of(context, tx, project, dataset)
    key = key_of(table.definition, row_id)
    schema = pa.schema([table.definition.schema.field(name) for name in key])
    if not table.opened().rows(pa.Table.from_pylist([key], schema)).num_rows:
        raise refused("row_not_found", f"{dataset} has no row {row_id!r}", row_id=row_id)
    listed, _ = changes(context, caller, project, dataset, row_id=row_id, limit=2**31 - 1)
    latest: dict[str, CellChange | None] = {c.name: None for c in table.definition.content}
    for one in reversed(listed):
        latest[one.column] = one
    return latest


def diff(
    context: Context, caller: Caller, project: str, dataset: str, before: int, after: int
) -> pa.Table:
    """What turns one version of a dataset into another, as staged rows.

    Raises:
        GovernanceError: `not_found`; `gone`: rows of a version are no longer kept.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        table = table_of(context, tx, project, dataset)
    earlier, later = (_rows(_at(table, version)) for version in (before, after))
    return difference(table.definition, earlier, later)


def revert(
    context: Context, caller: Caller, project: str, number: int, *, title: str = ""
) -> ChangeRequest:
    """A change request that takes back what another one did; it is reviewed like any other.

    Raises:
        GovernanceError: `not_found`, `forbidden`; `transition_refused`: that one was not merged; `nothing_changed`, …
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
        request = tx.requests.get(project, number)
        if request.merged_version is None:
            raise refused(
                "transition_refused",
                f"CR {number} is {request.status}, so there is nothing to take back",
                hint="withdraw it",
            )
        table = table_of(context, tx, project, request.dataset)
    opened = table.opened()
    own: Where = [("change_request", "=", number), ("version", "=", request.merged_version)]
    cells = _cells(context, project, request.dataset).rows(
        ["row_id", "column", "old_value", "new_value"], own
    )
    named = cells.rename_columns(["row_id", "column", "old", "new"])
    keys = keys_of(table.definition, named["row_id"].unique().to_pylist())
    staged = reverted(table.definition, named, opened.rows(keys))
    return _proposed(
        context,
        caller,
        table,
        REVERT,
        staged,
        opened,
        title or f"Revert CR {number}: {request.title}",
        {"request": number},
    )


def restore(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    version: int | str,
    *,
    title: str = "",
    at_once: str | None = None,
) -> ChangeRequest:
    """A change request that makes the rows of a version, or of a named snapshot, those of the dataset again.

    Args:
        context: What it stands on.
        caller: Who proposes it.
        project: The project.
        dataset: The dataset.
        version: The version, or the name of the snapshot.
        title: Of the change request; empty: what is restored.
        at_once: Why an owner merges it without a review (`restore_at_once`); None: it is reviewed.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `gone`, `nothing_changed`, …
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
        table = table_of(context, tx, project, dataset)
        then = (
            _rows(_at(table, version))
            if isinstance(version, int)
            else snapshot_rows(context, tx, project, dataset, version)
        )
    opened = table.opened()
    staged = difference(table.definition, _rows(opened), then)
    origin = {"version": version} | ({} if at_once is None else {AT_ONCE: at_once})
    words = title or f"Restore {dataset} as of {version}"
    return _proposed(context, caller, table, "restore", staged, opened, words, origin)


def restore_at_once(
    context: Context, caller: Caller, project: str, dataset: str, version: int | str, reason: str
) -> ChangeRequest:
    """Restore without a review, as an owner whom the policy lets; it is validated, and audited with the reason.

    Where it fails after it was proposed, the change request is there to be reviewed like any other.

    Raises:
        GovernanceError: `not_found`; `forbidden`: no owner, or the policy does not let owners; `comment_required`: no
            reason; `gone`, `nothing_changed`, `violations`, `dataset_busy`, `validator_unavailable`, …
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        policy = tx.datasets.definition(project, dataset).policy
        about = RequestSubject(restore_by_owner=policy.restore_by_owner)
        require_right(tx, caller, project, "restore_at_once", about)
    if not reason.strip():
        raise refused("comment_required", "there is no reason", hint="say why it cannot wait")
    request = restore(context, caller, project, dataset, version, at_once=reason)
    return merging.restore_at_once(context, caller, request)


def keep_snapshot(
    context: Context, caller: Caller, project: str, dataset: str, name: str, reason: str
) -> NamedSnapshot:
    """Keep the rows of a dataset as they are, under a name, whatever is vacuumed later.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `name_invalid`, `exists`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
        table = table_of(context, tx, project, dataset)
        if name in {one.name for one in tx.datasets.snapshots(project, dataset)}:
            raise refused("exists", f"{dataset} has a snapshot {name}", hint="choose another name")
    opened = table.opened()
    log = Log(context.root, table.folder.snapshot(name), table.definition.schema)
    log.remove()
    rows = _rows(opened)
    log.append(rows)
    now = context.clock()
    with context.metadata.transaction() as tx:
        kept = tx.datasets.keep_snapshot(
            NamedSnapshot(
                project,
                dataset,
                name,
                opened.version,
                table.definition.version,
                rows.num_rows,
                reason,
                caller.user,
                now,
            )
        )
        details = {"name": name, "version": opened.version}
        record(tx, caller, "snapshot.kept", now, project=project, dataset=dataset, details=details)
    return kept


def snapshot_rows(
    context: Context, tx: Transaction, project: str, dataset: str, name: str
) -> pa.Table:
    """Rows of a named snapshot.

    Raises:
        GovernanceError: `not_found`.
    """
    tx.datasets.snapshot(project, dataset, name)
    definition = tx.datasets.definition(project, dataset)
    folder = context.folder(project, dataset)
    return Log(context.root, folder.snapshot(name), definition.schema).rows()


def version_of(table: MainTable, version: int) -> pa.RecordBatchReader:
    """Rows of a version as a stream.

    Raises:
        GovernanceError: `not_found`; `gone`: they are no longer kept.
    """
    opened = _at(table, version)
    with _kept(opened):
        return opened.reader()


def _proposed(
    context: Context,
    caller: Caller,
    table: MainTable,
    kind: str,
    staged: pa.Table,
    opened: OpenedTable,
    title: str,
    origin: Mapping[str, Any],
) -> ChangeRequest:
    if not staged.num_rows:
        raise refused("nothing_changed", f"{title}: nothing would change")
    folder = table.folder
    with drafted(
        context,
        caller,
        folder.project,
        folder.dataset,
        kind,
        title=title,
        description="",
        base_version=opened.version,
        origin=origin,
    ) as number:
        return submit(context, caller, folder.project, number, staged, opened.version)


def _at(table: MainTable, version: int) -> OpenedTable:
    try:
        return table.opened(version)
    except VersionNotFound as error:
        raise refused("not_found", error.message, hint=error.hint, version=version) from error


def _rows(opened: OpenedTable) -> pa.Table:
    with _kept(opened):
        return opened.reader().read_all()


@contextmanager
def _kept(opened: OpenedTable) -> Iterator[None]:
    try:
        yield
    except Vacuumed as error:
        raise refused(
            "gone",
            f"rows of version {opened.version} are no longer kept",
            hint="restore a named snapshot",
            version=opened.version,
        ) from error


def _cells(context: Context, project: str, dataset: str) -> Log:
    return Log(context.root, context.folder(project, dataset).cells, CELLS)
