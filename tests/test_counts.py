"""One is one, and what is several is said so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakeshelf.counts import count_of

SOURCES = Path(__file__).parents[1] / "src" / "lakeshelf"
NOUNS = "rows|cells|edits|conflicts|records|approvals|topics|tables|datasets|units|lots|sessions|refusals"
NUMBER = (
    r"\{(?:len\([^{}]*\)|[a-z_.]*(?:count|sent|total|rows|edits|units|stock)(?:\(\))?)(?::,)?\}"
)


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (1, "row", "1 row"),
        (0, "row", "0 rows"),
        (1_000, "refused cell", "1,000 refused cells"),
        (2, "shelf", "2 shelves"),
        (2, "query", "2 queries"),
        (2, "key", "2 keys"),
        (2, "batch", "2 batches"),
        (-1, "unit", "-1 units"),
    ],
)
def test_a_number_has_its_noun(number: int, noun: str, expected: str) -> None:
    assert count_of(number, noun) == expected


def test_no_sentence_counts_without_looking_whether_there_is_one() -> None:
    """After `of` a number is a total, of which there are several where it is said."""
    counting = re.compile(rf"(?<!of ){NUMBER} (?:{NOUNS})\b")
    places = [
        f"{file.relative_to(SOURCES)}:{number}"
        for file in SOURCES.rglob("*.py")
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if counting.search(line)
    ]
    assert not places, "\n".join(places)
