"""Isolation: whatever fails for a record, that record alone is left out, and everything else is done once."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py4j.protocol import Py4JError

from lakeshelf.errors import BrokerError, StreamError
from lakeshelf.streams.commit.ledger import Counts, Offsets
from lakeshelf.streams.run import trials
from lakeshelf.streams.run.failure import LOST_LEASE
from lakeshelf.streams.run.isolation import Isolation
from lakeshelf.streams.run.parted import PartedProcessor
from lakeshelf.streams.run.parts import DEEP, BatchPart, Positions, merged
from lakeshelf.streams.run.trials import MOST_IN_A_ROW, UNKNOWN_END, Trials, read

TOPIC = "shelf_events"
FRAME: Any = None


class Died(BaseException):
    """The process ends here."""


@dataclass
class World:
    """What outlives a process: the lake of one batch after the other, and what is wrong in it.

    Attributes:
        offsets: Offsets of each batch.
        fails: What happens when records are processed; records are told by batch and position.
        refusing_fails: What happens when a record is left out.
    """

    offsets: list[Offsets]
    fails: Callable[[set[tuple[int, int]]], None] = lambda _: None
    refusing_fails: Callable[[], None] = lambda: None
    done: list[tuple[int, int]] = field(default_factory=list)
    refused: dict[tuple[int, int], str] = field(default_factory=dict)
    begun: set[int] = field(default_factory=set)
    concluded: dict[int, Counts] = field(default_factory=dict)
    stretches: set[tuple[int, int]] = field(default_factory=set)
    deaths: int = 0
    tries: int = 0


class Processor:
    """Processes positions of a world."""

    app_id = "query"

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, _: Any, batch_id: int) -> dict[str, Counts]:
        counts = self._process(batch_id, Positions(self._world.offsets[batch_id]).whole)
        self._world.concluded[batch_id] = counts[TOPIC]
        return counts

    def part(
        self, _: Any, batch_id: int, positions: Positions, part: BatchPart, at: datetime
    ) -> tuple[dict[str, Counts], dict[str, int]]:
        return self._process(batch_id, part), {}

    def refuse(
        self, _: Any, batch_id: int, positions: Positions, part: BatchPart, why: str
    ) -> tuple[dict[str, Counts], dict[str, int]]:
        self._world.refusing_fails()
        self._world.refused[batch_id, part.spans[-1][0]] = why
        return {TOPIC: Counts(rows_in=1, quarantined=1)}, {}

    def has_refused(self, batch_id: int, part: BatchPart) -> bool:
        return (batch_id, part.spans[-1][0]) in self._world.refused

    def begin_parts(self, batch_id: int) -> None:
        self._world.begun.add(batch_id)

    def has_begun_parts(self, batch_id: int) -> bool:
        return batch_id in self._world.begun

    def committed_parts(self, batch_id: int) -> set[tuple[int, int]]:
        return self._world.stretches

    def conclude(self, batch_id: int, counts: dict[str, Counts], _: Any) -> None:
        self._world.concluded[batch_id] = counts[TOPIC]

    def time_of(self, _: Any) -> datetime:
        return datetime(2017, 6, 1, tzinfo=UTC)

    def _process(self, batch_id: int, part: BatchPart) -> dict[str, Counts]:
        self._world.tries += 1
        records = {(batch_id, position) for position in range(*part.spans[-1])}
        self._world.fails(records)
        new = sorted(records - set(self._world.done))
        self._world.done += new
        return {TOPIC: Counts(rows_in=len(records), valid=len(records))}


def batches(*sizes: int) -> list[Offsets]:
    return [{TOPIC: {"0": (0, size)}} for size in sizes]


def killed_by(*poison: tuple[int, int]) -> Callable[[set[tuple[int, int]]], None]:
    def fails(records: set[tuple[int, int]]) -> None:
        if records & set(poison):
            raise Died

    return fails


def raised_by(*poison: tuple[int, int], error: Exception) -> Callable[[Any], None]:
    def fails(records: set[tuple[int, int]]) -> None:
        if records & set(poison):
            raise error

    return fails


def run(world: World, folder: Path, tries: int = 60) -> None:
    """Have all batches processed, by a new process after each end and a new query after each failure."""
    number = 0
    for _ in range(tries):
        isolation = isolation_of(world, folder)
        try:
            while number < len(world.offsets):
                isolation.process(FRAME, number)
                number += 1
        except Died:
            world.deaths += 1
        except (StreamError, BrokerError, ValueError, Py4JError):
            pass
        else:
            return


def isolation_of(world: World, folder: Path) -> Isolation:
    def renew(_: int) -> PartedProcessor[Any]:
        return cast("PartedProcessor[Any]", Processor(world))

    kept = Trials(folder, "query")
    return Isolation(kept, lambda batch_id: world.offsets[batch_id], renew, threading.Event())


def everything_but(world: World, poison: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    every = (
        (number, position)
        for number, offsets in enumerate(world.offsets)
        for position in range(Positions(offsets).whole.size)
    )
    return sorted(set(every) - set(poison))


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=3),
    data=st.data(),
    kills=st.booleans(),
)
def test_what_fails_alone_is_left_out_and_all_others_are_done_once(
    sizes: list[int], data: st.DataObject, kills: bool
) -> None:
    places = [(number, at) for number, size in enumerate(sizes) for at in range(size)]
    poison = data.draw(st.lists(st.sampled_from(places), max_size=2, unique=True))
    error = ValueError("cannot be")
    fails = killed_by(*poison) if kills else raised_by(*poison, error=error)
    world = World(batches(*sizes), fails)
    with TemporaryDirectory() as folder:
        run(world, Path(folder))
    assert sorted(world.done) == everything_but(world, poison)
    assert world.refused.keys() == set(poison)
    assert [c.rows_in for c in world.concluded.values()] == sizes
    assert all(c.valid + c.quarantined == c.rows_in for c in world.concluded.values())


@pytest.mark.parametrize(("size", "deaths"), [(1, 3), (2**DEEP, 4), (1000, 5), (30_000, 6)])
def test_a_record_that_kills_is_found_within_few_ends_of_the_process(
    tmp_path: Path, size: int, deaths: int
) -> None:
    trials.note_end(tmp_path, os.getpid(), "signal 11 (Segmentation fault)")
    world = World(batches(size), killed_by((0, size // 2)))
    run(world, tmp_path)
    assert world.deaths == deaths
    assert world.refused == {(0, size // 2): "signal 11 (Segmentation fault)"}


def test_an_end_is_told_of_the_process_that_it_was_alone(tmp_path: Path) -> None:
    trials.note_end(tmp_path, 1, "signal 11 (Segmentation fault)")
    told = []
    for pid in (1, 2, 3):
        kept = Trials(tmp_path, "query", pid)
        trial = kept.begin("query", 0, {})
        told.append(trial.failure)
        trial.begin(None, tried=True)
        kept.keep(trial)
    assert told == ["", "signal 11 (Segmentation fault)", UNKNOWN_END]


def test_a_record_that_raises_is_found_within_few_tries(tmp_path: Path) -> None:
    world = World(batches(1000), raised_by((0, 500), error=ValueError("cannot be")))
    run(world, tmp_path)
    assert world.refused.keys() == {(0, 500)}
    assert world.tries <= 30


def test_a_batch_that_fails_twice_is_not_done_in_parts(tmp_path: Path) -> None:
    errors = [ValueError("once"), ValueError("twice")]

    def fails(_: Any) -> None:
        if errors:
            raise errors.pop()

    world = World(batches(100), fails)
    run(world, tmp_path)
    assert (world.tries, world.begun, world.refused) == (3, set(), {})


def test_a_broker_that_is_down_for_long_isolates_nothing(tmp_path: Path) -> None:
    left = 50

    def fails(_: Any) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise BrokerError("no answer")

    world = World(batches(1, 100), fails)
    run(world, tmp_path)
    assert sorted(world.done) == everything_but(world, ())
    assert (world.begun, world.refused) == (set(), {})


def test_a_lease_that_is_lost_again_and_again_cuts_no_batch(tmp_path: Path) -> None:
    """What the JVM says of it is no end of the JVM."""
    left = 50

    def fails(_: Any) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise Py4JError(f"java.io.IOException: {LOST_LEASE}it is of term 2, not of 1")

    world = World(batches(1, 100), fails)
    run(world, tmp_path)
    assert sorted(world.done) == everything_but(world, ())
    assert (world.begun, world.refused) == (set(), {})


def test_a_process_that_is_killed_whatever_it_does_isolates_nothing(tmp_path: Path) -> None:
    left = 12

    def dies(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left > 0:
            raise Died

    world = World(batches(1, 800), dies, dies)
    run(world, tmp_path)
    assert sorted(world.done) == everything_but(world, ())
    assert world.refused == {}


def test_a_cause_that_every_record_meets_is_not_looked_for_in_the_records(tmp_path: Path) -> None:
    def fails(records: set[tuple[int, int]]) -> None:
        if records:
            raise ValueError("broken")

    world = World(batches(*[1] * 6), fails)
    run(world, tmp_path)
    assert len(world.refused) == MOST_IN_A_ROW
    with pytest.raises(StreamError, match="3 records isolated"):
        isolation_of(world, tmp_path).process(FRAME, MOST_IN_A_ROW)


def test_a_lost_file_of_tries_doubles_nothing(tmp_path: Path) -> None:
    world = World(batches(400), killed_by((0, 7)))
    run(world, tmp_path, tries=4)
    assert 0 < len(world.done) < 400
    (tmp_path / "batches" / "query.json").unlink()
    run(world, tmp_path)
    assert sorted(world.done) == everything_but(world, [(0, 7)])


def test_another_host_cuts_a_batch_as_far_as_it_was_cut(tmp_path: Path) -> None:
    """What is folded by itself would be folded again with what is around it."""
    world = World(batches(400), begun={0}, stretches={(0, 13), (13, 25), (200, 300)})
    cut: list[range] = []
    world.fails = lambda records: cut.append(range(len(records)))
    run(world, tmp_path)
    assert sorted(world.done) == everything_but(world, ())
    assert [len(piece) for piece in cut] == [13, 12, 25, 50, 100, 100, 100]


def test_the_positions_of_a_batch_are_counted_through_with_the_clock_last() -> None:
    positions = Positions(
        {"clock": {"0": (5, 7)}, "shelf_events": {"1": (0, 3), "0": (10, 12)}, "alerts": {}}
    )
    assert positions.whole.size == 7
    assert positions.of(BatchPart(((0, 7),))) == [
        ("shelf_events", 0, 10, 12),
        ("shelf_events", 1, 0, 3),
        ("clock", 0, 5, 7),
    ]
    assert positions.of(BatchPart(((0, 7), (1, 3)))) == [
        ("shelf_events", 0, 11, 12),
        ("shelf_events", 1, 0, 1),
    ]
    assert positions.offsets_of(BatchPart(((0, 7), (1, 3)))) == {
        "shelf_events": {"0": (11, 12), "1": (0, 1)}
    }
    assert positions.offsets_of(BatchPart(((0, 7), (3, 3)))) == {}


@given(size=st.integers(1, 3_000), levels=st.integers(0, 6))
def test_a_part_is_cut_into_all_that_it_has_and_put_together_again(size: int, levels: int) -> None:
    whole = BatchPart(((0, size),))
    parts = whole.split(levels)
    assert [at for part in parts for at in range(*part.spans[-1])] == list(range(size))
    assert len(parts) <= 2**levels
    assert merged(parts) == [whole]


@given(size=st.integers(2, 500), missing=st.integers(0, 31))
def test_what_misses_a_part_is_put_together_around_it(size: int, missing: int) -> None:
    parts = BatchPart(((0, size),)).split(DEEP)
    gap = parts[missing % len(parts)]
    found = merged(part for part in parts if part != gap)
    positions = [at for part in found for at in range(*part.spans[-1])]
    assert positions == [at for at in range(size) if at not in range(*gap.spans[-1])]
    assert len(found) <= DEEP


def test_what_is_known_of_a_batch_survives_the_process(tmp_path: Path) -> None:
    world = World(batches(400), killed_by((0, 7)))
    run(world, tmp_path, tries=4)
    kept = read(tmp_path / "batches" / "query.json")
    assert kept.asks_for_parts
    assert Trials(tmp_path, "query").begin("query", 0, {}).next_part() is not None
    assert Trials(tmp_path, "query").begin("another", 0, {}).parts is None
