"""Export: a dataset at one version as parquet files that no longer belong to the lake.

The folder appears whole or not at all. Beside the files stands `_export.json`: what they are, of which version, and
the fingerprint of their rows.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshelf.files import write_atomically
from lakeshelf.lake.place.errors import Conflict, NameRefused, StorageError, explained
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.lake.rows.fingerprints import RowSums
from lakeshelf.lake.rows.snapshot import Snapshot

NOTE = "_export.json"
NULL = "__HIVE_DEFAULT_PARTITION__"
"""How a partition's folder says null, in Hive, Spark and pyarrow."""
FILE_BYTES = 256 * 1024 * 1024
"""Size at which a file is closed and the next one begun."""


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        dataset: The dataset.
        version: Its version.
        table_id: Id of its table; another one when it is created again.
        rows: Rows.
        fingerprint: Fingerprint of the rows (`lakeshelf.lake.rows.fingerprints`).
        exported_at: When, UTC.
        partition_by: Columns that stand in the names of folders, not in the files.
        files: Files, relative to the folder.
        path: The folder.
    """

    dataset: str
    version: int
    table_id: str
    rows: int
    fingerprint: str
    exported_at: datetime
    partition_by: tuple[str, ...]
    files: tuple[str, ...]
    path: str

    def as_json(self) -> dict[str, Any]:
        """The record as `_export.json` has it: without the place, since the folder may be moved."""
        shown = asdict(self)
        del shown["path"]
        lists = {"partition_by": list(self.partition_by), "files": list(self.files)}
        return shown | lists | {"exported_at": self.exported_at.isoformat()}


def export(
    snapshot: Snapshot,
    root: Root,
    dest: Path | str,
    now: datetime,
    *,
    force: bool = False,
    file_bytes: int = FILE_BYTES,
) -> Export:
    """Write the rows of a snapshot as parquet, in folders `column=value` where it has partitions.

    Args:
        snapshot: The dataset at its version.
        root: The lake, in which nothing is exported.
        dest: Folder that is empty or not there.
        now: The present time.
        force: Whether a folder that is an export is replaced.
        file_bytes: Size at which a file is closed.

    Raises:
        NameRefused: The folder lies in the lake, or the lake in it.
        Conflict: The folder holds something else.
        StorageError: Disk or permissions.
        Vacuumed: Files of the version are gone.
    """
    folder = _checked(Path(dest), root, force)
    with explained(f"{snapshot.dataset.name} was not exported to {folder}", StorageError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
        try:
            made = replace(_written(snapshot, part, now, file_bytes), path=str(folder))
            note = json.dumps(made.as_json(), indent=1, ensure_ascii=False)
            write_atomically(part / NOTE, note.encode())
            part.chmod(0o755)
            _put(part, folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return made


def _checked(dest: Path, root: Root, force: bool) -> Path:
    folder = dest.expanduser().resolve()
    lake = root.folder.resolve() if root.folder is not None else None
    if lake is not None and (folder.is_relative_to(lake) or lake.is_relative_to(folder)):
        raise NameRefused(
            f"{folder} and the lake {lake} lie in each other", hint="export to a folder outside it"
        )
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return folder
    if not (folder / NOTE).is_file():
        raise Conflict(f"{folder} holds something that is no export", hint="name another folder")
    if not force:
        raise Conflict(f"{folder} is an export already", hint="`--force` replaces it")
    return folder


def _put(part: Path, folder: Path) -> None:
    """Rename the finished folder to its place; an export that was there is removed when the new one stands."""
    if not (folder / NOTE).is_file():
        part.rename(folder)
        return
    old = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.old."))
    folder.rename(old)
    part.rename(folder)
    shutil.rmtree(old)


def _written(snapshot: Snapshot, part: Path, now: datetime, file_bytes: int) -> Export:
    content = RowSums(snapshot.schema)
    files: list[str] = []
    for where, values in _partitions(snapshot):
        folder = part.joinpath(*(f"{column}={_folder(v)}" for column, v in values.items()))
        rows = _counted(snapshot.scan(where=where), content)
        kept = [name for name in snapshot.schema.names if name not in values]
        schema = pa.schema([snapshot.schema.field(name) for name in kept])
        written = _files(folder, (batch.select(kept) for batch in rows), schema, file_bytes)
        files.extend(file.relative_to(part).as_posix() for file in written)
    return Export(
        dataset=snapshot.dataset.name,
        version=snapshot.version,
        table_id=snapshot.table_id,
        rows=content.rows,
        fingerprint=content.fingerprint,
        exported_at=now,
        partition_by=tuple(snapshot.handle.metadata().partition_columns),
        files=tuple(files),
        path=str(part),
    )


def _counted(rows: pa.RecordBatchReader, content: RowSums) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        content.add(batch)
        yield batch


def _partitions(snapshot: Snapshot) -> Iterator[tuple[list[Condition], dict[str, Any]]]:
    """Conditions and values of each partition; one without either where there are none."""
    columns = list(snapshot.handle.metadata().partition_columns)
    if not columns:
        yield [], {}
        return
    partitions: set[tuple[Any, ...]] = set()
    for batch in snapshot.scan(columns=columns):
        distinct = pa.Table.from_batches([batch]).group_by(columns).aggregate([])
        partitions |= {tuple(row[c] for c in columns) for row in distinct.to_pylist()}
    for values in sorted(partitions, key=repr):
        pairs = list(zip(columns, values, strict=True))
        yield [(c, "is null") if v is None else (c, "=", v) for c, v in pairs], dict(pairs)


def _files(
    folder: Path, batches: Iterator[pa.RecordBatch], schema: pa.Schema, file_bytes: int
) -> Iterator[Path]:
    """Write files of bounded size, at least one: an empty one keeps the columns of no rows."""
    folder.mkdir(parents=True, exist_ok=True)
    number, batch = 0, next(batches, None)
    while number == 0 or batch is not None:
        path = folder / f"part-{number:05}.parquet"
        with path.open("wb") as file, pq.ParquetWriter(file, schema, compression="zstd") as writer:
            while batch is not None:
                writer.write_batch(batch)
                batch = next(batches, None)
                if file.tell() >= file_bytes:
                    break
        _sync(path)
        yield path
        number += 1


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _folder(value: Any) -> str:
    if value is None:
        return NULL
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return quote(text, safe=" -_.")
