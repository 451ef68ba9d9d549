"""Names of datasets: `layer/name` in Python and on disk, `layer.name` in SQL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from lakeshelf.lake.place.errors import NameRefused, NotFound, SchemaError

LONGEST = 63
"""Characters of a layer, and of a name in it."""
_PART = f"[a-z][a-z0-9_]{{0,{LONGEST - 1}}}"
_NAME = re.compile(f"{_PART}/{_PART}")
LONGEST_SHOWN = 80
"""Characters of a value in a message."""


def checked(name: str) -> str:
    """The name, if it is one.

    Raises:
        NameRefused: It is no `layer/name` of lower-case letters, digits and underscores. A path with a literal
            `%41` would be decoded on its way to the disk, and `..` would leave the lake.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise NameRefused(
            f"{name!r} is no name of a dataset",
            hint="write `layer/name`: lower-case letters, digits and underscores, a letter first, "
            f"{LONGEST} characters each at most",
        )
    return name


def is_name(name: str) -> bool:
    """Whether it is a name."""
    return _NAME.fullmatch(name) is not None


def in_sql(name: str) -> str:
    """The name as SQL has it."""
    return name.replace("/", ".")


def unknown(name: str, known: Iterable[str]) -> NotFound:
    """The error of a name that nobody knows, with its neighbours."""
    names = sorted(known)
    close = _close(name, names) or names[:3]
    hint = f"did you mean {', '.join(close)}?" if close else "the lake has no tables yet"
    return NotFound(f"no dataset {name!r}", hint=hint)


def columns(columns: str | Iterable[str], what: str) -> tuple[str, ...]:
    """Names of columns as a tuple, from one name or several.

    Raises:
        SchemaError: They are no names, or one is there twice.
    """
    if isinstance(columns, str):
        return (columns,)
    column_names = tuple(columns) if isinstance(columns, Iterable) else ()
    if not isinstance(columns, Iterable) or not all(isinstance(name, str) for name in column_names):
        raise SchemaError(f"{columns!r} names no columns for {what}", hint="give a list of names")
    twice = sorted({name for name in column_names if column_names.count(name) > 1})
    if twice:
        raise SchemaError(f"{', '.join(twice)} is named twice for {what}", hint="name it once")
    return column_names


def suggestion(column: str, known: Iterable[str]) -> str:
    """The way out of a column that is not there: those that are, and which of them may be meant."""
    columns = list(known)
    close = _close(column, columns)
    meant = f"did you mean {', '.join(close)}? " if close else ""
    return f"{meant}it has {', '.join(columns)}"


def shown(value: object) -> str:
    """A value for a message, with its type; a long one is cut."""
    try:
        text = value.isoformat() if isinstance(value, date) else repr(value)
    except ValueError:  # a whole number of more digits than Python writes
        text = "a number of thousands of digits"
    cut = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}…"
    return f"{cut} ({type(value).__name__})"


def _close(name: str, known: list[str]) -> list[str]:
    import difflib  # noqa: PLC0415 - slow to import, and only mistakes need it

    return difflib.get_close_matches(name, known, n=3, cutoff=0.5)
