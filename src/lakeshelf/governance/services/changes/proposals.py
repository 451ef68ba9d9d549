"""What a change request proposes: its staged rows, and how they stand to the canonical table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.counts import count_of
from lakeshelf.governance.domain import staged as staging
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.findings import Point, ValidationReport
from lakeshelf.governance.domain.keys import row_ids, same_key
from lakeshelf.governance.domain.requests.conflicts import Resolution
from lakeshelf.governance.domain.requests.content import content_hash
from lakeshelf.governance.domain.requests.lifecycle import ENDED
from lakeshelf.governance.domain.requests.merge import Merged, merge
from lakeshelf.governance.domain.staged import Cell
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.memory import give_back
from lakeshelf.governance.storage.logs import Log
from lakeshelf.governance.storage.main import OpenedTable
from lakeshelf.governance.validation.judging import newly_repeated, validated
from lakeshelf.lake.rows.sources import BATCH_ROWS

DEFINITION = "definition"
"""Kind of change requests that stage no rows."""
AT_ONCE = "at_once"
"""Entry of the origin of a restore that nobody reviews: why."""
REVERT = "revert"
OUTSIDE = "outside"
"""Kind of change requests that hold what others did to the table."""
REVISION, CONTENT = "revision", "content_hash"
"""Columns by which staged rows are known."""
ROW_ID_TEXT = "row_id"
CHOICES: Mapping[str, Resolution] = {
    "keep_main": "main",
    "take_staged": "staged",
    "rebase": "rebase",
}
"""What can be decided of a conflict, as people name it."""


@dataclass(frozen=True)
class Proposal:
    """The content of a change request.

    Attributes:
        request: The change request.
        definition: The definition in force.
        staged: Its staged rows.
        resolutions: How its conflicts were settled.
    """

    request: ChangeRequest
    definition: Definition
    staged: pa.Table
    resolutions: Mapping[Cell, Resolution]

    @property
    def keys(self) -> pa.Table:
        """Key columns of the staged rows."""
        return keys_of_rows(self.definition, self.staged)

    def merged(self, opened: OpenedTable, *, force: bool = False) -> Merged:
        """What its merge into a version of the table would do."""
        return merge(
            self.definition,
            self.staged,
            opened.rows(self.keys),
            moved=opened.changed_since(self.request.base_version),
            resolutions=self.resolutions,
            force=force,
        )

    def judged(
        self, context: Context, tx: Transaction, point: Point, opened: OpenedTable, merged: Merged
    ) -> ValidationReport:
        """What its merge would violate.

        Raises:
            GovernanceError: `validator_unavailable`.
        """
        if self.request.kind == OUTSIDE:
            return judged_outside(context, tx, point, self.definition, opened, self.staged)
        return judged(context, tx, point, self.definition, opened, merged)

    def recorded(self, merged: Merged) -> Merged:
        """What the history tells of its merge: main has what others did already, and it is theirs all the same."""
        if self.request.kind == OUTSIDE:
            return from_base(self.definition, self.staged)
        return merged


@dataclass(frozen=True)
class Preview:
    """What a merge would do now.

    Attributes:
        version: Version of the table that it was compared with.
        merged: What it would do, conflicts among it.
        report: What its rows violate; None where conflicts are left.
    """

    version: int
    merged: Merged
    report: ValidationReport | None


def staged_log(context: Context, request: ChangeRequest, definition: Definition) -> Log:
    """The table of the staged rows of a change request, all its revisions."""
    own = [pa.field(REVISION, pa.int64()), pa.field(CONTENT, pa.string())]
    schema = pa.schema([*staging.schema(definition), *own])
    path = context.folder(request.project, request.dataset).staging(request.number)
    return Log(context.root, path, schema)


def keep(
    context: Context,
    request: ChangeRequest,
    definition: Definition,
    staged: pa.Table,
    revision: int,
    digest: str | None = None,
) -> str:
    """Write the staged rows of a revision, in place of what a crash may have left of them; the hash of their content.

    They are known by that hash as well: whoever writes another content as the same revision, and is told afterwards
    that somebody else was first, has taken nothing away.
    """
    digest = digest or content_hash(definition, staged)
    log = staged_log(context, request, definition)
    named = partial(_named, staged, revision, digest)
    give_back()
    log.replace(named, [(REVISION, "=", revision), (CONTENT, "=", digest)])
    return digest


def _named(staged: pa.Table, revision: int, digest: str) -> pa.RecordBatchReader:
    """Staged rows with their revision and content, which are never held for all of them at once."""
    values = {REVISION: pa.scalar(revision, pa.int64()), CONTENT: pa.scalar(digest)}
    added = [pa.field(name, value.type) for name, value in values.items()]
    schema = pa.schema([*staged.schema, *added])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in staged.to_batches(BATCH_ROWS):
            same = [pa.repeat(value, batch.num_rows) for value in values.values()]
            yield pa.record_batch([*batch.columns, *same], schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def load(context: Context, tx: Transaction, request: ChangeRequest) -> Proposal:
    """The content of a change request as it was submitted.

    Raises:
        GovernanceError: `transition_refused`: nothing was submitted, or it has ended; `storage_unavailable`: the staged
            rows are not those that were submitted.
    """
    definition = tx.datasets.definition(request.project, request.dataset)
    if request.kind == DEFINITION:
        return Proposal(request, definition, staging.schema(definition).empty_table(), {})
    _require_staged(request)
    settled = tx.requests.resolutions(request.project, request.number)
    log = staged_log(context, request, definition)
    own = [(REVISION, "=", request.revision), (CONTENT, "=", str(request.content_hash))]
    staged = log.rows(where=own).drop_columns([REVISION, CONTENT])
    proposal = Proposal(
        request,
        definition,
        staged,
        {(one.row_id, one.column or None): CHOICES[one.choice] for one in settled},
    )
    then = tx.datasets.definition(request.project, request.dataset, request.definition_version)
    if request.content_hash != content_hash(then, staged):
        raise refused(
            "storage_unavailable",
            f"the staged rows of CR {request.number} are not those that were submitted",
            hint="submit it again",
        )
    return proposal


def _require_staged(request: ChangeRequest) -> None:
    """Refuse to look for rows that nobody submitted, or that went with the end of the request."""
    if not request.revision or request.status in ENDED:
        held = "nothing of it was submitted" if not request.revision else "its rows are in its diff"
        raise refused(
            "transition_refused",
            f"CR {request.number} is {request.status}: {held}",
            hint="look at its diff",
            status=request.status,
        )


def as_known(definition: Definition, cells: Iterable[Cell]) -> list[Cell]:
    """Cells with their rows named as they are elsewhere.

    Raises:
        GovernanceError: `key_invalid`: a row is none of the dataset.
    """
    return [(same_key(definition, row), column) for row, column in cells]


def judged(
    context: Context,
    tx: Transaction,
    point: Point,
    definition: Definition,
    opened: OpenedTable,
    merged: Merged,
    before: pa.Table | None = None,
) -> ValidationReport:
    """What the rows of a merge violate, as they would be beside the rows as they are, or as they were `before`.

    Raises:
        GovernanceError: `validator_unavailable`.
    """
    project = opened.table.folder.project
    new = with_ids(definition, merged.upserts)
    base = with_ids(definition, merged.replaced if before is None else before)

    def others(dataset: str, column: str) -> pa.RecordBatchReader:
        described = tx.datasets.definition(project, dataset)
        return context.table(project, dataset, described).opened().reader([column])

    return validated(point, definition, new, base, opened.reader, others, context.worker)


def clashes(definition: Definition, opened: OpenedTable, merged: Merged) -> int:
    """How many cells and rows a merge cannot write now: conflicts, and values that another row has by now."""
    if not any(rule.kind == "unique" for rule in definition.rules):
        return len(merged.conflicts)
    new = with_ids(definition, merged.upserts)
    base = with_ids(definition, merged.replaced)
    return len(merged.conflicts) + newly_repeated(definition, new, base, opened.reader)


def clashes_of(definition: Definition, report: ValidationReport, merged: Merged) -> int:
    """The same, of a merge whose rows were judged."""
    unique = {rule.name for rule in definition.rules if rule.kind == "unique"}
    repeated = [
        one.row_ids.filter(one.introduced) for one in report.violations if one.rule in unique
    ]
    rows = pa.chunked_array(repeated, pa.string()).drop_null()
    return len(merged.conflicts) + len(pc.unique(rows))


def judged_outside(
    context: Context,
    tx: Transaction,
    point: Point,
    definition: Definition,
    opened: OpenedTable,
    staged: pa.Table,
) -> ValidationReport:
    """What others violated: their rows, which main has already, beside the rows before them.

    Raises:
        GovernanceError: `validator_unavailable`.
    """
    change, before = from_base(definition, staged), staging.rows_before(definition, staged)
    return judged(context, tx, point, definition, opened, change, before)


def from_base(definition: Definition, staged: pa.Table) -> Merged:
    """What staged rows do to the rows that they are based on."""
    return merge(definition, staged, staging.rows_before(definition, staged), force=True)


def keys_of_rows(definition: Definition, staged: pa.Table) -> pa.Table:
    """Key columns of staged rows."""
    _, base, new = staging.sides(definition, staged)
    return pa.table(
        {
            name: pc.if_else(new.present, new.values[name], base.values[name])
            for name in definition.key
        }
    )


def with_ids(definition: Definition, rows: pa.Table) -> pa.Table:
    """Rows with their `row_id`, and null in the columns that they lack."""
    columns = {
        field.name: rows[field.name]
        if field.name in rows.column_names
        else pa.nulls(rows.num_rows, field.type)
        for field in definition.schema
    }
    return pa.table({**columns, ROW_ID_TEXT: row_ids(definition, rows)})


def require_valid(report: ValidationReport) -> None:
    """Refuse what introduces an error or worse.

    Raises:
        GovernanceError: `violations`, with all of them.
    """
    if not report.blocked:
        return
    findings = [one.as_json() for one in report.findings if one.introduced]
    first = next(one for one in findings if one["severity"] in ("error", "fatal"))
    raise refused(
        "violations",
        f"rules are violated, {count_of(len(findings), 'time')}, the first: {first['message']}",
        hint="correct the cells that the findings name",
        findings=findings,
        summary=report.summary(),
    )


def counted(definition: Definition, staged: pa.Table) -> Sequence[int]:
    """How many rows are inserted, updated and deleted, and how many cells change, as a merge counts them."""
    ops = (staging.INSERT, staging.SET, staging.DELETE)
    inserts, updates, deletes = (pc.sum(pc.equal(staged["op"], op)).as_py() or 0 for op in ops)
    edited = staged.filter(pc.equal(staged["op"], staging.SET))["changed"]
    single = pc.sum(pc.list_value_length(edited)).as_py() or 0
    return inserts, updates, deletes, single + (inserts + deletes) * len(definition.content)
