"""What a file holds, before anybody knows whether it is right."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

MAX_BYTES = 1 << 30
"""Largest file, unpacked: a file is read as a whole, so that it is loaded as a whole."""


@dataclass(frozen=True)
class Refusal:
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
    """

    table: pa.Table
    lines: pa.Array
    row_text: Callable[[int], str]
    refused: tuple[Refusal, ...] = ()
    complete: bool = True
    texts: frozenset[str] = frozenset()


def as_json(row: Mapping[str, Any]) -> str:
    """A row as text, where its format has no text of its own."""
    return json.dumps(dict(row), default=str, ensure_ascii=False)
