"""What a change request changes, cell by cell: conflicts first, with what is known of each."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain import staged as staging
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.findings import ValidationReport
from lakeshelf.governance.domain.requests.lifecycle import OPEN
from lakeshelf.governance.domain.requests.merge import Merged
from lakeshelf.governance.domain.staged import Cell
from lakeshelf.governance.domain.values import shown, whole
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.merging import plan_of
from lakeshelf.governance.services.changes.proposals import Proposal
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.services.history import CellChange
from lakeshelf.governance.services.memory import Compared
from lakeshelf.governance.storage.logs import CELLS, Log
from lakeshelf.governance.storage.main import OpenedTable
from lakeshelf.lake.place.names import suggestion


@dataclass(frozen=True)
class CellDiff:
    """A change of a change request.

    Attributes:
        row_id: The row.
        column: The cell; None: the row comes or goes.
        op: `set`, `insert` or `delete`.
        base: What the author saw; of a row an object of its cells.
        main: What main has now.
        staged: What is wanted.
        conflict: Kind of the conflict; None: there is none.
        findings: What the row violates in this column; None: that is not known now.
        comments: How many remarks there are on it.
        blame: Who wrote what main has; None: it was adopted, or is not there.
    """

    row_id: str
    column: str | None
    op: str
    base: Any
    main: Any
    staged: Any
    conflict: str | None = None
    findings: Sequence[Mapping[str, Any]] | None = None
    comments: int = 0
    blame: CellChange | None = None


@dataclass(frozen=True)
class Chosen:
    """Which changes are shown, and in which order.

    Attributes:
        op: `set`, `insert` or `delete`; None: all.
        column: Its cells; None: all, and rows that come or go.
        only: `conflict`, or the `SEVERITIES` of what they violate: `error`, `warning`; None: all.
        sort: `row` or `column`; None: conflicts first.
    """

    op: str | None = None
    column: str | None = None
    only: str | None = None
    sort: str | None = None

    def has(self, op: str, column: str | None) -> bool:
        """Whether such a change is shown, whatever is wrong with it."""
        return self.op in (None, op) and self.column in (None, column)

    def rank(self, cell: Cell) -> tuple[str, str]:
        """Where a cell stands in the order that was chosen."""
        row_id, column = cell
        return (column or "", row_id) if self.sort == "column" else (row_id, column or "")


SEVERITIES: Mapping[str, frozenset[str]] = {
    "error": frozenset({"error", "fatal"}),
    "warning": frozenset({"warning"}),
}
ALL = Chosen()
COPIES = 4
"""A merge holds the rows of a request about so many times: as they were, are, and would be, and what they violate."""


@dataclass(frozen=True)
class Diff:
    """A page of what a change request changes.

    Attributes:
        cells: The changes of the page.
        total: How many there are that were chosen.
        version: Version of main that they are compared with.
        counts: Rows inserted, updated and deleted, cells, conflicts and overwritten ones.
        summary: Findings by severity; None: that is not known now.
    """

    cells: Sequence[CellDiff]
    total: int
    version: int
    counts: Mapping[str, int]
    summary: Mapping[str, Any] | None = None


def diff(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    offset: int,
    limit: int,
    chosen: Chosen = ALL,
) -> Diff:
    """A page of what a change request changes; of a merged one what its merge did.

    Raises:
        GovernanceError: `not_found`; `request_invalid`: there is no such column.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        if request.merged_version is not None:
            return _merged(context, request, offset, limit, chosen)
        if request.status not in (*OPEN, "merging") or not request.revision:
            return Diff((), 0, request.base_version, {})
        proposal = proposals.load(context, tx, request)
        opened = table_of(context, tx, project, request.dataset).opened()
        return _Compared(context, tx, proposal, opened).page(offset, limit, chosen)


def _merged(
    context: Context, request: ChangeRequest, offset: int, limit: int, chosen: Chosen
) -> Diff:
    plan = plan_of(context, request)
    changes = [one for one in by_row(plan["cells"]) if chosen.has(one.op, one.column)]
    if chosen.only:  # what was wrong with it was not kept
        changes = []
    if chosen.sort:
        changes.sort(key=lambda one: chosen.rank((one.row_id, one.column)))
    page = changes[offset : offset + limit]
    return Diff(page, len(changes), int(request.merged_version or 0), plan["counts"])


def first_rows(cells: pa.Table, count: int) -> list[CellDiff]:
    """What a merge would do to its first rows, as `by_row`; of the cells that it would change."""
    some = cells["row_id"].unique().slice(0, count)
    listed = cells.filter(pc.is_in(cells["row_id"], value_set=some))
    return list(by_row(one.values() for one in listed.to_pylist()))


def by_row(cells: Iterable[Iterable[Any]]) -> Iterator[CellDiff]:
    """Cells of a merge (row, column, old and new as JSON text), by row; a row that comes or goes is one change."""
    rows: defaultdict[str, list[tuple[str, Any, Any]]] = defaultdict(list)
    for row_id, *cell in cells:
        column, old, new = cell
        rows[row_id].append((column, old, new))
    for row_id, changed in rows.items():
        op = _op(*changed[0][1:])
        before, after = ({cell[0]: _value(cell[side]) for cell in changed} for side in (1, 2))
        if op == staging.SET:
            for column, value in after.items():
                yield CellDiff(row_id, column, op, before[column], value, value)
        elif op == staging.INSERT:
            yield CellDiff(row_id, None, op, None, after, after)
        else:
            yield CellDiff(row_id, None, op, before, None, None)


def _op(old: str | None, new: str | None) -> str:
    if old is None:
        return staging.INSERT
    return staging.DELETE if new is None else staging.SET


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)


@dataclass(frozen=True)
class _Compared:
    """A change request beside main."""

    context: Context
    tx: Transaction
    proposal: Proposal
    opened: OpenedTable

    def page(self, offset: int, limit: int, chosen: Chosen) -> Diff:
        merged, report = self._compared()
        kinds: defaultdict[str, dict[str | None, str]] = defaultdict(dict)
        for one in merged.conflicts:
            kinds[one.row_id][one.column] = one.kind
        cells = list(self._chosen(chosen))
        if chosen.only == "conflict":
            cells = [cell for cell in cells if _kind(kinds, cell)]
        elif chosen.only is not None:
            violating = report.cells(SEVERITIES[chosen.only]) if report else set()
            cells = [cell for cell in cells if cell in violating]
        cells.sort(key=chosen.rank if chosen.sort else lambda cell: not _kind(kinds, cell))
        known = self._known(cells[offset : offset + limit], merged, report)
        listed = [replace(one, conflict=_kind(kinds, (one.row_id, one.column))) for one in known]
        summary = report.summary() if report else None
        return Diff(listed, len(cells), self.opened.version, merged.counts, summary)

    def _compared(self) -> Compared:
        """What its merge would do, and what its rows would violate, which is the same for each page of it."""
        held, name = self.context.memory.compared, self._depends_on()
        if (known := held.known(name)) is not None:
            return known
        merged = self.proposal.merged(self.opened)
        report = self._report(merged)
        size = COPIES * self.proposal.staged.nbytes
        if (report or merged.conflicts) and size <= held.most:
            held.put(name, (merged, report), size)
        return merged, report

    def _depends_on(self) -> Hashable:
        """All that the merge and the findings follow from."""
        request, definition = self.proposal.request, self.proposal.definition
        others = {rule.params["dataset"] for rule in definition.rules if "dataset" in rule.params}
        settled = frozenset(self.proposal.resolutions.items())
        rows = (request.project, request.number, request.revision, request.content_hash)
        versions = tuple((name, self._version(name)) for name in sorted(others))
        return rows, settled, definition.version, self.opened.version, versions

    def _version(self, dataset: str) -> int:
        project = self.proposal.request.project
        described = self.tx.datasets.definition(project, dataset)
        return self.context.table(project, dataset, described).opened().version

    def _chosen(self, chosen: Chosen) -> Iterator[Cell]:
        names = [column.name for column in self.proposal.definition.columns]
        if chosen.column is not None and chosen.column not in names:
            raise refused(
                "request_invalid",
                f"{self.proposal.request.dataset} has no column {chosen.column[:80]!r}",
                hint=suggestion(chosen.column, names),
            )
        staged = self.proposal.staged
        ops = dict(zip(*(staged[name].to_pylist() for name in ("row_id", "op")), strict=True))
        cells = staging.cells(staged)
        return (cell for cell in cells if chosen.has(ops[cell[0]], cell[1]))

    def _report(self, merged: Merged) -> ValidationReport | None:
        """What the rows violate; None where conflicts are left, or nobody is there to judge."""
        if merged.conflicts:
            return None
        try:
            return self.proposal.judged(self.context, self.tx, "preview", self.opened, merged)
        except GovernanceError as error:
            if error.code != "validator_unavailable":
                raise
            return None

    def _known(
        self, cells: Sequence[Cell], merged: Merged, report: ValidationReport | None
    ) -> list[CellDiff]:
        request, definition = self.proposal.request, self.proposal.definition
        ids = pa.array(list(dict.fromkeys(row_id for row_id, _ in cells)), pa.string())
        places = pc.index_in(ids, whole(self.proposal.staged["row_id"]))
        by_id = {row["row_id"]: row for row in self.proposal.staged.take(places).to_pylist()}
        main = merged.main.struct.take(places).to_pylist()
        of_main = dict(zip(ids.to_pylist(), main, strict=True))
        said = Counter(
            (one.row_id, one.column)
            for one in self.tx.reviews.comments(request.project, request.number)
        )
        findings = _by_cell(report, ids)
        blame = self._blame(ids)
        return [
            CellDiff(
                row_id,
                column,
                by_id[row_id]["op"],
                _side(definition, by_id[row_id]["base"], column),
                _side(definition, of_main[row_id], column),
                _side(definition, by_id[row_id]["new"], column),
                findings=None if findings is None else findings[row_id, column],
                comments=said[row_id, column],
                blame=blame.get((row_id, column)),
            )
            for row_id, column in cells
        ]

    def _blame(self, ids: pa.Array) -> dict[Cell, CellChange]:
        """The latest change of each cell of rows."""
        request = self.proposal.request
        folder = self.context.folder(request.project, request.dataset)
        rows = Log(self.context.root, folder.cells, CELLS).rows(
            where=[("row_id", "in", ids.to_pylist())]
        )
        ordered = rows.sort_by([("version", "ascending")]).to_pylist()
        return {(row["row_id"], row["column"]): CellChange.of(row) for row in ordered}


def _by_cell(
    report: ValidationReport | None, ids: pa.Array
) -> defaultdict[Cell, list[dict[str, Any]]] | None:
    """What some rows violate."""
    if report is None:
        return None
    by_cell: defaultdict[Cell, list[dict[str, Any]]] = defaultdict(list)
    for one in report.of_rows(ids):
        by_cell[str(one.row_id), one.column].append(one.as_json())
        by_cell[str(one.row_id), None].append(one.as_json())
    return by_cell


def _kind(kinds: Mapping[str, Mapping[str | None, str]], cell: Cell) -> str | None:
    of_row = kinds.get(cell[0], {})
    whole = next(iter(of_row.values()), None) if cell[1] is None else None
    return of_row.get(cell[1]) or of_row.get(None) or whole


def _side(definition: Definition, row: Mapping[str, Any] | None, column: str | None) -> Any:
    """A cell of a row as JSON, or all of its cells."""
    if row is None:
        return None
    if column is not None:
        return shown(definition[column], row[column])
    return {one.name: shown(one, row[one.name]) for one in definition.content}
