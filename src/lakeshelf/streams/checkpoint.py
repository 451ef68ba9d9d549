"""Checkpoints of queries: where they are, what they say, how a query goes on from given offsets.

A query's folder holds generations; `current.json` names the one in force and the offsets that it
began at. A new generation has a new query id, so that it never meets an old application id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lakeshelf.errors import StreamError
from lakeshelf.files import write_atomically
from lakeshelf.streams.ledger import Offsets

Starting = Mapping[str, Mapping[str, int]]
EARLIEST = -2
POINTER = "current.json"


@dataclass(frozen=True)
class Checkpoint:
    """The generation in force of one query.

    Attributes:
        path: Folder that Spark gets.
        starting: Topic → partition → first offset of this generation; topics left out begin at the earliest.
    """

    path: Path
    starting: Starting

    def query_id(self) -> str:
        """Id that Spark gave the query when the checkpoint was made.

        Raises:
            StreamError: The metadata file is missing or damaged.
        """
        file = self.path / "metadata"
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["id"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise StreamError(
                f"checkpoint {self.path} has no readable metadata",
                hint="run `lakeshelf doctor`, then `lakeshelf rebuild`",
            ) from error

    def offsets(self, batch_id: int) -> Offsets:
        """Offsets of a batch: topic → partition → (from, until)."""
        until = self.until(batch_id)
        before = self.until(batch_id - 1) if batch_id > 0 else self.starting
        return {
            topic: {p: (before.get(topic, {}).get(p, 0), end) for p, end in partitions.items()}
            for topic, partitions in until.items()
        }

    def until(self, batch_id: int) -> Starting:
        """End offsets of a batch, from Spark's offset log; empty when that has been cleaned up."""
        file = self.path / "offsets" / str(batch_id)
        if not file.exists():
            return {}
        merged: dict[str, dict[str, int]] = {}
        for line in file.read_text(encoding="utf-8").splitlines()[2:]:
            merged.update(json.loads(line) if line != "-" else {})
        return merged

    def last_committed(self) -> int | None:
        """Highest batch id in the commit log."""
        return max(
            (int(f.name) for f in (self.path / "commits").glob("[0-9]*") if f.name.isdigit()),
            default=None,
        )


def current(root: Path, query: str) -> Checkpoint:
    """The checkpoint in force; a query that never ran begins with generation 0."""
    folder = root / query
    pointer = folder / POINTER
    if not pointer.exists():
        return begin(root, query, {})
    try:
        content = json.loads(pointer.read_text(encoding="utf-8"))
        return Checkpoint(folder / str(content["generation"]), content["starting"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StreamError(
            f"{pointer} is damaged: {error}", hint="run `lakeshelf rebuild`"
        ) from error


def begin(root: Path, query: str, starting: Starting) -> Checkpoint:
    """Begin a new generation at `starting`; the old ones stay as they are."""
    folder = root / query
    folder.mkdir(parents=True, exist_ok=True)
    used = [int(f.name) for f in folder.iterdir() if f.name.isdigit()]
    generation = max(used, default=-1) + 1
    pointer = json.dumps({"generation": generation, "starting": starting}, sort_keys=True)
    write_atomically(folder / POINTER, pointer.encode())
    return Checkpoint(folder / str(generation), starting)


def problems(checkpoint: Checkpoint) -> list[str]:
    """What is wrong with a checkpoint, one line each; empty when Spark can go on from it."""
    if not checkpoint.path.exists():
        return []
    found = [] if (checkpoint.path / "metadata").exists() else ["metadata is missing"]
    offsets, commits = (_batch_ids(checkpoint.path / log) for log in ("offsets", "commits"))
    if not offsets and commits:
        found.append("the offset log is empty, the commit log is not")
    for name, ids in (("offsets", offsets), ("commits", commits)):
        gaps = sorted(set(range(min(ids, default=0), max(ids, default=-1) + 1)) - ids)
        found += [f"{name}/{gap} is missing" for gap in gaps]
    last, done = max(offsets, default=-1), max(commits, default=-1)
    if offsets and not 0 <= last - done <= 1:
        committed = f"last commit of batch {done}" if commits else "there is no commit"
        found.append(f"last offsets are of batch {last}, {committed}")
    found += [
        f"offsets/{i} is truncated"
        for i in sorted(offsets)
        if not _complete(checkpoint.path / "offsets" / str(i))
    ]
    return found


def _batch_ids(folder: Path) -> set[int]:
    return {int(f.name) for f in folder.glob("*") if f.name.isdigit()}


def _complete(file: Path) -> bool:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        return len(lines) >= 3 and all(
            isinstance(json.loads(line), dict) for line in lines[1:] if line != "-"
        )
    except ValueError:
        return False
