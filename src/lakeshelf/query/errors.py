"""Errors of queries, each one line.

LakeshelfError
├── SqlError          a statement that is refused or wrong        ValueError
├── LimitReached      what a statement may take                   RuntimeError
│   ├── TooLong       time
│   └── TooLarge      memory, with what it writes to temporary files
└── UntestedVersions  libraries that were not tried together      (in `engines`)
"""

from __future__ import annotations

import json
import re
from typing import Any

from lakeshelf.errors import LakeshelfError

_CANDIDATES = re.compile(r"Candidate (?:bindings|tables)[: ]+(.+)")


class SqlError(LakeshelfError, ValueError):
    """A statement that is refused or wrong."""


class LimitReached(LakeshelfError, RuntimeError):
    """Time or memory that a statement may take."""


class TooLong(LimitReached):
    """Time that a statement may take."""


class TooLarge(LimitReached):
    """Memory that a statement may take."""


def translated(error: Exception, text: str | None) -> LakeshelfError:
    """The error of this package for one of DuckDB (`errors_as_json`), in one line.

    Args:
        error: The error of DuckDB.
        text: The statement as the user wrote it; None: it was rewritten, so that positions in it do not apply.
    """
    fields = _fields(str(error))
    message = str(fields.get("exception_message", error))
    line = next(iter(message.strip().splitlines()), type(error).__name__)
    if type(error).__name__ == "OutOfMemoryException":
        return TooLarge(line, hint="give more with --memory, or ask for less")
    where = _place(text, fields.get("position"))
    return SqlError(f"{line.rstrip('.!')}{where}", hint=_hint(fields, message))


def _fields(message: str) -> dict[str, Any]:
    _, brace, rest = message.partition("{")
    try:
        parsed = json.loads(brace + rest)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _place(text: str | None, position: str | None) -> str:
    if text is None or position is None:
        return ""
    before = text.encode()[: int(position)].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return f" (line {line}, column {column})"


def _hint(fields: dict[str, Any], message: str) -> str:
    match = _CANDIDATES.search(message)
    candidates = fields.get("candidates") or (match.group(1) if match else "")
    listed = str(candidates).replace('"', "").replace(",", ", ").replace(",  ", ", ").strip(": ")
    return f"did you mean {listed}?" if listed else ""
