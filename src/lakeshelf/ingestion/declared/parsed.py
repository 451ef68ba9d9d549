"""What a file holds, before anybody knows whether it is right."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from lakeshelf.ingestion.declared.dialect import PLAIN, Dialect

MAX_BYTES = 1 << 30
"""Largest file, unpacked: a file is read as a whole, so that it is loaded as a whole."""
Tells = Literal["nothing", "numbers", "types"]
SHOWN = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True)
class RowRefusal:
    """A rule that a row broke.

    Attributes:
        line: Line of the row in its file.
        rule: The rule.
        column: Column that broke it; empty: the whole row.
        value: Value that broke it, as text.
        row: The row as text.
    """

    line: int
    rule: str
    column: str = ""
    value: str | None = None
    row: str = ""


@dataclass(frozen=True)
class Parsed:
    """What a file holds.

    Attributes:
        table: Its rows; text, where the format has no types.
        lines: Line of each row in the file, counted as people count: from 1, with the header.
        row_text: Place of a row → the row as text.
        refused: Rows that are none at all.
        complete: Whether each row has each column of the file, so that one it lacks is missing.
        texts: Text columns whose values the format told to be text.
        tells: What the format tells of values: nothing, as CSV; which are numbers and booleans; or all types.
        dialect: How numbers in its text are written.
        note: What was left out of it; empty: nothing.
    """

    table: pa.Table
    lines: pa.Array
    row_text: Callable[[int], str]
    refused: tuple[RowRefusal, ...] = ()
    complete: bool = True
    texts: frozenset[str] = frozenset()
    tells: Tells = "nothing"
    dialect: Dialect = PLAIN
    note: str = ""


def as_json(row: Mapping[str, Any]) -> str:
    """A row as text, where its format has no text of its own."""
    return json.dumps(dict(row), default=str, ensure_ascii=False)


def shortened(text: str) -> str:
    """Text for a message: a long one is cut, and its length told."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}… ({len(text):,} characters)"
