"""A Delta table anywhere, opened by its path to be read: its versions, its history, what differs between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.lake.form import features
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.errors import Conflict, Damaged, NotFound, VersionNotFound, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.readable import ReadableLake
from lakeshelf.lake.rows import diff, tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.snapshot import At, Entry, Snapshot
from lakeshelf.lake.rows.versions import Timeline, opened_at, require_limit, require_moment


class Addressed(Dataset):
    """A dataset of no lake, named by its address."""

    def __post_init__(self) -> None:
        """Take the address as it is: it is no name that a path is made of."""


@dataclass(frozen=True)
class Table:
    """A table that is only read (`open_table`).

    Attributes:
        address: Its folder or address, without credentials.
        handle: It, at its latest version when it was opened.
        clock: Gives the present time.
    """

    address: str
    handle: DeltaTable
    clock: Callable[[], datetime]

    def snapshot(self, at: At | None = None) -> Snapshot:
        """The table at one version: the latest, a version, or that of a time.

        Raises:
            VersionNotFound: No such version.
            TimeOutOfRange: Before the first commit, in the future, or without a zone.
        """
        dataset = tables.described(self.handle, self.address, Addressed)
        version = self._version(at)
        if version is None:
            return Snapshot(dataset, self.handle)
        handle = opened_at(self.handle.table_uri, version, self.handle, self.address)
        return Snapshot(dataset, handle)

    def read(
        self,
        at: At | None = None,
        columns: Sequence[str] | None = None,
        where: Where | None = None,
    ) -> pa.RecordBatchReader:
        """Its rows, as `Lake.read` gives them."""
        return self.snapshot(at).scan(columns, where)

    def history(self, limit: int | None = None) -> list[Entry]:
        """Its versions, the latest first, as far back as its log reaches; `limit` of them at most."""
        require_limit(limit)
        with explained(f"the history of {self.address} cannot be read"):
            return [Entry.of(entry) for entry in self.handle.history(limit)]

    def diff(self, a: At, b: At) -> pa.RecordBatchReader:
        """Rows that two versions do not share, with `_change_type` in front (`lakeshelf.lake.rows.diff`)."""
        before, after = self.snapshot(a), self.snapshot(b)
        return diff.diff(before.handle, after.handle, self.address, after.dataset.key)

    def __getattr__(self, name: str) -> Any:
        if name in _writes():
            raise Conflict(
                f"{self.address} is opened by its path, which is to read it: it has no `{name}`",
                hint="write a dataset of a lake, which knows its key, its owner and who reads its changes",
            )
        raise AttributeError(f"a table has no attribute {name!r}")

    def _version(self, at: At | None) -> int | None:
        if isinstance(at, datetime):
            return Timeline.of(self.address, self.handle).at(at, self.clock())
        require_moment(at, self.address)
        if isinstance(at, str):
            raise VersionNotFound(
                f"{self.address} has no run {at!r}", hint="runs are read through their lake"
            )
        return at


def open_table(
    path: Path | str,
    storage_options: Mapping[str, str] | None = None,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Table:
    """Open a Delta table anywhere, to read it.

    Args:
        path: Its folder, or address such as `s3://bucket/table`.
        storage_options: What delta-rs is given to reach an object store; never shown.
        clock: Gives the present time.

    Raises:
        NotFound: There is no Delta table.
        FeatureRefused: It has a feature that delta-rs cannot read.
        Damaged: Its log cannot be read.
        StorageError: Disk, permissions, network or credentials.
        ConfigurationError: Credentials stand in the address.
    """
    place = Root.at(path, storage_options)
    shown = str(place)
    try:
        with explained(f"{shown} cannot be read"):
            handle = DeltaTable(place.uri, storage_options=place.options)
    except Damaged:
        storage.require_folders(place)
        raise
    except NotFound as error:
        storage.require_folders(place)
        raise NotFound(
            f"no Delta table at {shown}", hint="give the folder in which `_delta_log` lies"
        ) from error
    features.require_readable(handle, shown)
    return Table(shown, handle, clock)


def _writes() -> set[str]:
    """What a lake is asked to write."""
    from lakeshelf.lake.lake import Lake  # noqa: PLC0415 - only for who tries to write

    return {name for name in {*dir(Lake)} - {*dir(ReadableLake)} if not name.startswith("_")}
