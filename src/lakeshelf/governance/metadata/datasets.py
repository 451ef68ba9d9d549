"""Governed datasets: what they are, and where they stand."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, Connection

from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.errors import refused
from lakeshelf.governance.metadata.tables.datasets import (
    DATASETS,
    DEFINITIONS,
    METAS,
    SNAPSHOTS,
    DatasetMeta,
    DefinitionVersion,
    GovernedDataset,
    NamedSnapshot,
)


class GovernedDatasets:
    """Datasets, their definitions, where their tables stand, and named snapshots."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, dataset: GovernedDataset, definition: Definition) -> GovernedDataset:
        """A new dataset with its first definition.

        Raises:
            GovernanceError: `exists`.
        """
        if DATASETS.find(self._connection, project=dataset.project, id=dataset.id):
            raise refused(
                "exists",
                f"there is a dataset {dataset.id} in {dataset.project} already",
                project=dataset.project,
                dataset=dataset.id,
            )
        DATASETS.add(self._connection, dataset)
        self._keep(dataset, definition, None, dataset.created_by, dataset.created_at)
        return dataset

    def get(self, project: str, dataset: str) -> GovernedDataset:
        """A dataset.

        Raises:
            GovernanceError: `not_found`.
        """
        return DATASETS.get(self._connection, project=project, id=dataset)

    def all(self, project: str | None = None) -> list[GovernedDataset]:
        """Datasets, of a project or of all, by id."""
        where = [] if project is None else [DATASETS.c.project == project]
        return DATASETS.all(self._connection, where)

    def define(
        self,
        dataset: GovernedDataset,
        definition: Definition,
        *,
        request: int,
        by: str,
        at: datetime,
    ) -> GovernedDataset:
        """Put the next version of a definition in force.

        Args:
            dataset: The dataset as it was seen.
            definition: The version after the one that was seen.
            request: Number of the change request it comes by.
            by: Who wrote it.
            at: When.

        Raises:
            GovernanceError: `state_changed`: another version came first.
        """
        seen = DATASETS.c.definition_version == definition.version - 1
        values = {"definition_version": definition.version}
        if not DATASETS.change(self._connection, [DATASETS.is_(dataset), seen], **values):
            raise refused(
                "state_changed",
                f"the definition of {dataset.project}/{dataset.id} has changed since",
                hint="read it again and repeat the change",
                definition_version=self.get(dataset.project, dataset.id).definition_version,
            )
        self._keep(dataset, definition, request, by, at)
        return self.get(dataset.project, dataset.id)

    def definition(self, project: str, dataset: str, version: int | None = None) -> Definition:
        """What a dataset is, in the version in force or another.

        Raises:
            GovernanceError: `not_found`.
        """
        if version is None:
            version = self.get(project, dataset).definition_version
        key = {"project": project, "dataset": dataset, "version": version}
        return Definition.of_json(DEFINITIONS.get(self._connection, **key).body)

    def definitions(self, project: str, dataset: str) -> list[DefinitionVersion]:
        """Every version of a definition, the oldest first."""
        where = [DEFINITIONS.c.project == project, DEFINITIONS.c.dataset == dataset]
        return DEFINITIONS.all(self._connection, where)

    def meta(self, project: str, dataset: str) -> DatasetMeta:
        """Where the table of a dataset stands.

        Raises:
            GovernanceError: `not_found`: it has no table yet.
        """
        return METAS.get(self._connection, project=project, dataset=dataset)

    def stands(self, meta: DatasetMeta) -> DatasetMeta:
        """Remember where a table stands, unless it is known to be further; what is known."""
        known = METAS.find(self._connection, project=meta.project, dataset=meta.dataset)
        if known and known.delta_version > meta.delta_version:
            return known
        return METAS.put(self._connection, meta)

    def keep_snapshot(self, snapshot: NamedSnapshot) -> NamedSnapshot:
        """A new named snapshot.

        Raises:
            GovernanceError: `exists`.
        """
        if snapshot.name in {s.name for s in self.snapshots(snapshot.project, snapshot.dataset)}:
            raise refused(
                "exists",
                f"{snapshot.project}/{snapshot.dataset} has a snapshot {snapshot.name} already",
                hint="choose another name",
                snapshot=snapshot.name,
            )
        return SNAPSHOTS.add(self._connection, snapshot)

    def snapshot(self, project: str, dataset: str, name: str) -> NamedSnapshot:
        """A named snapshot.

        Raises:
            GovernanceError: `not_found`.
        """
        return SNAPSHOTS.get(self._connection, project=project, dataset=dataset, name=name)

    def snapshots(self, project: str, dataset: str) -> list[NamedSnapshot]:
        """Named snapshots of a dataset, by name."""
        return SNAPSHOTS.all(self._connection, _of_snapshot(project, dataset))

    def _keep(
        self,
        dataset: GovernedDataset,
        definition: Definition,
        request: int | None,
        by: str,
        at: datetime,
    ) -> None:
        version = DefinitionVersion(
            project=dataset.project,
            dataset=dataset.id,
            version=definition.version,
            body=definition.as_json(),
            request=request,
            created_by=by,
            created_at=at,
        )
        DEFINITIONS.add(self._connection, version)


def _of_snapshot(project: str, dataset: str) -> Iterable[ColumnElement[bool]]:
    return [SNAPSHOTS.c.project == project, SNAPSHOTS.c.dataset == dataset]
