"""Loaders and savers by the name `delta`, one pair a type of rows.

Hamilton's cache gives a pair one argument, `path`, and asks the loader without telling the type that it wants; hence
a class a type. What it cannot load any more it computes again only after `ResultRetrievalError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
from deltalake import DeltaTable
from hamilton import registry
from hamilton.caching import fingerprinting
from hamilton.caching.stores.base import ResultRetrievalError
from hamilton.io.data_adapters import DataLoader, DataSaver

from lakeshelf import lean
from lakeshelf.hamilton.refs import DeltaRef
from lakeshelf.lake import Commit, Lake, LakeError, NameRefused, SchemaError, Snapshot
from lakeshelf.lake.form.commits import Write
from lakeshelf.lake.form.dataset import Dataset
from lakeshelf.lake.form.schemas import fingerprint, plain_schema
from lakeshelf.lake.place.errors import explained
from lakeshelf.lake.rows.fingerprints import content_fingerprint
from lakeshelf.lake.rows.sources import Source
from lakeshelf.lake.write.writing import overwrite

NAME = "delta"
ARTEFACT = "cache/artefact"
"""What errors call a table of the cache."""


@dataclass
class Loader(DataLoader):  # type: ignore[misc] # Hamilton has no types
    """Loads rows of a dataset, or of a Delta table at a path.

    Attributes:
        dataset: The dataset; or else `path`.
        path: Folder of a table outside the lake, as the cache has them.
        lake: The lake, or a run; None: the one that is configured.
        at: Version, time or run; None: the latest.
        columns: Columns that are wanted; None: all.
        where: Conditions that all hold.
    """

    dataset: str = ""
    path: str = ""
    lake: Lake | None = None
    at: int | datetime | str | None = None
    columns: list[str] | None = None
    where: list[tuple[str, str, Any]] | None = None

    kind: ClassVar[type]
    made: ClassVar[Callable[[pa.RecordBatchReader], Any]]

    @classmethod
    def name(cls) -> str:
        """`delta`."""
        return NAME

    @classmethod
    def applicable_types(cls) -> Collection[type]:
        """The type that it gives."""
        return [cls.kind]

    def load_data(self, type_: type | None) -> tuple[Any, dict[str, Any]]:
        """The rows, and of which version they are.

        Raises:
            ResultRetrievalError: The cache asks, and its artefact is lost.
        """
        with _for_the_cache(type_):
            snapshot = self._snapshot()
            rows = type(self).made(snapshot.scan(self.columns, self.where))
        identity = {"table_id": snapshot.table_id, "version": snapshot.version}
        return rows, {NAME: {"dataset": self.dataset or self.path, **identity}}

    def _snapshot(self) -> Snapshot:
        if _one_place(self.dataset, self.path):
            return (self.lake or Lake()).snapshot(self.dataset, self.at)
        with explained(f"no table at {self.path}"):
            return Snapshot(Dataset(ARTEFACT), DeltaTable(self.path))


@dataclass
class Saver(DataSaver):  # type: ignore[misc] # Hamilton has no types
    """Saves rows in a dataset, or as a Delta table at a path, in one commit.

    Attributes:
        dataset: The dataset; or else `path`.
        path: Folder of a table outside the lake, as the cache has them.
        lake: The lake, or a run; None: the one that is configured.
        mode: What the rows do to those that are there.
        keys: Keys of a merge; None: the dataset's.
        metadata: Entries of the commit.
    """

    dataset: str = ""
    path: str = ""
    lake: Lake | None = None
    mode: Literal["overwrite", "append", "merge"] = "overwrite"
    keys: list[str] | None = None
    metadata: dict[str, Any] | None = None

    kind: ClassVar[type]
    source: ClassVar[Callable[[Any], Any]]

    @classmethod
    def name(cls) -> str:
        """`delta`."""
        return NAME

    @classmethod
    def applicable_types(cls) -> Collection[type]:
        """The type that it takes."""
        return [cls.kind]

    def save_data(self, data: Any) -> dict[str, Any]:
        """Save rows; what the commit came to, with the table's id and what was skipped."""
        rows = type(self).source(data)
        if not _one_place(self.dataset, self.path):
            return {NAME: asdict(_artefact(self.path, rows))}
        lake = self.lake or Lake()
        commit = self._written(lake, rows)
        ref = DeltaRef.of_commit(lake, commit)
        return {NAME: {**asdict(commit), "table_id": ref.table_id, "version": ref.version}}

    def _written(self, lake: Lake, rows: Any) -> Commit:
        if self.mode == "merge":
            return lake.merge(self.dataset, rows, self.keys, metadata=self.metadata)
        write = lake.append if self.mode == "append" else lake.overwrite
        return write(self.dataset, rows, metadata=self.metadata)


@dataclass
class RefLoader(DataLoader):  # type: ignore[misc] # Hamilton has no types
    """Loads a reference from the cache, if what it refers to can still be read."""

    path: str

    name = Loader.name

    @classmethod
    def applicable_types(cls) -> Collection[type]:
        """`DeltaRef`."""
        return [DeltaRef]

    def load_data(self, type_: type | None) -> tuple[DeltaRef, dict[str, Any]]:
        """The reference.

        Raises:
            ResultRetrievalError: The cache asks, and what it refers to is lost.
        """
        with _for_the_cache(type_):
            ref = DeltaRef(**json.loads(Path(self.path).read_text(encoding="utf-8")))
            snapshot = ref.snapshot()
            for _ in snapshot.scan(snapshot.schema.names[:1]):
                pass  # each of its files is there
        return ref, {NAME: asdict(ref)}


@dataclass
class RefSaver(DataSaver):  # type: ignore[misc] # Hamilton has no types
    """Saves a reference in the cache."""

    path: str

    name = Saver.name

    @classmethod
    def applicable_types(cls) -> Collection[type]:
        """`DeltaRef`."""
        return [DeltaRef]

    def save_data(self, data: DeltaRef) -> dict[str, Any]:
        """Write it as JSON."""
        reference = {column.name: getattr(data, column.name) for column in fields(data)}
        Path(self.path).write_text(json.dumps(reference), encoding="utf-8")
        return {NAME: reference}


def register() -> None:
    """Make the adapters and fingerprints known to Hamilton, once."""
    if NAME in registry.LOADER_REGISTRY:
        return
    for adapter in (RefLoader, RefSaver, *_pairs()):
        registry.register_adapter(adapter)
    fingerprinting.hash_value.register(DeltaRef, _of_ref)
    fingerprinting.hash_value.register(pa.Table, _of_table)


def _pairs() -> list[type]:
    adapters = _pair(pa.Table, lambda reader: reader.read_all(), lambda rows: rows)
    adapters += _pair(pa.RecordBatchReader, lambda reader: reader, lambda rows: rows)
    if find_spec(lean.PANDAS):
        lean.admit(lean.PANDAS)
        import pandas as pd  # noqa: PLC0415 - Hamilton needs it, we do not

        adapters += _pair(pd.DataFrame, lambda reader: reader.read_all().to_pandas(), _from_pandas)
    if find_spec("polars"):
        import polars as pl  # noqa: PLC0415 - optional

        adapters += _pair(pl.DataFrame, lambda reader: pl.from_arrow(reader.read_all()), _same)
    return adapters


def _pair(
    kind: type, made: Callable[[pa.RecordBatchReader], Any], source: Callable[[Any], Any]
) -> list[type]:
    title = f"{kind.__module__.partition('.')[0].title()}{kind.__name__}"
    loader = type(f"{title}Loader", (Loader,), {"kind": kind, "made": staticmethod(made)})
    saver = type(f"{title}Saver", (Saver,), {"kind": kind, "source": staticmethod(source)})
    for adapter in (loader, saver):
        # The cache pickles loaders, by the names of their classes.
        adapter.__module__ = __name__
        globals()[adapter.__name__] = adapter
    return [loader, saver]


def _same(rows: Any) -> Any:
    return rows


def _from_pandas(frame: Any) -> pa.Table:
    if type(frame.index).__name__ != "RangeIndex":
        raise SchemaError(
            f"the frame has the index {frame.index.name or 'without a name'}, which Delta has not",
            hint="call `reset_index()`, with `drop=True` where it means nothing",
        )
    return pa.Table.from_pandas(frame, preserve_index=False)


def _artefact(path: str, rows: Any) -> Commit:
    source = Source.of(rows)
    schema = plain_schema(source.schema)
    with explained(f"no table could be made at {path}", LakeError):
        handle = DeltaTable.create(path, schema, mode="overwrite")
    return overwrite(handle, ARTEFACT, source, Write())


def _one_place(dataset: str, path: str) -> bool:
    """Whether a dataset is meant and no path.

    Raises:
        NameRefused: Both are, or neither.
    """
    if bool(dataset) == bool(path):
        raise NameRefused("`delta` needs a dataset or a path", hint="give one of `dataset`, `path`")
    return bool(dataset)


@contextmanager
def _for_the_cache(type_: type | None) -> Any:
    """Let the cache compute again what it cannot load; it alone asks without a type."""
    try:
        yield
    except (LakeError, OSError, ValueError, TypeError) as error:
        if type_ is None:
            raise ResultRetrievalError(str(error)) from error
        raise


def _of_ref(ref: DeltaRef, *_: Any, **__: Any) -> str:
    identity = json.dumps([ref.dataset, ref.table_id, ref.version])
    return str(fingerprinting.hash_value(identity))


def _of_table(rows: pa.Table, *_: Any, **__: Any) -> str:
    return f"{fingerprint(rows.schema)}{content_fingerprint(rows.to_batches())}"
