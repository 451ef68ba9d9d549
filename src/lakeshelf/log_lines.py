"""Lines of the logs of a stack, read in the order of their times: those of its processes, of the broker and of Spark.

A line that has no time of its own belongs to the one before it.
"""

from __future__ import annotations

import heapq
import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeshelf.logs import FIRST, LEVELS, SUFFIX, as_text

BROKER = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\S+) (?P<level>[A-Z]+) (?P<event>.*)")
SPARK = re.compile(r"(?P<at>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (?P<level>[A-Z]+) (?P<event>.*)")
ALIKE = {"WARN": "warning", "FATAL": "error", "TRACE": "debug"}
"""Levels of others' logs → ours."""
LOOK_AGAIN_S = 0.5
START = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class LogLine:
    """One line.

    Attributes:
        at: When.
        level: One of `lakeshelf.logs.LEVELS`.
        part: Whose.
        event: What happened.
        fields: Whatever else it says.
    """

    at: datetime
    level: str
    part: str
    event: str
    fields: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, text: str, part: str) -> LogLine:
        """A line of our own logs.

        Raises:
            ValueError: It is none.
        """
        fields = json.loads(text)
        at = datetime.fromisoformat(fields.pop("at"))
        level, event = str(fields.pop("level")), str(fields.pop("event"))
        return cls(at, level, str(fields.pop("part", part)), event, fields)

    def text(self) -> str:
        """The line for people."""
        return as_text(self.record())

    def record(self) -> dict[str, Any]:
        """The line as it is written."""
        named = dict(
            zip(FIRST, (self.at.isoformat(), self.level, self.part, self.event), strict=True)
        )
        return named | self.fields

    def is_at_least(self, level: str) -> bool:
        """Whether it is as grave as a level."""
        return LEVELS.index(self.level) >= LEVELS.index(level)


def parts(folder: Path) -> list[str]:
    """Parts that have logged."""
    return sorted({_part(file) for file in _files(folder)})


def read(folder: Path, names: Sequence[str] = ()) -> Iterator[LogLine]:
    """Lines of the logs, the oldest first.

    Args:
        folder: Folder of the logs.
        names: Names of parts; none: all.
    """
    logs = [_parsed(file, _part(file)) for file in _files(folder) if _is_selected(file, names)]
    yield from heapq.merge(*logs, key=lambda line: line.at)


def follow(
    folder: Path, names: Sequence[str] = (), pause: Callable[[float], None] = time.sleep
) -> Iterator[LogLine]:
    """Lines that come from now on; never ends."""
    ends = {file: file.stat().st_size for file in _files(folder)}
    while True:
        fresh: list[LogLine] = []
        for file in _files(folder):
            if _is_selected(file, names):
                fresh += _since(file, ends)
        yield from sorted(fresh, key=lambda line: line.at)
        pause(LOOK_AGAIN_S)


def _since(file: Path, ends: dict[Path, int]) -> list[LogLine]:
    """Whole lines behind the end that was read last; a file that became shorter was begun anew."""
    start, size = ends.get(file, 0), file.stat().st_size
    start = start if start <= size else 0
    with file.open("rb") as opened:
        opened.seek(start)
        content = opened.read(size - start)
    whole = content.rpartition(b"\n")[0]
    ends[file] = start + (len(whole) + 1 if whole else 0)
    return list(_lines(whole.decode(errors="replace").splitlines(), _part(file)))


def _files(folder: Path) -> list[Path]:
    """Logs of all parts; those that were put aside come before the one that is written."""
    files = [*folder.glob(f"*{SUFFIX}*"), *folder.glob("*.log*")]
    return sorted(files, key=lambda file: (_part(file), file.stat().st_mtime))


def _part(file: Path) -> str:
    return file.name.partition(".")[0]


def _is_selected(file: Path, names: Sequence[str]) -> bool:
    return not names or _part(file) in names


def _parsed(file: Path, part: str) -> Iterator[LogLine]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        yield from _lines((text.rstrip("\n") for text in opened), part)


def _lines(texts: Iterator[str] | Sequence[str], part: str) -> Iterator[LogLine]:
    last: LogLine | None = None
    for text in texts:
        line = _line(text, part)
        if line is not None:
            if last is not None:
                yield last
            last = line
        elif text.strip():
            last = _longer(last or LogLine(START, "info", part, ""), text)
    if last is not None:
        yield last


def _line(text: str, part: str) -> LogLine | None:
    if text.startswith("{"):
        try:
            return LogLine.of(text, part)
        except (ValueError, KeyError, TypeError):
            return None
    for pattern, read_time in ((BROKER, datetime.fromisoformat), (SPARK, _time_of_spark)):
        if match := pattern.fullmatch(text):
            level = ALIKE.get(match["level"], match["level"].lower())
            known = level if level in LEVELS else "info"
            return LogLine(read_time(match["at"]), known, part, match["event"])
    return None


def _longer(line: LogLine, text: str) -> LogLine:
    """A line with another one below it."""
    below = f"{line.fields.get('exception', '')}{text}\n"
    return LogLine(line.at, line.level, line.part, line.event, line.fields | {"exception": below})


def _time_of_spark(text: str) -> datetime:
    return datetime.strptime(text, "%y/%m/%d %H:%M:%S").astimezone()
