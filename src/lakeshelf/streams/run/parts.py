"""Parts of a batch: what a batch that cannot be done as a whole is done in.

The positions of a batch are counted through, topic by topic, ticks of the clock last, and cut in the
same way each time. So a part is known again after a crash, by the stretch of positions that it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lakeshelf.streams.commit.ledger import Offsets
from lakeshelf.streams.declare.job import CLOCK

PART = "part"
"""In the entry of a commit on its batch, the stretch that it is of, where the batch is done in parts."""
DEEP = 5
"""Levels that are cut at once for a cause that ends the process: each try costs a restart there."""


@dataclass(frozen=True)
class BatchPart:
    """A stretch of the positions of a batch.

    Attributes:
        spans: The stretch, behind those that it was cut from, the whole batch first; each [from, until).
    """

    spans: tuple[tuple[int, int], ...]

    @property
    def size(self) -> int:
        """Positions that it has; some may hold no record."""
        first, end = self.spans[-1]
        return end - first

    @property
    def name(self) -> str:
        """Its stretch; empty for the whole batch."""
        return "-".join(map(str, self.spans[-1])) if self.spans[1:] else ""

    @property
    def above(self) -> tuple[BatchPart, ...]:
        """What it was cut from, the whole batch first."""
        return tuple(BatchPart(self.spans[:n]) for n in range(1, len(self.spans)))

    @property
    def nothing(self) -> BatchPart:
        """A part of it that has no position."""
        first, _ = self.spans[-1]
        return BatchPart((*self.spans, (first, first)))

    def split(self, levels: int = 1) -> tuple[BatchPart, ...]:
        """Its parts, in order: halves, halved again on each further level."""
        if levels == 0 or self.size <= 1:
            return (self,)
        first, end = self.spans[-1]
        middle = (first + end + 1) // 2
        halves = (BatchPart((*self.spans, span)) for span in ((first, middle), (middle, end)))
        return tuple(part for half in halves for part in half.split(levels - 1))


def merged(parts: Iterable[BatchPart]) -> list[BatchPart]:
    """Parts in order, with what they were cut from where all of it is there."""
    whole: list[BatchPart] = []
    for part in parts:
        whole.append(part)
        while len(whole) > 1 and _are_halves(*whole[-2:]):
            whole[-2:] = [BatchPart(part.spans[:-1])]
            part = whole[-1]  # noqa: PLW2901 - what was put together may be a half itself
    return whole


def cut_around(part: BatchPart, committed: Iterable[tuple[int, int]]) -> list[BatchPart]:
    """A part, cut until none of its parts holds more than a stretch that is committed."""
    first, end = part.spans[-1]
    inner = [
        (low, high)
        for low, high in committed
        if first <= low < high <= end and (low, high) != (first, end)
    ]
    if not inner or part.size <= 1:
        return [part]
    return [piece for half in part.split() for piece in cut_around(half, inner)]


def _are_halves(one: BatchPart, other: BatchPart) -> bool:
    same = one.spans[:-1] == other.spans[:-1] and len(one.spans) > 1
    return same and one.spans[-1][1] == other.spans[-1][0]


@dataclass(frozen=True)
class Positions:
    """The positions of a batch.

    Attributes:
        offsets: Topic → partition → offsets (from, until).
    """

    offsets: Offsets

    @property
    def whole(self) -> BatchPart:
        """All of them."""
        return BatchPart(((0, sum(end - first for _, _, first, end in self._ranges())),))

    def of(self, part: BatchPart) -> list[tuple[str, int, int, int]]:
        """Topic, partition, and offsets [from, until) of a part."""
        first, end = part.spans[-1]
        ranges, counted = [], 0
        for topic, partition, low, high in self._ranges():
            start, stop = max(first, counted), min(end, counted + high - low)
            if start < stop:
                ranges.append((topic, partition, low + start - counted, low + stop - counted))
            counted += high - low
        return ranges

    def offsets_of(self, part: BatchPart) -> Offsets:
        """Topic → partition → offsets (from, until) of a part; those of which it has nothing are left out."""
        offsets: dict[str, dict[str, tuple[int, int]]] = {}
        for topic, partition, low, high in self.of(part):
            offsets.setdefault(topic, {})[str(partition)] = (low, high)
        return offsets

    def text(self, part: BatchPart) -> str:
        """A part in words."""
        ranges = (
            f"{topic}:{partition}:{low}" + (f" to {high - 1}" if high - low > 1 else "")
            for topic, partition, low, high in self.of(part)
        )
        return ", ".join(ranges)

    def _ranges(self) -> Iterator[tuple[str, int, int, int]]:
        for topic in sorted(self.offsets, key=lambda name: (name == CLOCK, name)):
            for partition, (first, end) in sorted(
                self.offsets[topic].items(), key=lambda item: int(item[0])
            ):
                if end > first:
                    yield topic, int(partition), first, end
