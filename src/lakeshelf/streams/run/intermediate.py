"""What is known of a batch between the steps of the protocol (`lakeshelf.streams.run.batch`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeshelf.lake.form.commits import Commit
from lakeshelf.streams.commit.committers.base import Rows
from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.commit.updates import TableChange
from lakeshelf.streams.run.parts import BatchPart
from lakeshelf.streams.take.parse import originals
from lakeshelf.streams.take.refusal import Refused

Record = dict[str, Any]
Places = Iterable[tuple[int, int]]
"""Partition and offset of records of one topic."""


def place(row: Mapping[str, Any]) -> tuple[int, int]:
    """Where a record stands in its topic."""
    return row["kafka_partition"], row["kafka_offset"]


def recount(
    counts: Mapping[str, Counts],
    refused: Iterable[Refused],
    repeats: Mapping[str, Iterable[tuple[int, int]]],
) -> None:
    """Count what is refused after all: it is neither valid nor a duplicate, whichever it was counted as.

    Args:
        counts: Topic → its counts, which are changed.
        refused: What is refused.
        repeats: Topic → where its duplicates stand.
    """
    for r in refused:
        of_topic = counts[r.topic]
        of_topic.quarantined += 1
        if (r.partition, r.offset) in repeats.get(r.topic, ()):
            of_topic.duplicate -= 1
        else:
            of_topic.valid -= 1


@dataclass
class Batch(Generic[Rows]):
    """What is known of a batch on its way through the steps."""

    batch_id: int
    frame: DataFrame
    taken: Rows
    started: float
    appended_at: datetime
    counts: dict[str, Counts]
    relations: dict[str, Rows] = field(default_factory=dict)
    fates: dict[str, pa.Table] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    held: dict[str, pa.Table] = field(default_factory=dict)
    commits: list[Future[Commit]] = field(default_factory=list)
    changes: list[TableChange[Rows]] = field(default_factory=list)
    part: BatchPart | None = None
    latest: dict[str, datetime] = field(default_factory=dict)

    def versions(self) -> dict[str, int]:
        """Table → version that it committed, once that is done."""
        changes = (change.commit for change in self.changes if change.commit is not None)
        made = [future.result() for future in (*self.commits, *changes)]
        return {c.table: c.version for c in made if c.version is not None and c.rows}

    def originals(self, topic: str, positions: Places) -> list[Record]:
        """Records of the batch as they came, at the named partitions and offsets."""
        named = [f"{partition}:{offset}" for partition, offset in positions]
        kept = self.frame.where(F.col("topic") == topic).where(
            F.concat_ws(":", "kafka_partition", "kafka_offset").isin(named)
        )
        return originals(kept)
