# ruff: noqa: S311 - faults are repeatable, not secret
"""Faults put into a stream of clean events: repeats, late and malformed records."""

from __future__ import annotations

import random
import tempfile
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from replay_malformed import CASES, Malformed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from replay_plan import ReplayPlan

DUPLICATE = "duplicate"
LATE = "late"
MALFORMED = "malformed:"

RECORD = pa.schema(
    [
        pa.field("topic", pa.string(), nullable=False),
        pa.field("key", pa.binary()),
        pa.field("value", pa.binary()),
        pa.field("event_time", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("fault", pa.string()),
    ]
)
"""A record of a replay; without a value it is a tombstone.

`fault` is NULL, `duplicate`, `late`, or `malformed:<reason>`.
"""

BATCHES_BETWEEN = (0, 0, 1, 2, 5, 12, None)
"""How many batches after its record a repeat comes; None: after everything else."""


def share_of(events: int, share: float) -> int:
    """The number of records that a share of so many events is."""
    return round(events * share)


@dataclass(frozen=True)
class Schedule:
    """Where faults fall.

    Attributes:
        late: Positions of the late events among the events of their topic, ascending, by topic.
        duplicates: Positions of the repeated events, likewise.
        malformed: Positions among all events after which the malformed records come, ascending.
        seed: Chooses how far a repeat is from its record.
    """

    late: Mapping[str, Sequence[int]]
    duplicates: Mapping[str, Sequence[int]]
    malformed: Sequence[int]
    seed: int


def schedule(plan: ReplayPlan, events: Mapping[str, int]) -> Schedule:
    """Where the faults of a plan fall among so many events a topic."""
    total = sum(events.values())
    rng = random.Random(f"malformed {plan.seed}")
    extra = share_of(total, plan.malformed)
    return Schedule(
        late=_positions("late", plan.seed, plan.late, events),
        duplicates=_positions("duplicates", plan.seed, plan.duplicates, events),
        malformed=sorted(rng.sample(range(total), extra)),
        seed=plan.seed,
    )


def _positions(
    name: str, seed: int, share: float, events: Mapping[str, int]
) -> dict[str, list[int]]:
    return {
        topic: sorted(
            random.Random(f"{name} {seed} {topic}").sample(range(number), share_of(number, share))
        )
        for topic, number in events.items()
    }


def inject(events: Iterable[pa.RecordBatch], faults: Schedule) -> Iterator[pa.RecordBatch]:
    """The events with their faults; late events and the last repeats are kept on disk meanwhile.

    Args:
        events: Batches of `RECORD`, all clean.
        faults: Where faults fall.
    """
    with tempfile.TemporaryDirectory(prefix="replay-late-") as folder:
        state = _Injection(faults, Path(folder))
        for batch in events:
            yield from state.feed(batch)
        yield from state.finish()


@dataclass
class _Injection:
    faults: Schedule
    folder: Path
    number: int = 0
    seen: int = 0
    serial: int = 0
    seen_of: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    repeats: dict[int, list[pa.RecordBatch]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.late = _Spool(self.folder / "late.arrow")
        self.last = _Spool(self.folder / "last.arrow")

    def feed(self, batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        """What is sent for a batch of clean events."""
        rng = random.Random(f"batch {self.faults.seed} {self.number}")
        held, repeated = (
            self._rows(batch, self.faults.late),
            self._rows(batch, self.faults.duplicates),
        )
        late = _rows_of(batch, held, LATE)
        self.late.write(late)
        main = batch if not late.num_rows else batch.filter(_mask(batch.num_rows, held))
        kept = sorted(set(range(batch.num_rows)) - set(held)) if held else range(batch.num_rows)
        due = [(copies, [0] * copies.num_rows) for copies in self.repeats.pop(self.number, [])]
        extras = [*due, self._repeat(batch, repeated, set(held), rng), self._malformed(batch)]
        self._count(batch)
        yield _merged(main, kept, extras, batch.num_rows, rng)

    def finish(self) -> Iterator[pa.RecordBatch]:
        """What was held back: repeats that are due, late events, then repeats of any of them."""
        for number in sorted(self.repeats):
            yield from self.repeats[number]
        yield from self.late.read()
        yield from self.last.read()

    def _rows(self, batch: pa.RecordBatch, positions: Mapping[str, Sequence[int]]) -> list[int]:
        rows: list[int] = []
        for topic, topic_positions in positions.items():
            first = bisect_left(topic_positions, self.seen_of[topic])
            if first == len(topic_positions):
                continue
            own = pc.indices_nonzero(pc.equal(batch.column("topic"), topic))
            last = bisect_left(topic_positions, self.seen_of[topic] + len(own))
            offsets = pa.array(
                [p - self.seen_of[topic] for p in topic_positions[first:last]], pa.int64()
            )
            rows += own.take(offsets).to_pylist()
        return sorted(rows)

    def _count(self, batch: pa.RecordBatch) -> None:
        self.number += 1
        self.seen += batch.num_rows
        for entry in pc.value_counts(batch.column("topic")):
            self.seen_of[entry["values"].as_py()] += entry["counts"].as_py()

    def _repeat(
        self, batch: pa.RecordBatch, rows: list[int], held: set[int], rng: random.Random
    ) -> tuple[pa.RecordBatch, list[int]]:
        """Put repeats off to later batches; return those of this one, with the rows they follow."""
        groups: dict[int | None, list[int]] = defaultdict(list)
        for row in rows:
            between = rng.choice(BATCHES_BETWEEN)
            groups[None if row in held else between].append(row)
        now = groups.pop(0, [])
        self.last.write(_rows_of(batch, groups.pop(None, []), DUPLICATE))
        for between, chosen in groups.items():
            self.repeats[self.number + (between or 0)].append(_rows_of(batch, chosen, DUPLICATE))
        return _rows_of(batch, now, DUPLICATE), now

    def _malformed(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[int]]:
        positions = self.faults.malformed
        first, last = (
            bisect_left(positions, self.seen),
            bisect_left(positions, self.seen + batch.num_rows),
        )
        times = batch.column("event_time")
        made = range(self.serial, self.serial + last - first)
        self.serial += last - first
        cases = [CASES[serial % len(CASES)] for serial in made]
        after = [position - self.seen for position in positions[first:last]]
        return _broken(
            list(zip(cases, made, strict=True)), times.take(pa.array(after, pa.int64()))
        ), after


class _Spool:
    """Batches that wait on disk; nothing is written before the first row."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.writer: pa.ipc.RecordBatchStreamWriter | None = None

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        if self.writer is None:
            self.writer = pa.ipc.new_stream(str(self.file), RECORD)
        self.writer.write_batch(batch)

    def read(self) -> Iterator[pa.RecordBatch]:
        if self.writer is None:
            return
        self.writer.close()
        with pa.OSFile(str(self.file)) as source, pa.ipc.open_stream(source) as reader:
            yield from reader


def _broken(cases: list[tuple[Malformed, int]], times: pa.Array) -> pa.RecordBatch:
    return pa.record_batch(
        [
            pa.array([case.topic for case, _ in cases], pa.string()),
            pa.array([case.key(serial) for case, serial in cases], pa.binary()),
            pa.array([case.value(serial) for case, serial in cases], pa.binary()),
            times,
            pa.array([MALFORMED + case.reason for case, _ in cases], pa.string()),
        ],
        schema=RECORD,
    )


def _rows_of(batch: pa.RecordBatch, rows: list[int], fault: str) -> pa.RecordBatch:
    chosen = batch.take(pa.array(rows, pa.int64()))
    mark = pa.array([fault] * len(rows), pa.string())
    return chosen.set_column(RECORD.get_field_index("fault"), RECORD.field("fault"), mark)


def _mask(rows: int, without: list[int]) -> pa.Array:
    missing = set(without)
    return pa.array([row not in missing for row in range(rows)])


def _merged(
    main: pa.RecordBatch,
    places: Iterable[int],
    extras: list[tuple[pa.RecordBatch, list[int]]],
    end: int,
    rng: random.Random,
) -> pa.RecordBatch:
    """The main rows in order, each extra row somewhere between the row it follows and the end."""
    added = [batch for batch, _ in extras if batch.num_rows]
    if not added:
        return main
    order = [float(place) for place in places]
    order += [rng.uniform(row + 0.5, end) for _, after in extras for row in after]
    whole = pa.Table.from_batches([main, *added], RECORD)
    return whole.take(pc.sort_indices(pa.array(order))).combine_chunks().to_batches()[0]
