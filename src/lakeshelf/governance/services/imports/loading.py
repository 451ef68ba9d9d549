"""From an upload to a change request: its rows against the version that they were written against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.errors import LakeshelfError
from lakeshelf.governance.domain.definition import ROW_ID, Definition
from lakeshelf.governance.domain.editing.files import Mode
from lakeshelf.governance.domain.editing.importing import imported, repeated
from lakeshelf.governance.domain.findings import Point
from lakeshelf.governance.domain.keys import row_ids
from lakeshelf.governance.domain.values import whole
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.metadata.tables.work import Upload
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes import proposals, requests
from lakeshelf.governance.services.changes.requests import StagedJudgement
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.services.imports.broken import log, of_keys, violations
from lakeshelf.governance.services.imports.forgetting import UPLOAD
from lakeshelf.governance.services.imports.reading import FileContent, read
from lakeshelf.governance.services.imports.uploading import RECEIVED, content_of
from lakeshelf.governance.services.memory import give_back
from lakeshelf.governance.services.refusals import governed
from lakeshelf.governance.storage.main import MainTable, OpenedTable
from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect
from lakeshelf.lake.place.errors import Vacuumed, VersionNotFound

READING, SUBMITTED, REFUSED_, UNCHANGED, FAILED = (
    "reading",
    "submitted",
    "refused",
    "unchanged",
    "failed",
)
_FAULTS = ("upload_invalid", "body_too_large", "deletes_not_allowed", "gone")
"""Codes of refusals that the same file gets again."""
LARGE = 10_000_000
"""Bytes of a file from which on its rows need the room that grids hold."""
_BEGUN = (RECEIVED, READING)
"""States from which an upload is loaded; one whose process died is loaded again."""


@dataclass(frozen=True)
class LoadedUpload:
    """What became of an upload.

    Attributes:
        upload: The upload: `submitted`, `refused`, or `unchanged` where nothing would change.
        request: The change request; None: there is none.
    """

    upload: Upload
    request: ChangeRequest | None


def load(
    context: Context,
    caller: Caller,
    project: str,
    upload_id: str,
    *,
    title: str = "",
    description: str = "",
    dialect: Dialect = PLAIN,
    leave_out: bool = False,
    merge_when_approved: bool = False,
    dry_run: bool = False,
) -> LoadedUpload:
    """Make a change request of kind `import` of an upload; or list every cell that is refused (`refusals`).

    A file that was exported has the version of its export as base, so what others changed since stays.

    Args:
        context: What it stands on.
        caller: Who imports.
        project: The project.
        upload_id: The upload.
        title: Of the change request; empty: the name of the file.
        description: Of the change request.
        dialect: How the text of the file is written.
        leave_out: Whether the rest is taken where rows are refused; not under `replace`.
        merge_when_approved: Whether it merges by itself.
        dry_run: Only tell what it would do: counts in the report, refusals; it can be loaded after that.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `state_changed`: it was loaded; `upload_invalid`,
            `body_too_large`, `deletes_not_allowed`, `gone`, `policy_unmeetable`, `validator_unavailable`, …
    """
    desk = _begun(context, caller, project, upload_id, leave_out=leave_out)
    try:
        change = desk.change(dialect, "preview" if dry_run else "submit", leave_out=leave_out)
    except GovernanceError as error:
        desk.fail(error)
        raise
    broken, summary = change.broken, change.summary
    desk.keep(broken)
    if dry_run:
        return LoadedUpload(desk.end(RECEIVED, {**summary, "counts": desk.counts(change)}), None)
    if broken.num_rows and not leave_out:
        return LoadedUpload(desk.end(REFUSED_, summary), None)
    if not change.staged.num_rows:
        return LoadedUpload(desk.end(UNCHANGED, summary), None)
    request = desk.submitted(
        change,
        title=title or desk.upload.file_name,
        description=description,
        left_out=broken.num_rows,
        merge_when_approved=merge_when_approved,
    )
    return LoadedUpload(desk.end(SUBMITTED, {**summary, "request": request.number}), request)


def refusals(
    context: Context,
    caller: Caller,
    project: str,
    upload_id: str,
    offset: int = 0,
    limit: int = 1_000,
) -> tuple[list[dict[str, Any]], int]:
    """Cells of an upload that are refused, by line, and how many there are.

    Returns:
        `line`, `row_id`, `column`, `value`, `rule` and `message` of each.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        upload = tx.uploads.get(project, upload_id)
    rows = log(context, upload).rows()
    order = [("line", "ascending"), ("column", "ascending"), ("rule", "ascending")]
    return rows.sort_by(order).slice(offset, limit).to_pylist(), rows.num_rows


@dataclass(frozen=True)
class _Change:
    """What a file comes to.

    Attributes:
        rows: Rows that it has.
        note: What was left out of it; empty: nothing.
        staged: Its staged rows.
        broken: Cells of it that are refused.
        judgement: How the staged rows were judged; None: there are none, or not all of those that were are left.
    """

    rows: int
    note: str
    staged: pa.Table
    broken: pa.Table
    judgement: StagedJudgement | None

    @property
    def summary(self) -> dict[str, Any]:
        return {"rows": self.rows, "refused": self.broken.num_rows, "note": self.note}


@dataclass
class _Desk:
    """An upload that is loaded."""

    context: Context
    caller: Caller
    upload: Upload
    table: MainTable
    base: OpenedTable

    @property
    def definition(self) -> Definition:
        return self.table.definition

    @property
    def mode(self) -> Mode:
        return cast("Mode", self.upload.mode)

    def change(self, dialect: Dialect, point: Point, *, leave_out: bool) -> _Change:
        """What the file comes to; it and its rows are let go as soon as they are not needed."""
        if self.upload.size > LARGE:
            self.context.memory.make_room()
        file = self._read(dialect)
        count, note = file.rows.num_rows, file.note
        rows, lines, ids, broken = self._keyed(file)
        del file
        give_back()
        staged = self._against_base(rows, ids)
        del rows
        give_back()
        judgement = self._judged(staged, point) if staged.num_rows else None
        places = violations(judgement, ids, lines)
        if places.num_rows and leave_out:
            bad = pc.is_in(staged["row_id"], whole(places["row_id"]))
            staged, judgement = staged.filter(pc.invert(bad)), None
        return _Change(count, note, staged, pa.concat_tables([broken, places]), judgement)

    def _read(self, dialect: Dialect) -> FileContent:
        """The file, and the version that it was written against."""
        content = content_of(self.context, self.upload)
        name = self.table.folder.name
        file = read(self.definition, name, content, self.upload.format, dialect)
        if file.mark is not None:
            if file.mark.dataset != name:
                raise refused(
                    "upload_invalid",
                    f"the file was exported from {file.mark.dataset}, not from {name}",
                    hint="import it there",
                )
            self.base = _at(self.table, file.mark.version)
        return file

    def counts(self, change: _Change) -> dict[str, int]:
        """What its merge would do now: rows, cells and conflicts."""
        if change.judgement is not None:
            return dict(change.judgement.merged.counts)
        opened, version = self.table.opened(), self.base.version
        return dict(requests.compared(self.definition, change.staged, opened, version).counts)

    def keep(self, broken: pa.Table) -> None:
        """Keep all cells that are refused."""
        kept = log(self.context, self.upload)
        kept.remove()
        if broken.num_rows:
            kept.append(broken)

    def submitted(
        self,
        change: _Change,
        *,
        title: str,
        description: str,
        left_out: int,
        merge_when_approved: bool,
    ) -> ChangeRequest:
        """The rows as a change request under review; none is left where that is refused."""
        project, version = self.upload.project, self.base.version
        try:
            with requests.drafted(
                self.context,
                self.caller,
                project,
                self.upload.dataset,
                "import",
                title=title,
                description=description,
                base_version=version,
                origin={UPLOAD: self.upload.id, "left_out": left_out},
                merge_when_approved=merge_when_approved,
            ) as number:
                return requests.submit(
                    self.context,
                    self.caller,
                    project,
                    number,
                    change.staged,
                    version,
                    change.judgement,
                )
        except LakeshelfError as error:
            self.fail(governed(error))
            raise

    def fail(self, error: GovernanceError) -> None:
        """Say why the upload is not loaded; it can be again where the reason is no fault of the file."""
        status = FAILED if error.code in _FAULTS else RECEIVED
        self.end(status, {"problem": error.message, "code": error.code})

    def end(self, status: str, report: dict[str, Any]) -> Upload:
        """Say what became of the upload."""
        now = self.context.clock()
        project, dataset = self.upload.project, self.upload.dataset
        with self.context.metadata.transaction() as tx:
            ended = tx.uploads.advance(self.upload, status, now, report)
            details = {"upload": ended.id, **report}
            record(
                tx,
                self.caller,
                f"upload.{status}",
                now,
                project=project,
                dataset=dataset,
                details=details,
            )
        return ended

    def _keyed(self, file: FileContent) -> tuple[pa.Table, pa.Array, pa.StringArray, pa.Table]:
        """Rows whose keys can be: rows, their lines, their ids, and what is refused."""
        rows, own = self._with_keys(file)
        ids, broken = row_ids(self.definition, rows), [file.refused]
        problems = {"repeated_key": repeated(ids), **self._misplaced(rows, ids, own)}
        good = pa.repeat(True, len(ids))
        for rule, mask in problems.items():
            broken.append(of_keys(self.definition, rule, ids.filter(mask), file.lines.filter(mask)))
            good = pc.and_(good, pc.invert(mask))
        return (
            rows.filter(good),
            file.lines.filter(good),
            ids.filter(good),
            pa.concat_tables(broken),
        )

    def _with_keys(self, file: FileContent) -> tuple[pa.Table, pa.BooleanArray]:
        """Rows with keys made of upload and line where they have none; and which have their own."""
        if not self.definition.made_keys:
            return file.rows, pa.repeat(True, file.rows.num_rows)
        if self.upload.mode == "append" or ROW_ID not in file.rows.column_names:
            own = pa.nulls(file.rows.num_rows, pa.string())
        else:
            own = file.rows[ROW_ID].combine_chunks()
        made = pc.binary_join_element_wise(self.upload.id, file.lines.cast(pa.string()), "-")
        others = [name for name in file.rows.column_names if name != ROW_ID]
        keyed = file.rows.select(others).append_column(ROW_ID, pc.coalesce(own, made))
        return keyed, pc.is_valid(own)

    def _misplaced(
        self, rows: pa.Table, ids: pa.StringArray, own: pa.BooleanArray
    ) -> dict[str, pa.BooleanArray]:
        """Rows of `append` that are there already, and keys that only the server makes."""
        if self.upload.mode == "append":
            return {"present_key": pc.and_(own, self._present(rows, ids))}
        if self.definition.made_keys:
            return {"unknown_key": pc.and_(own, pc.invert(self._present(rows, ids)))}
        return {}

    def _present(self, rows: pa.Table, ids: pa.StringArray) -> pa.BooleanArray:
        base = _kept(self.base, rows.select(list(self.definition.key)))
        return pc.is_in(ids, row_ids(self.definition, base))

    def _against_base(self, rows: pa.Table, ids: pa.StringArray) -> pa.Table:
        keys = None if self.upload.mode == "replace" else rows.select(list(self.definition.key))
        return imported(self.definition, ids, rows, _kept(self.base, keys), self.mode)

    def _judged(self, staged: pa.Table, point: Point) -> StagedJudgement:
        """What the rows do to the table as it is now, and violate there."""
        with self.context.metadata.reading() as tx:
            began, opened = self.context.clock(), self.table.opened()
            merged = requests.compared(self.definition, staged, opened, self.base.version)
            give_back()
            report = proposals.judged(self.context, tx, point, self.definition, opened, merged)
        return StagedJudgement(opened, self.definition.version, merged, report, began)


def _begun(
    context: Context, caller: Caller, project: str, upload_id: str, *, leave_out: bool
) -> _Desk:
    with context.metadata.transaction() as tx:
        require_right(tx, caller, project, "import")
        seen = tx.uploads.get(project, upload_id)
        _require_loadable(seen, leave_out=leave_out)
        upload = tx.uploads.advance(seen, READING, context.clock(), {})
        table = table_of(context, tx, project, upload.dataset)
    return _Desk(context, caller, upload, table, _at(table, upload.base_version))


def _require_loadable(upload: Upload, *, leave_out: bool) -> None:
    if upload.status not in _BEGUN:
        raise refused(
            "state_changed",
            f"upload {upload.id} is {upload.status}",
            hint="upload the file again",
            status=upload.status,
        )
    if leave_out and upload.mode == "replace":
        raise refused(
            "request_invalid",
            "rows that are left out would be deleted under `replace`",
            hint="correct them, or import as `upsert`",
        )


def _at(table: MainTable, version: int) -> OpenedTable:
    try:
        return table.opened(version)
    except VersionNotFound as error:
        raise _gone(version) from error


def _kept(base: OpenedTable, keys: pa.Table | None) -> pa.Table:
    """Rows of the base: those of some keys, or all."""
    try:
        return base.reader().read_all() if keys is None else base.rows(keys)
    except Vacuumed as error:
        raise _gone(base.version) from error


def _gone(version: int) -> GovernanceError:
    return refused(
        "gone",
        f"rows of version {version}, which the file was exported from, are no longer kept",
        hint="export it again, and make the changes there",
        version=version,
    )
