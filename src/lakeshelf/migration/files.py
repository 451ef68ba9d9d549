"""Files of a source: which there are, which partitions their folders name, and what their content is."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lakeshelf.lake.export import NULL
from lakeshelf.lake.place.errors import Conflict, Damaged, NotFound, StorageError, explained

MAGIC = b"PAR1"
_DELTA = "_delta_log"


@dataclass(frozen=True)
class SourceFile:
    """A parquet file of a source.

    Attributes:
        path: Where it is.
        name: Its path below the source, by which the ledger knows it.
        partition: Columns that its folders name (`store_id=7`), and their values as text; None is null.
        size: Bytes.
    """

    path: Path
    name: str
    partition: dict[str, str | None] = field(hash=False)
    size: int

    def digest(self) -> int:
        """The first 63 bits of the hash of its content: Delta keeps numbers of that size beside the rows."""
        with self.path.open("rb") as file:
            hashed = hashlib.file_digest(file, "blake2b").digest()
        return int.from_bytes(hashed[:8], "big") >> 1


def discover(source: Path, *, hive: bool = True) -> list[SourceFile]:
    """The parquet files of a file or folder, in the order of their names.

    Args:
        source: The file or folder. What begins with a dot or an underscore does not count, as in Spark, unless it
            is a partition (`_year=2020`).
        hive: Whether folders `column=value` are partitions.

    Raises:
        NotFound: Nothing is there, or no file.
        Conflict: It is a Delta table, whose files are not all its rows.
        Damaged: A file is no parquet file; a link to a folder, which could lead anywhere.
    """
    if not source.exists():
        raise NotFound(f"no {source}", hint="give a parquet file or a folder of them")
    with explained(f"{source} cannot be listed", StorageError):
        paths = [source] if source.is_file() else sorted(_below(source))
    if not paths:
        raise NotFound(f"{source} has no parquet files", hint="give the folder that holds them")
    base = source.parent if source.is_file() else source
    return [_file(path, base, hive) for path in paths]


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        if _DELTA in folders:
            raise Conflict(
                f"{place} is a Delta table already", hint="read it with `lakeshelf --lake`"
            )
        folders[:] = [name for name in folders if not _is_ignored(name)]
        for name in folders:
            if (Path(place) / name).is_symlink():
                raise Damaged(f"{place}/{name} is a link", hint="give the folder that it leads to")
        yield from (Path(place) / name for name in names if not _is_ignored(name))


def _is_ignored(name: str) -> bool:
    return name.startswith(".") or (name.startswith("_") and "=" not in name)


def _file(path: Path, base: Path, hive: bool) -> SourceFile:
    size = path.stat().st_size
    name = path.relative_to(base)
    if size < 2 * len(MAGIC) or not _has_magic(path):
        raise Damaged(
            f"{name} is no parquet file, or was cut off",
            hint=f"restore it, or take it out of {base}; nothing was written",
        )
    pairs = [part.partition("=") for part in name.parent.parts if "=" in part] if hive else []
    return SourceFile(path, name.as_posix(), {unquote(k): _value(v) for k, _, v in pairs}, size)


def _has_magic(path: Path) -> bool:
    with path.open("rb") as file:
        first = file.read(len(MAGIC))
        file.seek(-len(MAGIC), os.SEEK_END)
        return first == file.read() == MAGIC


def _value(text: str) -> str | None:
    # Delta keeps no empty value of a partition: it reads one as null.
    return None if text in (NULL, "") else unquote(text)
