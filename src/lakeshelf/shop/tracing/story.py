"""What is told of one thing: lines of what happened and was decided, and what is there now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.shop.history import STATE, LastLines, StoryLine


@dataclass
class Story:
    """What there is to tell of one thing.

    Attributes:
        kind: What the id is, one of `lakeshelf.shop.tracing.kinds.homes`.
        id: The id.
        limit: Most lines of each part of the story; the last ones are told.
        explanation: Of an alert, why it was opened (`lakeshelf.shop.explain`).
        missing: Ids that are named as a cause and that the lake does not hold.
        omitted: Part of the story → lines that are not told.
        names: Shelf → name of its item, of the shelves in the story that have a profile.
    """

    kind: str
    id: str
    limit: int
    explanation: dict[str, Any] | None = None
    missing: list[str] = field(default_factory=list)
    omitted: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    _lines: list[StoryLine] = field(default_factory=list)

    def tell(self, lines: LastLines | Iterable[StoryLine], role: str = "") -> list[StoryLine]:
        """Add lines; those that the story has already stay as they are."""
        cut = (lines if isinstance(lines, LastLines) else _all_lines(lines)).last(self.limit)
        if left := cut.total - len(cut.lines):
            section = cut.lines[0].section
            self.omitted[section] = self.omitted.get(section, 0) + left
        known = {_identity(line) for line in self._lines}
        new = [line.playing(role) for line in cut.lines if _identity(line) not in known]
        self._lines += new
        return new

    @property
    def lines(self) -> list[StoryLine]:
        """What happened and was decided, in the order of business time."""
        events = [line for line in self._lines if line.section != STATE]
        return sorted(events, key=lambda line: line.order)

    @property
    def state(self) -> list[StoryLine]:
        """What is there now."""
        return [line for line in self._lines if line.section == STATE]

    @property
    def shelves(self) -> set[str]:
        """Shelves that its lines name, those of receipt lines among them."""
        rows = [line.row for line in self._lines]
        rows += [item for row in rows for item in row.get("items") or ()]
        return {row["shelf_id"] for row in rows if row.get("shelf_id")}

    def as_json(self) -> dict[str, Any]:
        """The story as plain values."""
        return {
            "kind": self.kind,
            "id": self.id,
            "names": self.names,
            "explanation": self.explanation,
            "lines": [line.as_json() for line in self.lines],
            "state": [line.as_json() for line in self.state],
            "omitted": self.omitted,
            "missing": self.missing,
        }


def _all_lines(lines: Iterable[StoryLine]) -> LastLines:
    kept = list(lines)
    return LastLines(kept, len(kept))


def _identity(line: StoryLine) -> tuple[Any, ...]:
    key = CATALOG.tables[line.table].key
    return (line.table, line.row.get("line"), *(line.row[name] for name in key))
