"""What a change request, or the edits of a session, would do to the shelves, by the rules of the jobs that then do it.

docs/design/governance.md#effect
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.requests.merge import Merged
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes import proposals
from lakeshelf.governance.services.changes.sessions import merged_edits, session_of
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.lake.place.errors import NotFound
from lakeshelf.streams.declare.job import Job, relation

FOLLOWED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "shelf_policies": ("staging/shelf_policies", ("store",)),
    "wh_policies": ("staging/wh_policies", ("warehouse",)),
    "shelf_profiles": ("curated/shelf_profiles", ("store", "warehouse")),
}
"""Topic → table in which the engines read it, and the locations whose engines do."""
STATES = {"store": "cleansed/shelf_state", "warehouse": "cleansed/wh_state"}
"""Location → table of what stands there."""
KEY = "shelf_id"


@dataclass(frozen=True)
class LocationEffect:
    """What a change would do at a location.

    Attributes:
        location: `store` or `warehouse`.
        known: Whether there is a state to judge by; else nothing is said of figures.
        why: Why nothing is known; empty: it is.
        totals: Each of `lakeshelf.shop.effects.FIGURES` → `now`, `then`, `changed`.
        stores: The same by store, those where something changes.
        shelves: The 50 shelves that change most.
        versions: Table → version that was read.
        as_of: Business day of it; None: no tick came yet.
    """

    location: str
    known: bool
    why: str
    totals: Mapping[str, Mapping[str, int]]
    stores: tuple[Mapping[str, Any], ...]
    shelves: tuple[Mapping[str, Any], ...]
    versions: Mapping[str, int]
    as_of: date | None


def effect(
    context: Context,
    caller: Caller,
    project: str,
    number: int,
    engines: Mapping[str, Job],
    today: date | None,
) -> tuple[LocationEffect, ...]:
    """What the merge of a change request would do to the shelves, one effect a location that follows the dataset.

    Conflicts that are left count as they are in main. Nothing is written.

    Args:
        context: What it stands on.
        caller: Who asks.
        project: The project.
        number: The change request.
        engines: The jobs of the checkout, by name.
        today: The business day; None: no tick came yet, so nothing is known.

    Raises:
        GovernanceError: `not_found`; `request_invalid`: no engine follows the dataset.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        request = tx.requests.get(project, number)
        _followed(request.dataset, tx.datasets.definition(project, request.dataset))
        proposal = proposals.load(context, tx, request)
        merged = proposal.merged(table_of(context, tx, project, request.dataset).opened())
    return _effects(context, request.dataset, proposal.definition, merged, engines, today)


def effect_of_edits(
    context: Context,
    caller: Caller,
    session_id: str,
    engines: Mapping[str, Job],
    today: date | None,
) -> tuple[LocationEffect, ...]:
    """What the edits of a session would do to the shelves if they were merged as they are now; otherwise as `effect`.

    Raises:
        GovernanceError: `not_found`; `request_invalid`: no engine follows the dataset.
    """
    with context.metadata.reading() as tx:
        session = session_of(tx, caller, session_id)
        _followed(session.dataset, tx.datasets.definition(session.project, session.dataset))
        staged = merged_edits(context, tx, session)
    definition = staged.desk.definition
    return _effects(context, session.dataset, definition, staged.merged, engines, today)


def _effects(
    context: Context,
    dataset: str,
    definition: Definition,
    merged: Merged,
    engines: Mapping[str, Job],
    today: date | None,
) -> tuple[LocationEffect, ...]:
    from lakeshelf.shop.shortage import ENGINES  # noqa: PLC0415 - pandas and DuckDB come with it

    table, locations = _followed(dataset, definition)
    return tuple(
        _at(context, location, engines[ENGINES[location]], table, merged, today)
        for location in locations
    )


def _followed(dataset: str, definition: Definition) -> tuple[str, tuple[str, ...]]:
    """Table in which the engines read a dataset, and their locations.

    Raises:
        GovernanceError: `request_invalid`: none does.
    """
    if definition.topic is None or definition.topic not in FOLLOWED:
        raise refused(
            "request_invalid",
            f"no alert engine follows {dataset}",
            hint=f"effects are told of datasets that are bound to {', '.join(FOLLOWED)}",
        )
    return FOLLOWED[definition.topic]


def _at(
    context: Context, location: str, engine: Job, table: str, merged: Merged, today: date | None
) -> LocationEffect:
    from lakeshelf.shop import effects  # noqa: PLC0415 - as above
    from lakeshelf.shop.books import DecisionBooks  # noqa: PLC0415

    if today is None:
        return _unknown(location, "the clock has not ticked yet")
    try:
        books = DecisionBooks.of(context.root, engine, lots=True)
    except NotFound as error:
        return _unknown(location, error.message, today)
    if not books.rows[relation(STATES[location])].num_rows:
        return _unknown(location, f"{STATES[location]} has no rows yet", today, books.versions)
    name = relation(table)
    then = {name: patched(books.rows[name], merged.upserts, merged.deletes)}
    answer = effects.effect(books, today, {}, then)
    figures = (answer.totals, answer.stores, answer.shelves)
    return LocationEffect(location, True, "", *figures, books.versions, today)


def patched(rows: pa.Table, upserts: pa.Table, deletes: pa.Table) -> pa.Table:
    """Rows of an engine's table as they would be: columns that the dataset lacks are those of no message."""
    gone = pa.chunked_array([*upserts[KEY].chunks, *deletes[KEY].chunks], pa.string())
    kept = rows.filter(pc.invert(pc.is_in(rows[KEY].cast(pa.string()), gone)))
    columns = [_column(field, upserts) for field in rows.schema]
    return pa.concat_tables([kept, pa.table(columns, schema=rows.schema)])


def _column(field: pa.Field, upserts: pa.Table) -> pa.Array | pa.ChunkedArray:
    if field.name in upserts.column_names:
        return upserts[field.name].cast(field.type)
    if field.name == "deleted":
        return pa.repeat(pa.scalar(False), upserts.num_rows)
    return pa.nulls(upserts.num_rows, field.type)


def _unknown(
    location: str,
    why: str,
    today: date | None = None,
    versions: Mapping[str, int] | None = None,
) -> LocationEffect:
    return LocationEffect(location, False, why, {}, (), (), versions or {}, today)
