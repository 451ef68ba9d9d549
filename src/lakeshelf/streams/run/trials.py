"""What is known of the tries of a query's batch, in a file that outlives the process.

It is written before each try, so a process that ends without a word has told which batch it was in.
Nothing is lost with it: what tables hold stands in the tables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import orjson
from pydantic import TypeAdapter

from lakeshelf.files import content_of, read_json, replace_content
from lakeshelf.streams.commit.ledger import Counts, Offsets
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.run.parts import DEEP, BatchPart, cut_around, merged

FOLDER, ENDED = "batches", "streams-ended.json"
SAME_FAILURES, DEATHS = 3, 2
"""After so many failures of one kind, or ends of the process, the next try of a batch is made in parts."""
CERTAIN = 2
"""Times that a record fails alone before it is taken for the cause."""
MOST_IN_A_ROW = 3
"""Records that are isolated although nothing was done since the last one: then the cause is not in them."""
UNKNOWN_END = "the process ended without a word"

Spans = tuple[tuple[int, int], ...]


@dataclass
class Suspect:
    """A single record that failed alone.

    Attributes:
        spans: Where it stands.
        failure: How it failed.
        times: How often in a row.
        tried: Whether the latest try was of the record itself, and not of what is around it.
    """

    spans: Spans
    failure: str
    times: int = 1
    tried: bool = False

    def failed(self, failure: str) -> None:
        """A try failed; where nothing, or leaving it out, fails as well, nothing is certain any more."""
        if self.tried:
            self.times, self.failure = self.times + 1, failure
        else:
            self.times = 1


@dataclass
class BatchTrial:
    """The tries of one batch.

    Attributes:
        query_id, batch_id, offsets: Which batch.
        pid: The process that tries it.
        running: Whether a try has begun and has not ended.
        failure: How the last try failed.
        times: Tries in a row that failed so.
        deaths: Tries that the process did not survive.
        parts: Parts that are to be done; None while the batch is tried as a whole.
        trying: The part that is tried.
        suspects: Records that failed alone.
        counts: Topic → counts of what is done.
        versions: Table → version of what is done.
        unproven: Records isolated since anything else was done.
        isolated: Records isolated from this query's batches.
        latest: What the latest isolated record was, and why.
    """

    query_id: str = ""
    batch_id: int = -1
    offsets: Offsets = field(default_factory=dict)
    pid: int = 0
    running: bool = False
    failure: str = ""
    times: int = 0
    deaths: int = 0
    parts: list[Spans] | None = None
    trying: Spans | None = None
    suspects: list[Suspect] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    unproven: int = 0
    isolated: int = 0
    latest: str = ""

    @property
    def asks_for_parts(self) -> bool:
        """Whether the batch is to be done in parts from now on."""
        return self.parts is not None or self.deaths >= DEATHS or self.times >= SAME_FAILURES

    def begin(self, part: BatchPart | None, *, tried: bool) -> None:
        """A try of the batch, or of a part, begins."""
        self.running, self.trying = True, None if part is None else part.spans
        if part is not None and (suspect := self.suspect(part)) is not None:
            suspect.tried = tried

    def ended(self) -> None:
        """A try is over that says nothing of the batch."""
        self.running, self.trying = False, None

    def done(self, counts: Mapping[str, Counts]) -> None:
        """The batch, or a part, is done."""
        self.ended()
        if any(of_topic.valid for topic, of_topic in counts.items() if topic != CLOCK):
            self.unproven = 0

    def cut(self, whole: BatchPart, committed: Iterable[tuple[int, int]] = ()) -> None:
        """From now on the batch is done in parts, none of which holds more than a stretch that is committed."""
        levels = DEEP if self.deaths else 1
        pieces = [piece for cut in whole.split(levels) for piece in cut_around(cut, committed)]
        self.parts = [] if whole.size == 1 else [piece.spans for piece in pieces]
        if whole.size == 1:
            self.suspects = [Suspect(whole.spans, self.failure)]

    def note_isolated(self, what: str) -> None:
        """A record was isolated."""
        self.isolated, self.unproven, self.latest = self.isolated + 1, self.unproven + 1, what

    def failed(self, failure: str, *, died: bool = False) -> None:
        """A try of the whole batch failed."""
        self.times = self.times + 1 if _kind(failure) == _kind(self.failure) else 1
        self.failure, self.running = failure, False
        self.deaths += died

    def suspect(self, part: BatchPart) -> Suspect | None:
        """What is known of a single record as the cause."""
        return next((s for s in self.suspects if s.spans == part.spans), None)

    def part_failed(self, part: BatchPart, failure: str, *, died: bool = False) -> None:
        """A try of a part failed: it is cut, or its one record is set aside until the rest is done."""
        self.ended()
        self.failure = failure
        if (known := self.suspect(part)) is not None:
            known.failed(failure)
        elif self.parts is not None and part.spans in self.parts:
            rest = merged(BatchPart(spans) for spans in self.parts if spans != part.spans)
            cut = part.split(DEEP if died else 1) if part.size > 1 else ()
            self.parts = [left.spans for left in (*cut, *rest)]
            if part.size <= 1:
                self.suspects.append(Suspect(part.spans, failure))

    def part_done(
        self, part: BatchPart, counts: Mapping[str, Counts], versions: Mapping[str, int]
    ) -> None:
        """A part is done."""
        self.done(counts)
        self.parts = [spans for spans in self.parts or () if spans != part.spans]
        self.suspects = [s for s in self.suspects if s.spans != part.spans]
        self.versions.update(versions)
        for topic, of_topic in counts.items():
            total = self.counts.setdefault(topic, {})
            for name, number in vars(of_topic).items():
                total[name] = total.get(name, 0) + number

    def next_part(self) -> BatchPart | None:
        """The part to try next, records that failed alone last; None when all are done."""
        spans = next(iter(self.parts or ()), None) or next((s.spans for s in self.suspects), None)
        return None if spans is None else BatchPart(spans)


class Trials:
    """The file of one query.

    Args:
        stack_dir: Folder of the stack's state.
        query: Name of the query.
        pid: This process.
    """

    def __init__(self, stack_dir: Path, query: str, pid: int | None = None) -> None:
        self._file = stack_dir / FOLDER / f"{query}.json"
        self._stack_dir = stack_dir
        self._pid = os.getpid() if pid is None else pid
        self._kept: BatchTrial | None = None

    def begin(self, query_id: str, batch_id: int, offsets: Offsets) -> BatchTrial:
        """The trial of a batch that is to be tried now; one that is running still has ended its process."""
        kept = self._kept or read(self._file)
        before, kept.pid = kept.pid, self._pid
        if (kept.query_id, kept.batch_id) != (query_id, batch_id):
            carried = {name: getattr(kept, name) for name in ("unproven", "isolated", "latest")}
            return BatchTrial(query_id, batch_id, offsets, self._pid, **carried)
        if kept.running and kept.trying is not None:
            kept.deaths += 1
            how = last_end(self._stack_dir, before)
            kept.part_failed(BatchPart(kept.trying), how, died=True)
        elif kept.running:
            kept.failed(last_end(self._stack_dir, before), died=True)
        return kept

    def keep(self, trial: BatchTrial) -> None:
        """Write a trial."""
        self._kept = trial
        replace_content(self._file, orjson.dumps(trial))


def read(file: Path) -> BatchTrial:
    """A trial that was kept; that of no batch if there is none, or a file that was cut or that something else wrote."""
    try:
        return _form().validate_json(content_of(file))
    except (OSError, ValueError):
        return BatchTrial()


@cache
def _form() -> TypeAdapter[BatchTrial]:
    """What a file has to be like; it takes a moment to make."""
    return TypeAdapter(BatchTrial)


def all_kept(stack_dir: Path) -> Iterator[tuple[str, BatchTrial]]:
    """Query and trial of every query that has one."""
    for file in sorted((stack_dir / FOLDER).glob("*.json")):
        yield file.stem, read(file)


def searching(stack_dir: Path) -> bool:
    """Whether a process that has just ended was trying a part of a batch."""
    return any(trial.running and trial.trying is not None for _, trial in all_kept(stack_dir))


def note_end(stack_dir: Path, pid: int, how: str) -> None:
    """Tell the next driver how a driver ended."""
    replace_content(stack_dir / ENDED, orjson.dumps({"pid": pid, "ended": how}))


def last_end(stack_dir: Path, pid: int) -> str:
    """How a driver ended, if anybody saw it."""
    end = read_json(stack_dir / ENDED)
    return str(end.get("ended", UNKNOWN_END)) if end.get("pid") == pid else UNKNOWN_END


def _kind(failure: str) -> str:
    """A failure without what differs from one time to the next."""
    return re.sub(r"0x[0-9a-f]+|\d+", "#", failure)
