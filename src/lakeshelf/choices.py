"""Words that somebody chose from those that there are."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from lakeshelf.errors import ConfigurationError

FEW = 12
"""So many are named where none is near."""


def chosen(what: str, word: str, known: Collection[str]) -> str:
    """The word, if it is one of those that are known.

    Args:
        what: What it is, for the error.
        word: The word.
        known: Words that are valid.

    Raises:
        ConfigurationError: It is none of them; the nearest are named, or the first few.
    """
    if word in known:
        return word
    near = difflib.get_close_matches(word, known, n=3)
    if near:
        hint = f"did you mean {', '.join(near)}?"
    else:
        first = sorted(known)[:FEW]
        hint = f"there are {', '.join(first)}{', …' if len(known) > len(first) else ''}"
    raise ConfigurationError(f"no {what} {word!r}", hint=hint if known else "there are none yet")
