"""Parts of a workbook that its reader does not tell: cells that have no value, and what stands there instead.

A workbook is a zip archive of XML. It is parsed with what Python has: a document type is refused, so nothing expands,
and the size of all parts was looked at before.
"""

from __future__ import annotations

import io
import math
import posixpath
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from lakeshelf.ingestion.declared.parsed import MAX_BYTES, shortened
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats.encoding import kind_of

Cell = tuple[int, int]
"""Row and column, counted from 0."""
_WORKBOOK = "xl/workbook.xml"
_SHARED = "xl/sharedStrings.xml"
_PLACE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
_MOST_DIGITS = 15
"""Digits of a number that Excel keeps."""
_NO_DAY = 60
"""Excel's 29 February 1900, which there was not."""


@dataclass(frozen=True)
class Cells:
    """What the XML of a sheet tells of its cells.

    Attributes:
        wrong: Cell that holds no value to be trusted → why.
        undated: Cells whose number is no day or time, should its format say that it is one.
        last: Last row and last column that have a cell which is not empty.
        shared: Characters of the texts that cells share, as often as they do.
    """

    wrong: Mapping[Cell, str]
    undated: frozenset[Cell]
    last: Cell
    shared: int = 0


def require_sound(content: bytes) -> None:
    """Refuse what is no workbook.

    Raises:
        FileRefused: It is none, too large, or damaged.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
            broken = archive.testzip() if unpacked <= MAX_BYTES else None
            names = archive.namelist()
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        what = str(error) if content.startswith(b"PK") else kind_of(content) or str(error)
        raise FileRefused(f"the file is no workbook: {what}", hint="save it as .xlsx") from error
    except Exception as error:  # zlib.error and what else a damaged archive raises
        raise FileRefused(f"the workbook is damaged: {error}", hint="save it again") from error
    if unpacked > MAX_BYTES:
        raise FileRefused(f"the workbook has {unpacked:,} bytes unpacked", hint="split it")
    if broken:
        raise FileRefused(f"the workbook is damaged at {broken}", hint="save it again")
    if _WORKBOOK not in names:
        raise FileRefused("the file is no workbook: a zip archive", hint="save it as .xlsx")


def cells(content: bytes, sheet: str) -> Cells:
    """What the XML of a sheet tells of its cells.

    Args:
        content: The workbook, a sound one.
        sheet: Name of the sheet.

    Raises:
        FileRefused: Its XML is damaged.
    """
    handlers = _Sheet()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        path = _path(archive, sheet)
        if path not in archive.namelist():
            raise FileRefused(f"the workbook has no part of sheet {sheet!r}", hint="save it again")
        _parsed(archive.read(path), handlers.start, handlers.end, handlers.text)
        lengths = _shared(archive) if handlers.shared else []
    known = ((lengths[n], times) for n, times in handlers.shared.items() if n < len(lengths))
    shared = sum(length * times for length, times in known)
    return Cells(handlers.wrong, frozenset(handlers.undated), handlers.last, shared)


def place(row: int, column: int) -> str:
    """A cell as Excel names it, such as `B2`."""
    letters, column = "", column + 1
    while column:
        column, digit = divmod(column - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return f"{letters}{row + 1}"


def _shared(archive: zipfile.ZipFile) -> list[int]:
    """Characters of each text that cells can share."""
    lengths: list[int] = []

    def start(tag: str, _: dict[str, str]) -> None:
        if tag == "si":
            lengths.append(0)

    def text(part: str) -> None:
        if lengths:
            lengths[-1] += len(part)

    if _SHARED in archive.namelist():
        _parsed(archive.read(_SHARED), start, text=text)
    return lengths


def _path(archive: zipfile.ZipFile, sheet: str) -> str:
    """Where the XML of a sheet is: the workbook has an id for its name, the relations have a path for the id."""
    ids = {a.get("name"): _id(a) for tag, a in _elements(archive, _WORKBOOK) if tag == "sheet"}
    folder, name = posixpath.split(_WORKBOOK)
    relations = _elements(archive, f"{folder}/_rels/{name}.rels")
    targets = {a.get("Id", ""): a.get("Target", "") for _, a in relations}
    target = targets.get(ids.get(sheet, ""), "")
    return posixpath.normpath(posixpath.join("/", folder, target))[1:]


def _id(attributes: dict[str, str]) -> str:
    return next((value for key, value in attributes.items() if key.endswith(":id")), "")


def _elements(archive: zipfile.ZipFile, path: str) -> list[tuple[str, dict[str, str]]]:
    elements: list[tuple[str, dict[str, str]]] = []
    if path in archive.namelist():
        _parsed(archive.read(path), lambda tag, attributes: elements.append((tag, attributes)))
    return elements


def _parsed(
    content: bytes,
    start: Callable[[str, dict[str, str]], object],
    end: Callable[[str], object] | None = None,
    text: Callable[[str], object] | None = None,
) -> None:
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _no_document_type
    parser.StartElementHandler = lambda tag, attributes: start(tag.rpartition(":")[2], attributes)
    if end is not None:
        parser.EndElementHandler = lambda tag: end(tag.rpartition(":")[2])
    if text is not None:
        parser.CharacterDataHandler = text
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise FileRefused(f"the workbook is damaged: {error}", hint="save it again") from error


def _no_document_type(*_: Any) -> None:
    raise FileRefused(
        "the workbook has a document type, which no workbook has", hint="save it again"
    )


class _Sheet:
    """Handlers of the elements of a sheet."""

    def __init__(self) -> None:
        self.wrong: dict[Cell, str] = {}
        self.shared: Counter[int] = Counter()
        self.undated: set[Cell] = set()
        self.last = (-1, -1)
        self._at = (-1, -1)
        self._kind = ""
        self._has_formula = False
        self._value: list[str] | None = None
        self._text = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag == "row":
            self._at = (int(attributes.get("r", self._at[0] + 2)) - 1, -1)
        elif tag == "c":
            self._at = _at(attributes.get("r"), self._at)
            self._kind, self._has_formula, self._text = attributes.get("t", "n"), False, ""
        elif tag == "f":
            self._has_formula = True
        elif tag == "v":
            self._value = []
        elif tag == "is":
            self._reach()

    def text(self, text: str) -> None:
        if self._value is not None:
            self._value.append(text)

    def end(self, tag: str) -> None:
        if tag == "v" and self._value is not None:
            self._text, self._value = "".join(self._value).strip(), None
        elif tag == "c":
            if self._text or self._has_formula or self._kind == "e":
                self._reach()
            self._judge()

    def _reach(self) -> None:
        row, column = self._at
        self.last = max(self.last[0], row), max(self.last[1], column)

    def _judge(self) -> None:
        if self._kind == "e":
            self.wrong[self._at] = self._text or "an error"
        elif not self._text:
            if self._has_formula and self._kind != "str":
                self.wrong[self._at] = "a formula without a value"
        elif self._kind == "n":
            self._judge_number()
        elif self._kind == "s" and self._text.isdecimal():
            self.shared[int(self._text)] += 1

    def _judge_number(self) -> None:
        try:
            number = float(self._text)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            self.wrong[self._at] = f"{shortened(self._text)} is no number"
        elif abs(number) >= 10**_MOST_DIGITS and number.is_integer():
            self.wrong[self._at] = (
                f"{shortened(self._text)} has more digits than the {_MOST_DIGITS} that Excel keeps"
            )
        elif number < 0 or _NO_DAY <= number < _NO_DAY + 1:
            self.undated.add(self._at)


def _at(name: str | None, before: Cell) -> Cell:
    match = _PLACE.fullmatch(name or "")
    if match is None:
        return before[0], before[1] + 1
    column = 0
    for letter in match[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(match[2]) - 1, column - 1
