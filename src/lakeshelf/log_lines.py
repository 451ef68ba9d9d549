"""Lines of the logs of a stack, read in the order of their times: those of its processes, of the broker and of Spark.

A line that has no time of its own belongs to the one before it, also where that was read earlier.
"""

from __future__ import annotations

import heapq
import json
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from lakeshelf.logs import FIRST, LEVELS, SUFFIX, as_text

BROKER = re.compile(r"(?P<at>\d{4}-\d\d-\d\dT\S+) (?P<level>[A-Z]+) (?P<event>.*)")
SPARK = re.compile(r"(?P<at>\d\d/\d\d/\d\d \d\d:\d\d:\d\d) (?P<level>[A-Z]+) (?P<event>.*)")
ALIKE = {"WARN": "warning", "FATAL": "error", "CRITICAL": "error", "TRACE": "debug"}
"""Levels of others' logs → ours."""
LOOK_AGAIN_S = 0.5
BLOCK = 64 * 1024
"""Bytes in which the end of a last line is looked for."""
FIRST_OF_ALL = datetime.min.replace(tzinfo=UTC)
"""Where a line without a time stands among others."""


@dataclass(frozen=True)
class LogLine:
    """One line.

    Attributes:
        at: When; None: it stands at the beginning of a file and has no time.
        level: One of `lakeshelf.logs.LEVELS`.
        part: Whose.
        event: What happened.
        fields: Whatever else it says.
    """

    at: datetime | None
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
        at = self.at and self.at.isoformat()
        return dict(zip(FIRST, (at, self.level, self.part, self.event), strict=True)) | self.fields

    def is_at_least(self, level: str) -> bool:
        """Whether it is as grave as a level."""
        return LEVELS.index(self.level) >= LEVELS.index(level)


def parts(folder: Path) -> list[str]:
    """Parts that have logged."""
    return sorted({_part(file) for file in _files(folder)})


@dataclass
class _Stand:
    """How far a file was read.

    Attributes:
        end: Bytes.
        line: The last line with a time of its own.
    """

    end: int = 0
    line: LogLine | None = None


class Tail:
    """Reads on in the logs where it stopped, each line once, whatever name its file has by then.

    A file is known by its number in the file system, which it keeps when it is put aside.

    Args:
        folder: Folder of the logs.
        names: Names of parts; none: all.
    """

    def __init__(self, folder: Path, names: Sequence[str] = ()) -> None:
        self._folder, self._names = folder, names
        self._read: dict[int, _Stand] = {}
        """Number of a file → how far it was read."""

    def lines(self, *, unfinished: bool = False) -> Iterator[LogLine]:
        """Lines that were not read before, the oldest first.

        Args:
            unfinished: Also the beginning of a line that is still being written.
        """
        with ExitStack() as stack:
            stands, passages = dict[int, _Stand](), list[Iterator[LogLine]]()
            for file, opened in self._opened(stack):
                number, end = _number(opened), _size(opened) if unfinished else _whole(opened)
                before = self._read.get(number, _Stand())
                if before.end > end:  # what became shorter was begun anew
                    before = _Stand()
                opened.seek(before.end)
                stands[number] = _Stand(end, before.line)
                passages.append(_lines(_texts(opened, end), _part(file), stands[number]))
            self._read = stands
            yield from heapq.merge(*passages, key=lambda line: line.at or FIRST_OF_ALL)

    def follow(self, pause: Callable[[float], None] = time.sleep) -> Iterator[LogLine]:
        """Lines that come from now on; never ends."""
        while True:
            yield from self.lines()
            pause(LOOK_AGAIN_S)

    def _opened(self, stack: ExitStack) -> list[tuple[Path, BinaryIO]]:
        """All files as they are at one moment: where one is put aside meanwhile, they are opened again."""
        while True:
            numbers = {
                f: n for f, n in _files(self._folder).items() if _is_selected(f, self._names)
            }
            opened: list[tuple[Path, BinaryIO]]
            with suppress(FileNotFoundError):
                opened = [(file, stack.enter_context(file.open("rb"))) for file in numbers]
                if all(_number(one) == numbers[file] for file, one in opened):
                    return opened
            stack.close()


def _files(folder: Path) -> dict[Path, int]:
    """Logs of all parts, with their numbers; those that were put aside come before the one that is written."""
    seen: dict[Path, os.stat_result] = {}
    for file in (*folder.glob(f"*{SUFFIX}*"), *folder.glob("*.log*")):
        with suppress(FileNotFoundError):  # put aside meanwhile
            seen[file] = file.stat()
    regular = (file for file, of in seen.items() if stat.S_ISREG(of.st_mode))
    return {
        file: seen[file].st_ino
        for file in sorted(regular, key=lambda file: (_part(file), seen[file].st_mtime))
    }


def _number(opened: BinaryIO) -> int:
    return os.fstat(opened.fileno()).st_ino


def _size(opened: BinaryIO) -> int:
    return os.fstat(opened.fileno()).st_size


def _whole(opened: BinaryIO) -> int:
    """Bytes of a file up to the end of its last whole line."""
    end = _size(opened)
    while end > 0:
        start = max(0, end - BLOCK)
        opened.seek(start)
        if (newline := opened.read(end - start).rfind(b"\n")) >= 0:
            return start + newline + 1
        end = start
    return 0


def _texts(opened: BinaryIO, end: int) -> Iterator[str]:
    """Lines from where a file stands to a place in it; of bytes that are no text the number is shown."""
    while (left := end - opened.tell()) > 0 and (line := opened.readline(left)):
        yield line.decode(errors="backslashreplace").rstrip("\r\n")


def _part(file: Path) -> str:
    return file.name.partition(".")[0]


def _is_selected(file: Path, names: Sequence[str]) -> bool:
    return not names or _part(file) in names


def _lines(texts: Iterable[str], part: str, stand: _Stand) -> Iterator[LogLine]:
    """Lines, each with what stands below it; what comes first without a time is the rest of the line before."""
    last: LogLine | None = None
    below: list[str] = []
    for text in texts:
        line = _line(text, part)
        if line is not None:
            if last is not None:
                yield _longer(last, below)
            stand.line = last = line
            below = []
        elif text.strip():
            last = last or _rest(stand.line, part)
            below.append(text)
    if last is not None:
        yield _longer(last, below)


def _rest(line: LogLine | None, part: str) -> LogLine:
    """What goes on below a line: it is as old and as grave."""
    return LogLine(line.at, line.level, line.part, "") if line else LogLine(None, "info", part, "")


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
