"""Governed datasets: made by who may write in the project, read by its members."""

from __future__ import annotations

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.binding import require_bound
from lakeshelf.governance.domain.definition import Column, Definition, checked_id
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.opening import Transaction
from lakeshelf.governance.metadata.tables.datasets import DatasetMeta, GovernedDataset
from lakeshelf.governance.services.access import require_right
from lakeshelf.governance.services.context import Caller, Context, record
from lakeshelf.governance.storage.main import MainTable, OpenedTable
from lakeshelf.governance.validation.definitions import checked
from lakeshelf.governance.validation.kinds import Elsewhere
from lakeshelf.lake.rows.reading import count


def create(
    context: Context,
    caller: Caller,
    project: str,
    dataset: str,
    definition: Definition,
    *,
    title: str = "",
    description: str = "",
) -> GovernedDataset:
    """Make a dataset: its table, which is empty, and its first definition.

    A crash in between leaves an empty table, which the next attempt takes.

    Raises:
        GovernanceError: `not_found`, `forbidden`, `name_invalid`, `exists`, `definition_invalid`.
    """
    checked_id(dataset, "dataset")
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "create_change_request")
        checked(definition, elsewhere(tx, project))
        _require_first(tx, definition)
    table = context.table(project, dataset, definition)
    table.create()
    meta, now = meta_of(context, table.opened(), ""), context.clock()
    with context.metadata.transaction() as tx:
        _require_first(tx, definition)
        made = tx.datasets.add(
            GovernedDataset(project, dataset, title or dataset, description, 1, caller.user, now),
            definition,
        )
        tx.datasets.stands(meta)
        record(tx, caller, "dataset.created", now, project=project, dataset=dataset)
    return made


def _require_first(tx: Transaction, definition: Definition) -> None:
    """Refuse what no dataset begins with: another version than the first, what belongs to a topic, another's topic."""
    if definition.version != 1:
        raise refused(
            "definition_invalid",
            f"a dataset begins with version 1 of its definition, not {definition.version}",
        )
    topic = definition.topic
    require_bound(definition, None if topic is None else CATALOG.topics.get(topic))
    for other in tx.datasets.all() if topic is not None else ():
        if tx.datasets.definition(other.project, other.id).topic == topic:
            raise refused(
                "exists",
                f"{other.project}/{other.id} is bound to {topic} already",
                hint="change the rows of that dataset",
                topic=topic,
            )


def definition_of(context: Context, caller: Caller, project: str, dataset: str) -> Definition:
    """The definition in force, for members.

    Raises:
        GovernanceError: `not_found`.
    """
    with context.metadata.reading() as tx:
        require_right(tx, caller, project, "read")
        return tx.datasets.definition(project, dataset)


def table_of(context: Context, tx: Transaction, project: str, dataset: str) -> MainTable:
    """The canonical table of a dataset, as it is defined now."""
    return context.table(project, dataset, tx.datasets.definition(project, dataset))


def meta_of(context: Context, opened: OpenedTable, commit_id: str) -> DatasetMeta:
    """Where a table stands."""
    folder = opened.table.folder
    rows = count(opened.snapshot.handle, folder.name)
    place = (folder.project, folder.dataset, opened.version, commit_id)
    return DatasetMeta(*place, rows, context.clock())


def elsewhere(tx: Transaction, project: str) -> Elsewhere:
    """Columns of the other datasets of a project."""

    def column(dataset: str, name: str) -> Column | None:
        known = {one.id for one in tx.datasets.all(project)}
        if dataset not in known:
            return None
        columns = tx.datasets.definition(project, dataset).columns
        return next((one for one in columns if one.name == name), None)

    return column
