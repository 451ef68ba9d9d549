"""What others did to a table, past the service: shown, and taken up or taken back by a change request.

docs/design/governance.md#inverse-changes
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.keys import row_ids
from lakeshelf.governance.domain.requests.inverse import difference
from lakeshelf.governance.domain.requests.merge import Merged, merge
from lakeshelf.governance.domain.staged import without
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.publication.commits import TAKES_UP, strangers
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.changes.proposals import OUTSIDE, REVERT, Proposal
from lakeshelf.governance.services.changes.requests import drafted, submit
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.storage.main import MainTable, OpenedTable
from lakeshelf.lake.place.errors import Vacuumed, VersionNotFound
from lakeshelf.lake.rows.snapshot import Entry


def commits_of_others(
    context: Context, caller: Caller, project: str, dataset: str
) -> tuple[Entry, ...]:
    """Commits to a table that no change request made and none took up, the latest first.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        table = table_of(context, tx, project, dataset)
    return _strangers(table.opened())


def propose(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    *,
    take_back: bool = False,
    title: str = "",
) -> ChangeRequest:
    """A change request with what others did: once it is merged it is ours, or taken back. Until then nothing is sent.

    Args:
        context: What it stands on.
        caller: Who proposes it, and is its author.
        project: The project.
        dataset: The dataset.
        take_back: Whether the inverse cells are proposed.
        title: Of the change request; empty: which versions it is about.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `nothing_changed`: others did nothing; `gone`: rows of these
            versions are no longer kept; `violations`: what they did violates rules, so it can only be taken back; …
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
        table = table_of(context, tx, project, dataset)
    opened = table.opened()
    others = _strangers(opened)
    if not others:
        raise refused("nothing_changed", f"nobody else committed to {dataset}")
    before, after = _rows_of_others(table, others)
    sides = (after, before) if take_back else (before, after)
    versions = ", ".join(str(one.version) for one in reversed(others))
    staged = difference(table.definition, *sides)
    with drafted(
        context,
        caller,
        project,
        dataset,
        REVERT if take_back else OUTSIDE,
        title=title or f"{'Take back' if take_back else 'Take up'} version {versions} of others",
        description="",
        base_version=opened.version,
        origin={TAKES_UP: others[0].version},
    ) as number:
        return submit(context, caller, project, number, staged, opened.version)


def require_divisible(request: ChangeRequest) -> None:
    """Refuse to take apart what stands for commits of others as a whole.

    Raises:
        GovernanceError: `transition_refused`.
    """
    if TAKES_UP in request.origin:
        raise refused(
            "transition_refused",
            f"CR {request.number} is about all that others did to {request.dataset}, so its cells stay together",
            hint=f"reject it as a whole; `lakeshelf data outside {request.dataset} --take-back` proposes the opposite",
        )


def without_kept(proposal: Proposal) -> pa.Table:
    """What others did without the cells of which main's later value stays.

    Raises:
        GovernanceError: `request_invalid`: another choice; what was merged since is not overwritten by others.
    """
    others = [cell for cell, choice in proposal.resolutions.items() if choice != "main"]
    if others:
        row_id, column = others[0]
        raise refused(
            "request_invalid",
            f"{row_id}{'.' + column if column else ''} was merged since others wrote it",
            hint="keep main, and edit the cell if theirs is right",
        )
    return without(proposal.definition, proposal.staged, list(proposal.resolutions))


def require_covered(opened: OpenedTable, request: ChangeRequest) -> None:
    """Refuse to take up commits of others that nobody reviewed.

    Raises:
        GovernanceError: `state_changed`: others committed again since the request was made.
    """
    if TAKES_UP not in request.origin:
        return
    later = [one for one in _strangers(opened) if one.version > request.origin[TAKES_UP]]
    if later:
        raise refused(
            "state_changed",
            f"others committed version {later[0].version} since CR {request.number} was made",
            hint=f"withdraw it, and propose it again: `lakeshelf data outside {request.dataset}`",
            version=later[0].version,
        )


def _strangers(opened: OpenedTable) -> tuple[Entry, ...]:
    history = opened.table.lake.history(opened.table.folder.name)
    return tuple(strangers([one for one in history if one.version <= opened.version]))


def _rows_of_others(table: MainTable, others: Sequence[Entry]) -> tuple[pa.Table, pa.Table]:
    """The rows before others came, and those rows with what others did to them, and nothing that we did between."""
    runs = list(_runs(sorted(one.version for one in others)))
    before = after = _rows(table, runs[0][0] - 1)
    for number, (first, last) in enumerate(runs):
        left = _rows(table, last)
        if number == 0:
            after = left
            continue
        staged = difference(table.definition, _rows(table, first - 1), left)
        change = merge(table.definition, staged, after, force=True)
        after = _applied(table.definition, after, change)
    return before, after


def _runs(versions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Versions that follow one another, as (first, last)."""
    first = versions[0]
    for version, following in zip(versions, [*versions[1:], None], strict=True):
        if following != version + 1:
            yield first, version
            first = following or 0


def _applied(definition: Definition, rows: pa.Table, change: Merged) -> pa.Table:
    """Rows after a change."""
    touched = pa.concat_tables([change.upserts.select(list(definition.key)), change.deletes])
    others = pc.invert(pc.is_in(row_ids(definition, rows), row_ids(definition, touched)))
    names = [column.name for column in definition.content]
    kept = rows.filter(others).select(names)
    return pa.concat_tables([kept, change.upserts.select(names).cast(kept.schema)])


def _rows(table: MainTable, version: int) -> pa.Table:
    try:
        return table.opened(version).reader().read_all()
    except (VersionNotFound, Vacuumed) as error:
        raise _gone(version) from error


def _gone(version: int) -> GovernanceError:
    return refused(
        "gone",
        f"rows of version {version} are no longer kept, so what others did cannot be told",
        hint="restore a named snapshot",
        version=version,
    )
