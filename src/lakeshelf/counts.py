"""How many there are of something, in words."""

from __future__ import annotations

ENDINGS = {"shelf": "shelves", "y": "ies", "ch": "ches", "sh": "shes", "s": "ses", "x": "xes"}
"""Ending of a noun → that of its plural; the first that fits. Any other gets an s."""
VOWELS = "aeiou"


def count_of(number: int, noun: str, *, apart: str = ",") -> str:
    """A number with its noun: `1 row`, `2 rows`, `1,000 queries`.

    Args:
        number: How many there are.
        noun: What they are, in the singular; words before it may say which.
        apart: What holds thousands apart.
    """
    digits = f"{number:,}".replace(",", apart)
    return f"{digits} {noun if number == 1 else plural(noun)}"


def plural(noun: str) -> str:
    """A noun of which there are several."""
    if noun[-2:-1] in VOWELS and noun.endswith("y"):
        return f"{noun}s"
    for ending, several in ENDINGS.items():
        if noun.endswith(ending):
            return noun.removesuffix(ending) + several
    return f"{noun}s"


def count_is(number: int, noun: str) -> str:
    """The same with its verb: `1 row is`, `2 rows are`."""
    return f"{count_of(number, noun)} {'is' if number == 1 else 'are'}"
