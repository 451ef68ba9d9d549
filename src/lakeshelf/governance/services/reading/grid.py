"""The grid of a dataset: rows of a version in an order and under a filter, with the edits of a session laid over.

docs/design/governance.md#views
"""

from __future__ import annotations

import base64
import binascii
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import TypeAdapter, ValidationError

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.editing.edits import folded
from lakeshelf.governance.domain.keys import row_ids
from lakeshelf.governance.domain.staged import DELETE, INSERT, sides
from lakeshelf.governance.domain.values import shown
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import LiveSession
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes.desks import Desk
from lakeshelf.governance.services.changes.sessions import session_of
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.services.history import snapshot_rows, version_of
from lakeshelf.governance.services.reading.tables import HeldTable, Ranks
from lakeshelf.governance.services.reading.views import OrderedView, ViewQuery, ordered
from lakeshelf.governance.storage.logs import CELLS, Log

LONGEST_ID = 8_000
"""Characters of a view's id, which stands in addresses."""
Rows = Mapping[str, Sequence[Any]]
"""Column → JSON values."""
_QUERY = TypeAdapter(ViewQuery)


@dataclass(frozen=True)
class ViewSpec:
    """What a view shows; its id says all of it, so every process knows what is meant.

    Attributes:
        project: The project.
        dataset: The dataset.
        at: Version of the table, or name of a snapshot.
        query: Filter and order.
    """

    project: str
    dataset: str
    at: int | str
    query: ViewQuery

    @property
    def id(self) -> str:
        """The name of the view.

        Raises:
            GovernanceError: `request_invalid`: the filter is too long.
        """
        text = json.dumps([self.at, asdict(self.query)], separators=(",", ":"))
        named = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        if len(named) > LONGEST_ID:
            raise refused(
                "request_invalid",
                f"the filter takes {len(text):,} characters",
                hint="ask for fewer values",
            )
        return named

    @classmethod
    def of_id(cls, project: str, dataset: str, view_id: str) -> ViewSpec:
        """What was asked for.

        Raises:
            GovernanceError: `not_found`.
        """
        try:
            text = base64.urlsafe_b64decode(view_id + "=" * (-len(view_id) % 4))
            at, query = json.loads(text)
            if not isinstance(at, int | str) or isinstance(at, bool):
                raise ValueError(at)
            return cls(project, dataset, at, _QUERY.validate_python(query))
        except (binascii.Error, ValueError, TypeError, ValidationError, RecursionError) as error:
            raise refused("not_found", "there is no such view", hint="ask for one") from error


@dataclass(frozen=True)
class ViewPage:
    """Rows of a view, with what a session has edited.

    Attributes:
        offset: Place of the first.
        count: Rows of the view, those that the session inserted behind them.
        row_ids: Their keys.
        columns: Their values.
        edited: Key → column → value before the session; of a row that it inserted none.
        inserted: Keys of rows that the session inserted.
        deleted: Keys of rows that the session deleted.
        changed: Key → columns that main has changed since the session began.
    """

    offset: int
    count: int
    row_ids: Sequence[str]
    columns: Rows
    edited: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    inserted: Sequence[str] = ()
    deleted: Sequence[str] = ()
    changed: Mapping[str, Sequence[str]] = field(default_factory=dict)


def ask(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    query: ViewQuery,
    *,
    at: int | str | None = None,
    session: str | None = None,
) -> tuple[ViewSpec, int]:
    """What a view shows, and how many rows there are.

    Args:
        context: What it stands on.
        caller: Who looks.
        project: The project.
        dataset: The dataset.
        query: Filter and order.
        at: Version, or name of a snapshot; None: that of the session, or the newest.
        session: Session whose edits are laid over.

    Raises:
        GovernanceError: `not_found`, `gone`, `request_invalid`, `value_invalid`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        if session is not None:
            at = _session(tx, caller, project, dataset, session).base_version
        elif at is None:
            at = table_of(context, tx, project, dataset).opened().version
        asked = ViewSpec(project, dataset, at, query)
        view = _view(context, tx, caller, asked)
        if session is None:
            return asked, len(view)
        return asked, len(_overlay(context, tx, caller, asked, view, session))


def page(
    context: Context,
    caller: Caller,
    asked: ViewSpec,
    offset: int,
    limit: int,
    session: str | None = None,
) -> ViewPage:
    """Rows of a view from an offset on.

    Raises:
        GovernanceError: `not_found`, `gone`, `request_invalid`.
    """
    with context.metadata.reading() as tx:
        view = _view(context, tx, caller, asked)
        if session is None:
            rows = view.page(offset, limit)
            ids = row_ids(view.held.definition, rows).to_pylist()
            return ViewPage(offset, len(view), ids, _columns(view.held.definition, rows))
        overlay = _overlay(context, tx, caller, asked, view, session)
        newest = tx.datasets.meta(asked.project, asked.dataset).delta_version
    laid, base = overlay.page(offset, limit), overlay.desk.session.base_version
    return laid if newest == base else _with_changed(context, asked, base, laid)


def position(context: Context, caller: Caller, asked: ViewSpec, row_id: str) -> int | None:
    """Where a row is in a view; None: it is not in it.

    Raises:
        GovernanceError: `not_found`, `gone`.
    """
    with context.metadata.reading() as tx:
        return _view(context, tx, caller, asked).position(row_id)


def facets(
    context: Context, caller: Caller, asked: ViewSpec, column: str, limit: int
) -> tuple[list[tuple[Any, int]], int]:
    """Values of a column of a view with how often each is there, and how many values there are.

    Raises:
        GovernanceError: `not_found`, `gone`, `request_invalid`.
    """
    with context.metadata.reading() as tx:
        return _view(context, tx, caller, asked).facets(column, limit)


def _view(context: Context, tx: Transaction, caller: Caller, asked: ViewSpec) -> OrderedView:
    require_right(tx, caller, asked.project, "read")
    definition = tx.datasets.definition(asked.project, asked.dataset)
    name = (asked.project, asked.dataset, definition.version, asked.at)
    memory = context.memory
    held = memory.tables.get(name, lambda: _held(context, tx, asked, definition), _size)

    def ranks(column: str) -> Ranks:
        return memory.ranks.get((*name, column), lambda: Ranks.of(held.columns[column]), _size)

    order = memory.orders.get(
        (*name, asked.id), lambda: ordered(held, asked.query, ranks), lambda one: one.nbytes
    )
    return OrderedView(held, order)


def _size(value: HeldTable | Ranks) -> int:
    return value.nbytes


@dataclass(frozen=True)
class _Overlay:
    """A view with the edits of a session laid over it."""

    view: OrderedView
    desk: Desk

    def __len__(self) -> int:
        return len(self.view) + len(self._inserted)

    def page(self, offset: int, limit: int) -> ViewPage:
        definition = self.view.held.definition
        rows = self.view.page(offset, limit)
        behind = self._inserted.slice(max(0, offset - len(self.view)), limit - rows.num_rows)
        ids = row_ids(definition, rows).to_pylist()
        columns = _columns(definition, rows)
        staged = self._staged(rows, ids)
        edited = {} if staged is None else _laid_over(definition, staged, columns, ids)
        gone = [] if staged is None else _deleted(staged)
        inserted = row_ids(definition, behind).to_pylist()
        behind_columns = _columns(definition, behind)
        return ViewPage(
            offset,
            len(self),
            [*ids, *inserted],
            {name: [*values, *behind_columns[name]] for name, values in columns.items()},
            edited,
            inserted,
            gone,
        )

    def _staged(self, rows: pa.Table, ids: list[str]) -> pa.Table | None:
        """What the session does to rows; None: nothing was edited."""
        edits = self.desk.edits
        own = edits.filter(pc.is_in(edits["row_id"], pa.array(ids, pa.string())))
        return folded(self.view.held.definition, own, rows) if own.num_rows else None

    @cached_property
    def _inserted(self) -> pa.Table:
        """Rows that the session inserted, in the order of their keys."""
        desk = self.desk
        name = (desk.session.id, desk.definition.version, desk.log.version)
        return desk.memory.inserted.get(name, self._made, lambda rows: int(rows.nbytes))

    def _made(self) -> pa.Table:
        held, edits = self.view.held, self.desk.edits
        definition = held.definition
        ids = pc.unique(edits.filter(pc.equal(edits["op"], INSERT))["row_id"]).to_pylist()
        new = pa.array([one for one in ids if held.place(one) is None], pa.string())
        own = edits.filter(pc.is_in(edits["row_id"], new))
        staged = folded(definition, own, definition.schema.empty_table())
        staged = staged.filter(pc.equal(staged["op"], INSERT)).sort_by("row_id")
        _, _, rows = sides(definition, staged)
        return pa.table(dict(rows.values), schema=_nullable(definition))


def _deleted(staged: pa.Table) -> list[str]:
    ids: list[str] = staged.filter(pc.equal(staged["op"], DELETE))["row_id"].to_pylist()
    return ids


def _laid_over(
    definition: Definition, staged: pa.Table, columns: dict[str, list[Any]], ids: list[str]
) -> dict[str, dict[str, Any]]:
    """Put staged values into a page; key → column → what was there."""
    places = {row_id: place for place, row_id in enumerate(ids)}
    before: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for row in staged.filter(pc.not_equal(staged["op"], DELETE)).to_pylist():
        place = places[row["row_id"]]
        for name in row["changed"]:
            before[row["row_id"]][name] = columns[name][place]
            columns[name][place] = shown(definition[name], row["new"][name])
    return dict(before)


def _columns(definition: Definition, rows: pa.Table) -> dict[str, list[Any]]:
    return {
        column.name: [shown(column, value) for value in rows[column.name].to_pylist()]
        for column in definition.columns
    }


def _nullable(definition: Definition) -> pa.Schema:
    return pa.schema([one.with_nullable(True) for one in definition.schema])


def _held(context: Context, tx: Transaction, asked: ViewSpec, definition: Definition) -> HeldTable:
    """The rows of a version or snapshot."""
    if isinstance(asked.at, int):
        table = table_of(context, tx, asked.project, asked.dataset)
        return HeldTable.of(definition, version_of(table, asked.at))
    rows = snapshot_rows(context, tx, asked.project, asked.dataset, asked.at)
    return HeldTable.of(definition, rows.to_reader())


def _session(
    tx: Transaction, caller: Caller, project: str, dataset: str, session: str
) -> LiveSession:
    own = session_of(tx, caller, session)
    if (own.project, own.dataset) != (project, dataset):
        raise refused("not_found", f"{dataset} has no session {session[:80]!r}")
    return own


def _overlay(
    context: Context,
    tx: Transaction,
    caller: Caller,
    asked: ViewSpec,
    view: OrderedView,
    session: str,
) -> _Overlay:
    opened = _session(tx, caller, asked.project, asked.dataset, session)
    if asked.at != opened.base_version:
        raise refused(
            "request_invalid",
            f"the view shows {asked.at}, the session began with version {opened.base_version}",
            hint="ask for a view of the session",
            base_version=opened.base_version,
        )
    return _Overlay(view, Desk.of(context, tx, opened))


def _with_changed(context: Context, asked: ViewSpec, base: int, page: ViewPage) -> ViewPage:
    """A page with what main has changed since the base."""
    log = Log(context.root, context.folder(asked.project, asked.dataset).cells, CELLS)
    rows = log.rows(["row_id", "column"], [("version", ">", base)])
    here = rows.filter(pc.is_in(rows["row_id"], pa.array(page.row_ids, pa.string())))
    changed: defaultdict[str, set[str]] = defaultdict(set)
    for row_id, column in zip(here["row_id"].to_pylist(), here["column"].to_pylist(), strict=True):
        changed[row_id].add(column)
    marks = {row_id: sorted(names) for row_id, names in changed.items()}
    return ViewPage(**{**vars(page), "changed": marks})
