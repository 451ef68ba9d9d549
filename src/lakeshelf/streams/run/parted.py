"""Steps of the batch protocol for parts of a batch (`lakeshelf.streams.run.isolation`)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import UNPROCESSABLE
from lakeshelf.lake.form import metadata
from lakeshelf.lake.form.commits import Txn, is_committed
from lakeshelf.lake.write import writing
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.base import Rows
from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.job import CLOCK, relations
from lakeshelf.streams.resume.continuity import BATCH
from lakeshelf.streams.run import measuring
from lakeshelf.streams.run.batch import BatchProcessor
from lakeshelf.streams.run.intermediate import Batch
from lakeshelf.streams.run.parts import PART, BatchPart, Positions
from lakeshelf.streams.take.parse import originals
from lakeshelf.streams.take.refusal import QUARANTINE, Refused, refuse

PART_COMMITS = 1000
"""So many commits back parts of a batch are looked for that another driver has done."""
Outcome = tuple[Mapping[str, Counts], Mapping[str, int]]
"""Topic → what became of its records; table → version that was committed."""


class PartedProcessor(BatchProcessor[Rows]):
    """Processes batches whole or, where that cannot be, in parts.

    Each part is committed under an identity of its own, made of the batch and the stretch that it is; what
    a table has of a wider stretch is not committed again.
    """

    def begin_parts(self, batch_id: int) -> None:
        """Note in the lake that the batch is done in parts from now on, whatever else is lost."""
        books = self._sink.books
        write = books.write(self._parted(batch_id))
        writing.note(books.handle(ledger.LEDGER), ledger.LEDGER, write)

    def has_begun_parts(self, batch_id: int) -> bool:
        """Whether parts of the batch may be committed."""
        return is_committed(self._sink.books.handle(ledger.LEDGER), self._parted(batch_id))

    def committed_parts(self, batch_id: int) -> set[tuple[int, int]]:
        """Stretches of the batch that tables hold, also where another driver has cut them."""
        entries = (
            metadata.custom(entry).get(BATCH) or {}
            for name in self._plan.tables
            for entry in self._sink.books.handle(name).history(PART_COMMITS)
        )
        return {
            (batch[PART][0], batch[PART][1])
            for batch in entries
            if PART in batch and (batch["app_id"], batch["number"]) == (self.app_id, batch_id)
        }

    def time_of(self, frame: DataFrame) -> datetime:
        """Time of a batch, which all its parts have: that of its latest record."""
        latest = frame.agg(F.max("kafka_timestamp").alias("latest")).toArrow()["latest"]
        return latest[0].as_py() or self._clock()

    def part(
        self, frame: DataFrame, batch_id: int, positions: Positions, part: BatchPart, at: datetime
    ) -> Outcome:
        """Steps 1 to 5 for a part of a batch; nothing is decided for the sake of time alone.

        Args:
            frame: Records of the batch.
            batch_id: The batch.
            positions: Its positions.
            part: Which of them.
            at: Time of the batch.
        """
        try:
            offsets = positions.offsets_of(part)
            batch = self._take(_of(frame, positions, part), batch_id, offsets)
            batch.part, batch.appended_at = part, at
            self._fold(batch)
            self.appended_at |= batch.latest
            measuring.records(self._plan.name, {}, batch.refused)
            return batch.counts, batch.versions()
        finally:
            self._sink.end()

    def refuse(
        self, frame: DataFrame, batch_id: int, positions: Positions, part: BatchPart, why: str
    ) -> Outcome:
        """Quarantine the one record of a part, of which nothing is known but that it cannot be processed."""
        try:
            taken = self._sink.begin(frame.limit(0), self._plan.topics)
            refused: list[Refused] = []
            batch: Batch[Rows] = Batch(
                batch_id, frame, taken, time.perf_counter(), self._clock(), {}, part=part
            )
            for record in originals(_of(frame, positions, part)):
                detail = why + self._held(record["topic"], batch)
                refused.append(refuse(record, UNPROCESSABLE, detail))
                batch.counts[record["topic"]] = Counts(rows_in=1, quarantined=1)
            batch.refused = refused
            self._quarantine(batch, refused, self._left_out(batch_id, part))
            self._publish(batch)
            measuring.records(self._plan.name, {}, refused)
            return batch.counts, batch.versions()
        finally:
            self._sink.end()

    def has_refused(self, batch_id: int, part: BatchPart) -> bool:
        """Whether the record of a part stands in quarantine as one that cannot be processed."""
        handle = self._sink.books.handle(QUARANTINE)
        return is_committed(handle, self._left_out(batch_id, part))

    def conclude(
        self, batch_id: int, counts: Mapping[str, Counts], versions: Mapping[str, int]
    ) -> None:
        """Step 6 of a batch whose parts are all done, and what has been read up to."""
        if CLOCK in {topic.name for topic in self._plan.topics}:
            none = intake.schema(CATALOG.topics[CLOCK]).empty_table()
            self._time.advance(none, self._offsets(batch_id))
        self._enter(batch_id, counts, versions, time.perf_counter())
        measuring.records(self._plan.name, counts, ())
        offsets = self._batch_metadata(batch_id)[BATCH]["offsets"]
        measuring.folded(self._plan.name, offsets, versions)

    def _held(self, topic: str, batch: Batch[Rows]) -> str:
        """What there is of a record in the tables although it is refused."""
        if topic not in self._plan.mirrors:
            return ""
        readers = (update.table for update in self._plan.updates if topic in relations(update))
        for table in (f"raw/{topic}", *readers):
            if self._is_committed(table, batch):
                return f"; {table} and what followed hold it, `lakeshelf rebuild` takes it out of the tables"
        return ""

    def _is_committed(self, table: str, batch: Batch[Rows]) -> bool:
        return self._sink.is_committed(table, self._txn(table, batch))

    def _left_out(self, batch_id: int, part: BatchPart) -> Txn:
        return self.identity(f"{QUARANTINE}:{UNPROCESSABLE}", batch_id, part)

    def _parted(self, batch_id: int) -> Txn:
        of_batch = self._batch_metadata(batch_id)
        return Txn(f"{self.app_id}:{ledger.LEDGER}:{batch_id}:parts", 0, metadata=of_batch)


def _of(frame: DataFrame, positions: Positions, part: BatchPart) -> DataFrame:
    """Records of a batch that are of a part."""
    stretches = (
        (F.col("topic") == topic)
        & (F.col("kafka_partition") == partition)
        & F.col("kafka_offset").between(low, high - 1)
        for topic, partition, low, high in positions.of(part)
    )
    return frame.where(reduce(lambda a, b: a | b, stretches, F.lit(False)))
