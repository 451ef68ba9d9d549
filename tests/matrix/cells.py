"""Cells of the matrix: what the product declares of an engine and a table, as marks of pytest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from lakeshelf import query
from lakeshelf.lake.form.features import Word
from lakeshelf.lake.place.errors import FeatureRefused
from lakeshelf.query import engines
from tests.matrix.reading import reading
from tests.matrix.written import TABLES, Row

REASONS: dict[Word, str] = {
    "notimpl": "delta-rs opens every snapshot and refuses this one, which the engine itself would read",
    "notyet": "the engine does not read it",
    "never": "it needs a catalogue server, which the product does not have",
}


def served() -> list[Any]:
    """Every engine with every table; what is declared not to work must be refused, never read wrong."""
    return [
        _cell(engine, table, reading(engine, needs(table)), FeatureRefused)
        for table in TABLES
        for engine in query.ENGINES
    ]


def handed_over() -> list[Any]:
    """Engines that are handed Arrow, because their own route is declared wrong on a table that delta-rs reads."""
    return [
        _cell(engine, table, "notyet", None)
        for table in TABLES
        for engine, found in query.ENGINES.items()
        if found.route != engines.SCAN
        and engine not in TABLES[table].right
        and reading(engine, needs(table)) == "works"
        and engines.route(engine, needs(table)) == engines.SCAN
    ]


def needs(table: str) -> tuple[str, ...]:
    """What a table needs of who reads it."""
    return (*TABLES[table].features, *TABLES[table].traits)


def multiset(rows: Sequence[Row]) -> Counter[str]:
    """Rows without order, in one form whatever engine gave them."""
    return Counter(repr(_plain(row)) for row in rows)


def _cell(engine: str, table: str, word: Word, error: type[Exception] | None) -> Any:
    marks = []
    if word != "works":
        fails = pytest.mark.xfail(strict=True, raises=error, reason=REASONS[word])
        marks = [getattr(pytest.mark, word), fails]
    return pytest.param(engine, table, marks=marks, id=f"{engine}-{table}")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    if isinstance(value, dict):
        return sorted((key, _plain(held)) for key, held in value.items())
    if isinstance(value, tuple):  # an entry of a map
        return _plain(dict(zip(("key", "value"), value, strict=True)))
    return [_plain(held) for held in value] if isinstance(value, list) else value
