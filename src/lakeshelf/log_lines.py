"""Lines of the logs of a stack, read in the order of their times: those of its processes, of the broker and of Spark.

A line that has no time of its own belongs to the one before it.
"""

from __future__ import annotations

import heapq
import json
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lakeshelf.logs import FIRST, LEVELS, SUFFIX, as_text

BROKER = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\S+) (?P<level>[A-Z]+) (?P<event>.*)")
SPARK = re.compile(r"(?P<at>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (?P<level>[A-Z]+) (?P<event>.*)")
ALIKE = {"WARN": "warning", "FATAL": "error", "CRITICAL": "error", "TRACE": "debug"}
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
        try:
            fields = json.loads(text)
        except RecursionError as error:
            raise ValueError("nested without end") from error
        at = _aware(datetime.fromisoformat(fields.pop("at")))
        level, event = _level(str(fields.pop("level"))), str(fields.pop("event"))
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
    written: dict[Path, float] = {}
    for file in (*folder.glob(f"*{SUFFIX}*"), *folder.glob("*.log*")):
        with suppress(FileNotFoundError):  # put aside meanwhile
            seen = file.stat()
            if stat.S_ISREG(seen.st_mode):
                written[file] = seen.st_mtime
    return sorted(written, key=lambda file: (_part(file), written[file]))


def _part(file: Path) -> str:
    return file.name.partition(".")[0]


def _is_selected(file: Path, names: Sequence[str]) -> bool:
    return not names or _part(file) in names


def _parsed(file: Path, part: str) -> Iterator[LogLine]:
    with file.open(encoding="utf-8", errors="replace") as opened:
        yield from _lines((text.rstrip("\n") for text in opened), part)


def _lines(texts: Iterator[str] | Sequence[str], part: str) -> Iterator[LogLine]:
    last: LogLine | None = None
    below: list[str] = []
    for text in texts:
        line = _line(text, part)
        if line is not None:
            if last is not None:
                yield _longer(last, below)
            last, below = line, []
        elif text.strip():
            last = last or LogLine(START, "info", part, "")
            below.append(text)
    if last is not None:
        yield _longer(last, below)


def _line(text: str, part: str) -> LogLine | None:
    if text.startswith("{"):
        try:
            return LogLine.of(text, part)
        except (ValueError, KeyError, TypeError):
            return None
    for pattern, read_time in ((BROKER, datetime.fromisoformat), (SPARK, _time_of_spark)):
        if match := pattern.fullmatch(text):
            with suppress(ValueError):  # a time that is none
                at = _aware(read_time(match["at"]))
                return LogLine(at, _level(match["level"]), part, match["event"])
    return None


def _level(name: str) -> str:
    """A level as ours are called; what nobody knows is no reason to leave a line out."""
    level = ALIKE.get(name.upper(), name.lower())
    return level if level in LEVELS else "info"


def _aware(at: datetime) -> datetime:
    """A time that can be compared with others; without a zone it is of UTC, as all of ours are."""
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _longer(line: LogLine, below: Sequence[str]) -> LogLine:
    """A line with those that stand below it."""
    if not below:
        return line
    text = "".join(f"{one}\n" for one in (line.fields.get("exception"), *below) if one)
    return LogLine(line.at, line.level, line.part, line.event, line.fields | {"exception": text})


def _time_of_spark(text: str) -> datetime:
    return datetime.strptime(text, "%y/%m/%d %H:%M:%S").astimezone()
