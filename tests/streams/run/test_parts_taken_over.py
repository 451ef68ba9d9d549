"""A batch that one driver has done in small parts, and another one goes on with, is folded once."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit.ledger import Counts
from lakeshelf.streams.run.intermediate import Batch
from lakeshelf.streams.run.parted import PartedProcessor
from lakeshelf.streams.run.parts import BatchPart, cut_around
from tests.streams import harness
from tests.streams.recover.test_recovery import BOOKS, FIRST

WHOLE = BatchPart(((0, len(FIRST)),))
HALF = WHOLE.split()[0]


def runner(root: Path) -> harness.Runner:
    harness.make(root, harness.folding())
    for name in BOOKS:
        tables.ensure(root, CATALOG.tables[name])
    made = harness.Runner(root)
    made.batch = [(topic, harness.place(made._log, topic, record)) for topic, record in FIRST]
    return made


def fold(made: harness.Runner, part: BatchPart) -> None:
    """Do one part."""
    processor, rows = made._processor, dict[str, list[dict[str, Any]]]()
    for topic, record in made.batch[slice(*part.spans[-1])]:
        rows.setdefault(topic, []).append(record)
    counts = {topic: Counts(len(held), valid=len(held)) for topic, held in rows.items()}
    nothing = cast("Any", None)
    batch: Batch[pa.Table] = Batch(
        0, nothing, pa.table({}), time.perf_counter(), harness.NOW, counts, part=part
    )
    for topic in harness.folding().topics:
        batch.relations[topic.name] = harness.relation(topic, rows.get(topic.name, []))
    processor._sort_out(batch)
    processor._commit_others(batch, processor._commit_awaited(batch))
    processor._sink.settle()


def test_a_part_that_another_driver_has_cut_further_is_cut_as_far(tmp_path: Path) -> None:
    whole, taken_over = runner(tmp_path / "whole"), runner(tmp_path / "taken-over")
    fold(whole, HALF)
    fold(taken_over, HALF.split()[0])
    taken_over.restart()
    committed = PartedProcessor.committed_parts(cast("Any", taken_over._processor), 0)
    assert committed == {HALF.split()[0].spans[-1]}
    for part in cut_around(HALF, committed):
        fold(taken_over, part)
    assert harness.state(taken_over.root) == harness.state(whole.root)
