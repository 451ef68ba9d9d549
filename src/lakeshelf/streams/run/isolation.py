"""Isolation: a batch that cannot be done is done in parts, until the record that it fails for stands alone.

1. A batch is tried as a whole. `lakeshelf.streams.run.trials` knows of every try, also of one that its
   process did not survive.
2. After three failures of one kind, or two ends of the process, it is done in parts: by the same steps,
   each part committed once under an identity of its own.
3. A part that fails is cut; a record that fails alone is set aside until all others are done.
4. Then it is tried alone once more. If it fails again, it is quarantined as `unprocessable`.
5. When no part is left, the ledger gets the row of the batch.

What fails for the broker, the disk or another writer is no reason to look for a record: the batch is
tried again for as long as that lasts. Nor is a cause that every record meets: when nothing was done
since three records were isolated, the next one that fails alone stops the query.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from py4j.protocol import Py4JError
from pyspark.sql import DataFrame

from lakeshelf.counts import count_of
from lakeshelf.errors import StreamError
from lakeshelf.logs import log
from lakeshelf.streams.commit.ledger import Counts, Offsets
from lakeshelf.streams.run.failure import LOST_LEASE, describe, has_nothing_to_do_with_records
from lakeshelf.streams.run.parted import Outcome, PartedProcessor
from lakeshelf.streams.run.parts import BatchPart, Positions
from lakeshelf.streams.run.trials import CERTAIN, MOST_IN_A_ROW, BatchTrial, Suspect, Trials


class Isolation:
    """Has the batches of one query processed.

    Args:
        kept: The file of the query's tries.
        offsets: Offsets of a batch, as the checkpoint has them.
        renew: Makes a processor after a failure, which may have left the last one in any state.
        stopping: Set when the query shall end.
    """

    def __init__(
        self,
        kept: Trials,
        offsets: Callable[[int], Offsets],
        renew: Callable[[int], PartedProcessor[Any]],
        stopping: threading.Event,
    ) -> None:
        self._kept = kept
        self._offsets = offsets
        self._renew = renew
        self._stopping = stopping
        self._processor: PartedProcessor[Any] | None = None
        self._timed = (-1, datetime.now(UTC))
        self.trial = BatchTrial()
        """What is known of the latest batch."""

    @property
    def appended_at(self) -> Mapping[str, datetime]:
        """Topic → broker's time of the newest record that was folded since the start."""
        return {} if self._processor is None else self._processor.appended_at

    def begin_anew(self) -> None:
        """Have a processor made before the next batch."""
        self._processor = None

    def process(self, frame: DataFrame, batch_id: int) -> None:
        """Process a batch, in parts if it must be.

        Raises:
            Exception: What it failed for; it is to be tried again.
        """
        fresh, processor = self._processor is None, self._processor or self._renew(batch_id)
        self._processor = processor
        trial = self.trial = self._kept.begin(processor.app_id, batch_id, self._offsets(batch_id))
        parted = fresh and trial.parts is None and processor.has_begun_parts(batch_id)
        if not parted and not trial.asks_for_parts and self._whole(trial, frame):
            return
        if trial.parts is None:
            at_hand = self._at_hand(trial)
            at_hand.begin_parts(batch_id)
            committed = at_hand.committed_parts(batch_id) if parted else ()
            trial.cut(Positions(trial.offsets).whole, committed)
        self._in_parts(trial, frame)

    def _whole(self, trial: BatchTrial, frame: DataFrame) -> bool:
        """Try the batch as a whole; False when it is to be done in parts instead."""
        self._begin(trial, None)
        try:
            counts = self._at_hand(trial)(frame, trial.batch_id)
        except Exception as error:
            self._note_failure(trial, error, trial.failed)
            if not trial.asks_for_parts:
                raise
            return False
        trial.done(counts)
        self._kept.keep(trial)
        return True

    def _in_parts(self, trial: BatchTrial, frame: DataFrame) -> None:
        positions = Positions(trial.offsets)
        while (part := trial.next_part()) is not None:
            if self._stopping.is_set():
                raise InterruptedError("the query is stopping")
            self._part(trial, part, positions, frame)
        processor = self._at_hand(trial)
        processor.conclude(
            trial.batch_id,
            {topic: Counts(**counts) for topic, counts in trial.counts.items()},
            trial.versions,
        )
        trial.running = False
        self._kept.keep(trial)

    def _part(
        self, trial: BatchTrial, part: BatchPart, positions: Positions, frame: DataFrame
    ) -> None:
        suspect = trial.suspect(part)
        try:
            if suspect is not None:
                self._suspected(trial, suspect, part, positions, frame)
            else:
                self._begin(trial, part)
                trial.part_done(part, *self._try(trial, part, positions, frame))
        except Exception as error:
            self._note_failure(trial, error, partial(trial.part_failed, part))
            if suspect is not None and not suspect.tried:
                raise

    def _try(
        self, trial: BatchTrial, part: BatchPart, positions: Positions, frame: DataFrame
    ) -> Outcome:
        processor = self._at_hand(trial)
        if self._timed[0] != trial.batch_id:
            self._timed = (trial.batch_id, processor.time_of(frame))
        return processor.part(frame, trial.batch_id, positions, part, self._timed[1])

    def _suspected(
        self,
        trial: BatchTrial,
        suspect: Suspect,
        part: BatchPart,
        positions: Positions,
        frame: DataFrame,
    ) -> None:
        """Try a record alone once more, or leave it out; both only where nothing can be done all right."""
        processor, number = self._at_hand(trial), trial.batch_id
        certain = suspect.times >= CERTAIN or processor.has_refused(number, part)
        self._begin(trial, part, tried=False)
        if certain and trial.unproven >= MOST_IN_A_ROW:
            raise _every_record_fails(trial, suspect)
        self._try(trial, part.nothing, positions, frame)
        if certain:
            outcome = processor.refuse(frame, number, positions, part, suspect.failure)
            trial.part_done(part, *outcome)
            trial.note_isolated(f"{positions.text(part)}: {suspect.failure}")
            log.warning("record isolated", record=positions.text(part), failure=suspect.failure)
        else:
            self._begin(trial, part, tried=True)
            trial.part_done(part, *self._try(trial, part, positions, frame))

    def _begin(self, trial: BatchTrial, part: BatchPart | None, *, tried: bool = True) -> None:
        trial.begin(part, tried=tried)
        self._kept.keep(trial)

    def _note_failure(
        self, trial: BatchTrial, error: Exception, note: Callable[[str], None]
    ) -> None:
        """Note how a try failed.

        Raises:
            Exception: The failure itself, if it has nothing to do with a record. What ended the JVM ends
                this process too, and is noted by the next one.
        """
        self._processor = None
        log.error("try failed", exc_info=error)
        if isinstance(error, Py4JError) and LOST_LEASE not in str(error):
            raise error
        if has_nothing_to_do_with_records(error):
            trial.ended()
            self._kept.keep(trial)
            raise error
        note(f"{type(error).__name__}: {describe(str(error))}")
        self._kept.keep(trial)

    def _at_hand(self, trial: BatchTrial) -> PartedProcessor[Any]:
        if self._processor is None:
            self._processor = self._renew(trial.batch_id)
        return self._processor


def _every_record_fails(trial: BatchTrial, suspect: Suspect) -> StreamError:
    return StreamError(
        f"{count_of(trial.unproven, 'record')} isolated, and the next one fails as well: {suspect.failure}",
        hint="the cause is not in the records; see the log of the streams driver",
    )
