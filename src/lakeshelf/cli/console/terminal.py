"""Consoles that show data and never obey it, and tables that never break a word."""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.table import Column, Table
from rich.text import Text

from lakeshelf.cli.console import access

PLAIN_WIDTH = 160
GAP = 2
"""Cells between two columns."""
_OBEYED = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories of characters that act instead of being seen: controls, direction, half characters, line ends."""
_JOINERS = "\u200c\u200d"
"""Characters without which some scripts cannot be written."""


def inert(text: str, keep: str = "") -> str:
    r"""Text as it may be printed: what a terminal would obey is shown, as `\x1b`.

    Args:
        text: Any text.
        keep: Characters that are passed on as they are.
    """
    return text if text.isprintable() else "".join(c if c in keep else _shown(c) for c in text)


def _shown(character: str) -> str:
    if unicodedata.category(character) not in _OBEYED or character in _JOINERS:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")


class Terminal(Console):
    """A console whose strings are the product's own sentences: no markup, commands with their lake."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Text of a sentence: one line, in which a command that is named carries the lake in force."""
        return super().render_str(inert(access.completed(text)), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """What is printed of anything; nothing gets past here that a terminal would obey."""
        for segment in super().render(renderable, options):
            if segment.control or segment.text.isprintable():
                yield segment
            else:
                yield Segment(inert(segment.text, keep="\n"), segment.style)

    def print(self, *objects: Any, **options: Any) -> None:
        """Print, without cutting lines where no terminal is."""
        super().print(*objects, **{"crop": self.is_terminal} | options)


def lines(text: str) -> Text:
    """A text of several lines as it may be printed."""
    return Text(inert(text, keep="\n"))


def console() -> Terminal:
    """The console of stdout."""
    return Terminal(width=None if sys.stdout.isatty() else PLAIN_WIDTH)


def errors() -> Terminal:
    """The console of stderr."""
    return Terminal(stderr=True, soft_wrap=True)


class Screen(io.TextIOBase):
    """A terminal as a file for rows: what it would obey is shown.

    Args:
        file: The terminal.
    """

    def __init__(self, file: TextIO) -> None:
        super().__init__()
        self._file = file

    def write(self, text: str) -> int:
        """Write a text."""
        return self._file.write(inert(text, keep="\n"))


def screen() -> IO[str]:
    """Stdout as a file for rows, which are data where they go to a program or a file."""
    return cast("IO[str]", Screen(sys.stdout)) if sys.stdout.isatty() else sys.stdout


class Grid(Table):
    """A table that is printed record by record where its longest words do not stand side by side."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Print the table."""
        if not self.columns:
            return
        room = options.max_width if console.is_terminal else sys.maxsize
        sizes = [_size(console, options, column) for column in self.columns]
        if sum(size.minimum for size in sizes) + GAP * len(sizes) <= room + GAP:
            widths = _widths(sizes, room - GAP * (len(sizes) - 1))
            for column, width in zip(self.columns, widths, strict=True):
                column.width = width
            total = sum(widths) + GAP * (len(widths) - 1)
            wide = options.update(width=max(total, 1))
            yield from _unpadded(super().__rich_console__(console, wide))
        else:
            yield from self._records()

    def _records(self) -> Iterator[RenderableType]:
        titles = [str(column.header) for column in self.columns]
        cells = zip(*(column.cells for column in self.columns), strict=True)
        for number, (row, record) in enumerate(zip(self.rows, cells, strict=True), 1):
            yield Text(f"-- {number:,} --", style="bold")
            table = Table(box=None, pad_edge=False, show_header=False, style=row.style or "")
            table.add_column(no_wrap=True)
            table.add_column(overflow="fold")
            for title, cell in zip(titles, record, strict=True):
                table.add_row(title, cell)
            yield table


def _unpadded(segments: RenderResult) -> Iterator[Segment]:
    """What a table is made of, without the blanks at the end of a line."""
    line: list[Segment] = []
    for segment in cast("Iterable[Segment]", segments):
        if segment.text != "\n":
            line.append(segment)
            continue
        while line and not line[-1].text.strip():
            line.pop()
        if line:
            line[-1] = line[-1]._replace(text=line[-1].text.rstrip())
        yield from (*line, segment)
        line.clear()
    yield from line


def _size(console: Console, options: ConsoleOptions, column: Column) -> Measurement:
    """Cells of the longest word and of the longest line of a column."""
    shown = [column.header, *column.cells] if str(column.header) else list(column.cells)
    wide = options.update(width=sys.maxsize)
    sizes = [Measurement.get(console, wide, cell) for cell in shown] or [Measurement(0, 0)]
    return Measurement(max(s.minimum for s in sizes), max(s.maximum for s in sizes))


def _widths(sizes: Sequence[Measurement], room: int) -> list[int]:
    """Widths of columns: what each needs, and of what is left as much as each can use, the narrowest first."""
    widths = [size.minimum for size in sizes]
    left = room - sum(widths)
    wanting = sorted(range(len(sizes)), key=lambda n: sizes[n].maximum - sizes[n].minimum)
    for place, number in enumerate(wanting):
        more = min(sizes[number].maximum - sizes[number].minimum, left // (len(wanting) - place))
        widths[number] += more
        left -= more
    return widths
