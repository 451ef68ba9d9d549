"""Checkpoints of queries: where they are, what they say, how a query goes on from given offsets.

They lie in the folder of local state, or in the bucket of a lake that is in one.

A query's folder holds generations; `current.json` names the one in force, the offsets that it began at, and the
application id and number of its first batch. The id survives the checkpoint and numbers go on rising, while Spark
counts the batches of each generation from 0: a batch that Spark takes for an early one is never skipped as done.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeshelf.errors import StreamError
from lakeshelf.lake.place import folders
from lakeshelf.lake.place.errors import StorageError
from lakeshelf.lake.place.folders import BucketFolder, Folder
from lakeshelf.streams.commit.ledger import Offsets

Starting = Mapping[str, Mapping[str, int]]
Place = Path | str
"""Folder of the checkpoints, or its address."""
EARLIEST = -2
POINTER = "current.json"
SHUFFLE_PARTITIONS = "2"
"""Spark freezes their number in a checkpoint, and does not go on from a batch that lacks it."""


@dataclass(frozen=True)
class Checkpoint:
    """The generation in force of one query.

    Attributes:
        path: Folder that Spark gets.
        starting: Topic → partition → first offset of this generation; topics left out begin at the earliest.
        app_id: Application id of its batches; None: the id of Spark's query, as in lakes of old.
        base: Number of its first batch.
    """

    path: Folder
    starting: Starting
    app_id: str | None = None
    base: int = 0

    def identity(self) -> str:
        """Application id of its batches.

        Raises:
            StreamError: It is Spark's, and the metadata file is missing or damaged.
        """
        return self.app_id or self.query_id()

    def query_id(self) -> str:
        """Id that Spark gave the query when the checkpoint was made.

        Raises:
            StreamError: The metadata file is missing or damaged.
            StorageError: The bucket does not answer, or refuses.
        """
        file = self.path / "metadata"
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["id"])
        except StorageError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StreamError(
                f"checkpoint {self.path} has no readable metadata",
                hint="run `lakeshelf continue`",
            ) from error

    def offsets(self, batch_id: int) -> Offsets:
        """Offsets of a batch: topic → partition → (from, until)."""
        until = self.until(batch_id)
        before = self.until(batch_id - 1) if batch_id > 0 else self.starting
        return {
            topic: {p: (before.get(topic, {}).get(p, 0), end) for p, end in partitions.items()}
            for topic, partitions in until.items()
        }

    def offsets_of(self, number: int) -> Offsets:
        """Offsets of the batch of a number."""
        return self.offsets(number - self.base)

    def until(self, batch_id: int) -> Starting:
        """End offsets of a batch, from Spark's offset log; empty when that has been cleaned up."""
        try:
            text = (self.path / "offsets" / str(batch_id)).read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        merged: dict[str, dict[str, int]] = {}
        for line in text.splitlines()[2:]:
            merged.update(json.loads(line) if line != "-" else {})
        return merged

    def last_committed(self) -> int | None:
        """Highest batch id in the commit log."""
        return max(_batch_ids(self.path / "commits"), default=None)

    def reached(self) -> Starting:
        """Offsets below which everything is folded, published and committed."""
        last = self.last_committed()
        return self.starting if last is None else self.until(last) or self.starting

    def unfinished(self) -> int | None:
        """Batch id that has offsets and no commit."""
        last = max(_batch_ids(self.path / "offsets"), default=None)
        return None if last == self.last_committed() else last

    def next_number(self) -> int:
        """Number behind that of the last batch that Spark has committed."""
        last = self.last_committed()
        return self.base if last is None else self.base + last + 1


def begun(root: Place) -> list[str]:
    """Queries that have a checkpoint."""
    folder = folders.at(root)
    return sorted(name for name in folders.names(folder) if has_begun(root, name))


def has_begun(root: Place, query: str) -> bool:
    """Whether a query has a checkpoint."""
    return (folders.at(root) / query / POINTER).exists()


def generations(root: Place, query: str) -> list[int]:
    """Generations of a query that have a folder."""
    return sorted(_batch_ids(folders.at(root) / query))


def current(root: Place, query: str) -> Checkpoint:
    """The checkpoint in force; a query that never ran begins with generation 0."""
    folder = folders.at(root) / query
    pointer = folder / POINTER
    if not pointer.exists():
        return begin(root, query, {})
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
        return Checkpoint(
            folder / str(content["generation"]),
            {topic: dict(parts) for topic, parts in content["starting"].items()},
            content.get("app_id"),
            int(content.get("base", 0)),
        )
    except StorageError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StreamError(
            f"{pointer} is damaged: {error}", hint="run `lakeshelf continue`"
        ) from error


def begin(
    root: Place,
    query: str,
    starting: Starting,
    app_id: str | None = None,
    base: int = 0,
    *,
    first: Starting | None = None,
) -> Checkpoint:
    """Begin a new generation; the old ones stay as they are.

    Args:
        root: Folder of the checkpoints.
        query: Name of the query.
        starting: Where it begins.
        app_id: Application id of its batches; None: the query's name.
        base: Number of its first batch.
        first: Where that batch ends, if it was begun before and has to be done again; None: wherever Spark ends it.
    """
    folder = folders.at(root) / query
    named, tag = _named(folder / POINTER)
    known = generations(root, query)
    generation = max((named, *known)) + 1
    new = Checkpoint(folder / str(generation), starting, app_id or query, base)
    if first is not None:
        _log_offsets(new, first)
    pointer = {"generation": generation, "starting": starting, "app_id": new.app_id, "base": base}
    content = json.dumps(pointer, sort_keys=True).encode()
    if isinstance(folder, BucketFolder):
        (folder / POINTER).swap(content, tag)  # no other driver has begun one meanwhile
    else:
        folders.write(folder / POINTER, content)
    if isinstance(folder, BucketFolder):  # where each start of a driver begins one
        for old in known[:-1]:
            (folder / str(old)).remove()
    return new


def _named(pointer: Folder) -> tuple[int, str | None]:
    """The generation that a pointer in a bucket names, in which nothing may be written yet, and its tag."""
    if not isinstance(pointer, BucketFolder):
        return -1, None
    try:
        content, tag = pointer.tagged()
    except FileNotFoundError:
        return -1, None
    try:
        return int(json.loads(content)["generation"]), tag
    except (ValueError, KeyError, TypeError):
        return -1, tag


def _log_offsets(new: Checkpoint, until: Starting) -> None:
    """Write what Spark would have written before its first batch, so that it begins with exactly that one."""
    frozen = {"spark.sql.shuffle.partitions": SHUFFLE_PARTITIONS}
    watermark = json.dumps({"batchWatermarkMs": 0, "batchTimestampMs": 0, "conf": frozen})
    folders.write(new.path / "metadata", json.dumps({"id": str(uuid.uuid4())}).encode())
    lines = "\n".join(("v1", watermark, json.dumps(until)))
    folders.write(new.path / "offsets" / "0", lines.encode())


def problems(checkpoint: Checkpoint) -> list[str]:
    """What is wrong with a checkpoint, one line each; empty when Spark can go on from it."""
    if not checkpoint.path.exists():
        return []
    offsets, commits = (_batch_ids(checkpoint.path / log) for log in ("offsets", "commits"))
    begun = bool(offsets or commits)
    damage = (
        ["metadata is missing"] if begun and not (checkpoint.path / "metadata").exists() else []
    )
    if not offsets and commits:
        damage.append("the offset log is empty, the commit log is not")
    for name, ids in (("offsets", offsets), ("commits", commits)):
        gaps = sorted(set(range(min(ids, default=0), max(ids, default=-1) + 1)) - ids)
        damage += [f"{name}/{gap} is missing" for gap in gaps]
    last, done = max(offsets, default=-1), max(commits, default=-1)
    if offsets and not 0 <= last - done <= 1:
        committed = f"last commit of batch {done}" if commits else "there is no commit"
        damage.append(f"last offsets are of batch {last}, {committed}")
    damage += [
        f"offsets/{i} is truncated"
        for i in sorted(offsets)
        if not _complete(checkpoint.path / "offsets" / str(i))
    ]
    return damage


def _batch_ids(folder: Folder) -> set[int]:
    return {int(name) for name in folders.names(folder) if name.isdigit()}


def _complete(file: Folder) -> bool:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        return len(lines) >= 3 and all(
            isinstance(json.loads(line), dict) for line in lines[1:] if line != "-"
        )
    except ValueError:
        return False
