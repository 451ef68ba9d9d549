"""The reading half of a lake: datasets by name, at a version."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.contracts import Catalog
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.form import owners
from lakeshelf.lake.form.dataset import Dataset, Datasets
from lakeshelf.lake.history import runs
from lakeshelf.lake.history.recording import Recorder
from lakeshelf.lake.place import names
from lakeshelf.lake.place.errors import Damaged, NotFound, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import diff, tables, versions
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.snapshot import At, Entry, Snapshot
from lakeshelf.lake.rows.versions import Timeline, opened_at

if TYPE_CHECKING:
    from lakeshelf.lake.export import Export


class ReadableLake:
    """What a lake is asked; `Lake` also writes.

    Args:
        root: Folder, or address such as `s3://bucket/prefix`; None: the one that is configured
            (`LAKESHELF_LAKE_ROOT`, `LAKE_ROOT`, `DELTA_ROOT` or `DELTA_DATA_ROOT`).
        catalog: Datasets that are known beside the tables that are there; None: the product's own.
        storage_options: What delta-rs is given to reach an object store; never shown.
        clock: Gives the present time.

    Raises:
        ConfigurationError: No root is given and none is configured.
    """

    def __init__(
        self,
        root: Root | Path | str | None = None,
        catalog: Datasets | Catalog | None = None,
        storage_options: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.root = Root.at(configured_root() if root is None else root, storage_options)
        if isinstance(catalog, Catalog) or catalog is None:
            catalog = Datasets.of_contracts(catalog) if catalog else Datasets.of_contracts()
        self.catalog = catalog
        self.clock = clock
        self._recorder = Recorder()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.root)!r})"

    def dataset(self, name: str) -> Dataset:
        """The dataset of a name: of the catalogue, or of a table that is there.

        Raises:
            NameRefused: It is no name.
            NotFound: Nobody knows it; its neighbours are listed.
        """
        known = names.checked(name) in self.catalog
        return self.catalog[name] if known else self._opened(name)[0]

    def names(self) -> list[str]:
        """Datasets whose tables are there."""
        return tables.existing(self.root)

    def snapshot(self, name: str, at: At | None = None) -> Snapshot:
        """A dataset at one version: the latest, a version, the version of a time, or that of a run.

        Raises:
            NotFound: No such dataset, or no table yet.
            VersionNotFound: No such version, or no such run.
            TimeOutOfRange: Before the first commit, in the future, or without a zone.
        """
        effective_at = self._recorder.pinned(name) if at is None else at
        return self._recorder.read(self._at(name, effective_at), latest=at is None)

    def read(
        self,
        name: str,
        at: At | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> pa.RecordBatchReader:
        """Rows of a dataset as a stream, in no order.

        Args:
            name: The dataset.
            at: Version, time or run; None: the latest.
            columns: Columns that are wanted; None: all.
            where: `[(column, op, value), …]`, all of which hold (`lakeshelf.lake.rows.conditions`).

        Raises:
            SchemaError: A column that the dataset does not have.
            PredicateError: A condition that cannot be.
            Vacuumed: While rows are read: a file of that version is gone.
        """
        return self.snapshot(name, at).scan(columns, where)

    def diff(self, name: str, a: At, b: At) -> pa.RecordBatchReader:
        """Rows that two versions do not share, with `_change_type` in front (`lakeshelf.lake.rows.diff`)."""
        before, after = self.snapshot(name, a), self.snapshot(name, b)
        return diff.diff(before.handle, after.handle, name, after.dataset.key)

    def history(self, name: str, limit: int | None = None) -> list[Entry]:
        """Versions of a dataset, the latest first, as far back as its log reaches.

        Args:
            name: The dataset.
            limit: How many at most; None: all.

        Raises:
            LakeError: The limit is no number of versions.
        """
        versions.require_limit(limit)
        handle = self._at(name, None).handle
        with explained(f"the history of {name} cannot be read"):
            entries = handle.history(limit)
        return [Entry.of(entry) for entry in entries]

    def export_parquet(
        self, name: str, dest: Path | str, at: At | None = None, *, force: bool = False
    ) -> Export:
        """Write a dataset as parquet files to a folder of their own (`lakeshelf.lake.export`)."""
        from lakeshelf.lake.export import export  # noqa: PLC0415 - pyarrow.parquet is slow to import

        return export(self.snapshot(name, at), self.root, dest, self.clock(), force=force)

    def _at(self, name: str, at: At | None) -> Snapshot:
        try:
            dataset, latest = self._opened(name)
        except Damaged:
            if not isinstance(at, int) or isinstance(at, bool):
                raise
            return self._before_damage(name, at)
        effective_at = dataset.pin if at is None else at
        if effective_at is None:
            return Snapshot(dataset, latest)
        version = self._version(name, latest, effective_at)
        return Snapshot(dataset, opened_at(latest.table_uri, version, latest, name))

    def _version(self, name: str, latest: DeltaTable, at: At) -> int:
        if isinstance(at, datetime):
            return Timeline.of(name, latest).at(at, self.clock())
        versions.require_moment(at, name)
        if isinstance(at, str):
            return runs.version_of(self.root, at, name, latest)
        return at

    def _before_damage(self, name: str, version: int) -> Snapshot:
        """A version that can be opened while the latest cannot."""
        handle = tables.open_table(self.root, name, to_read=True, version=version)
        known = name in self.catalog
        return Snapshot(self.catalog[name] if known else tables.described(handle, name), handle)

    def _opened(self, name: str) -> tuple[Dataset, DeltaTable]:
        known = names.checked(name) in self.catalog
        try:
            handle = tables.open_table(self.root, name, to_read=True)
        except NotFound:
            if (folder := self.root.folder) is not None and not folder.exists():
                raise NotFound(
                    f"no lake at {self.root}", hint="correct its path; a first write makes it"
                ) from None
            if known:
                raise
            raise names.unknown(name, {*self.catalog, *tables.existing(self.root)}) from None
        dataset = (
            owners.named(self.catalog[name], handle) if known else tables.described(handle, name)
        )
        return dataset, handle


def configured_root() -> str:
    """The root that settings name.

    Raises:
        ConfigurationError: None is named, and this is no checkout of the product, which has one of its own.
    """
    from lakeshelf.settings import load_settings, project_home  # noqa: PLC0415 - pydantic is slow to import

    settings = load_settings()
    if (
        "lake_root" not in settings.model_fields_set
        and not (project_home() / "spark-apps").is_dir()
    ):
        raise ConfigurationError(
            "no root of the lake is set",
            hint="set LAKESHELF_LAKE_ROOT to a folder or an address such as s3://bucket/lake",
        )
    return str(settings.lake_root)
