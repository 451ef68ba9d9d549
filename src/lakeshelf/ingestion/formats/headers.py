"""Headers: what is wrong with the names of a file's columns, and what mends it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from lakeshelf.ingestion.declared.dialect import Dialect
from lakeshelf.ingestion.declared.parsed import shortened
from lakeshelf.ingestion.declared.spec import ORIGIN, Spec
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats.encoding import DECLARE, quoted
from lakeshelf.lake.form.kinds import RESERVED

MAX_COLUMNS = 1_000
DELIMITERS = (";", "\t", ",", "|")
UNDER_COLUMNS = "declare it under [columns]"
OPTIONAL = ", or declare it with optional = true: then it is null"
"""Ways out that only a declaration has."""

_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,126}")
_SEP = re.compile(r"sep=(.)")


def stripped(names: Sequence[str]) -> list[str]:
    """Names without the spaces around them."""
    return [name.strip() for name in names]


def require_names(names: Sequence[str], dialect: Dialect | None = None) -> None:
    """Refuse names that columns cannot have.

    Args:
        names: Columns of the file.
        dialect: How its text is written; None: the format has no separators.

    Raises:
        FileRefused: A column is there twice, has no name, or none that can be.
    """
    if len(names) > MAX_COLUMNS:
        raise FileRefused(f"the header has {len(names):,} columns, more than {MAX_COLUMNS:,}")
    if dialect is not None:
        _require_separated(names, dialect)
    if nameless := [place for place, name in enumerate(names, 1) if not name]:
        raise _nameless(names, nameless)
    folded = [name.casefold() for name in names]
    if twice := sorted({name for name in names if folded.count(name.casefold()) > 1}):
        raise FileRefused(
            f"the header has {listed(twice)} twice; capitals do not count",
            hint="rename one of them in the file",
        )
    if own := [name for name in names if name in ORIGIN.names]:
        raise FileRefused(
            f"the header has {listed(own)}, which loading fills", hint="rename it in the file"
        )
    if taken := [name for name in names if name in RESERVED]:
        raise FileRefused(
            f"the header has {listed(taken)}, which belongs to the change feed of tables",
            hint="rename it in the file",
        )
    if unusable := [name for name in names if not _COLUMN.fullmatch(name)]:
        raise FileRefused(
            f"the header has {listed(unusable)}: no name of a column",
            hint="rename it in the file: letters a to z, digits and underscores, no digit first",
        )


def require_header(names: Sequence[str], spec: Spec, complete: bool) -> None:
    """Refuse columns that are not those of a dataset.

    Args:
        names: Columns of the file.
        spec: What the dataset has.
        complete: Whether a column that is not named is missing, not null.

    Raises:
        FileRefused: A column is unknown or missing.
    """
    known = [column.name for column in spec.columns]
    if unknown := [name for name in names if spec.column(name) is None]:
        raise FileRefused(
            f"unknown column {listed(unknown)}; {spec.dataset} has {', '.join(known)}",
            hint=_neighbours(unknown[0], known),
        )
    here = set(names)
    missing = [c.name for c in spec.columns if c.name not in here and not c.optional]
    if missing and complete:
        raise FileRefused(
            f"column {listed(missing)} is missing",
            hint=f"add it{OPTIONAL}",
        )


def listed(names: Sequence[str]) -> str:
    """Names for a message."""
    shown = ", ".join(repr(shortened(name)) for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _require_separated(names: Sequence[str], dialect: Dialect) -> None:
    """Refuse a header that seems to be separated by something else."""
    line = dialect.delimiter.join(names)
    if match := _SEP.fullmatch(line):
        settings = f"delimiter = {quoted(match[1])} and header = {dialect.header + 2}"
        raise FileRefused(
            f"line {max(1, dialect.header)} is Excel's {line!r}, no header",
            hint=DECLARE.format(settings),
        )
    if len(names) == 1 and not _COLUMN.fullmatch(line):
        likely = max(DELIMITERS, key=line.count)
        if likely in line:
            raise FileRefused(
                f"the header is one column, {shortened(line)!r}; it seems to be separated by {likely!r}",
                hint=DECLARE.format(f"delimiter = {quoted(likely)}"),
            )


def _nameless(names: Sequence[str], places: Sequence[int]) -> FileRefused:
    which = f"column {places[0]} of {len(names)} has no name in the header"
    if not any(names[1:]):
        return FileRefused(
            f"{which}, which is {shortened(names[0])!r} alone",
            hint=f"if that is a title, {DECLARE.format('header = 2')} (the line of the header)",
        )
    if list(places) == [len(names)]:
        return FileRefused(which, hint="name it, or take away the separator that ends the lines")
    return FileRefused(which, hint="name it in the file, or take the column away")


def _neighbours(name: str, known: Sequence[str]) -> str:
    folded = {column.casefold(): column for column in known}
    near = difflib.get_close_matches(name.casefold(), folded, n=2, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(repr(folded[one]) for one in near)}? Capitals count"
    return f"take it out of the file, or {UNDER_COLUMNS}"
