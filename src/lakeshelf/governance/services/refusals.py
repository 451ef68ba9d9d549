"""What every error comes to for whoever asked: a refusal, in one shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from lakeshelf.errors import LakeshelfError, MissingExtra
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.lake.place.errors import NotFound, TimeOutOfRange, Vacuumed, VersionNotFound
from lakeshelf.lake.place.location import Root
from lakeshelf.query.errors import LimitReached, SqlError, TooLarge, TooLong

_OF_KIND: Mapping[type[LakeshelfError], str] = {
    SqlError: "query_refused",
    TooLong: "query_too_long",
    TooLarge: "query_too_large",
    LimitReached: "query_refused",
    Vacuumed: "gone",
    VersionNotFound: "not_found",
    TimeOutOfRange: "request_invalid",
    NotFound: "not_found",
    MissingExtra: "service_unavailable",
}
"""Errors of other packages → code; every other one is of the storage."""
THE_LAKE = "the lake"
_HINTS = {
    "query_too_long": "ask for less, or give more `seconds`",
    "query_too_large": "ask for less",
}
"""Hints of errors that speak of options of a command."""


def governed(error: Exception) -> GovernanceError:
    """The refusal that an error stands for; one that nobody thought of says nothing of itself."""
    if isinstance(error, GovernanceError):
        return error
    if isinstance(error, LakeshelfError):
        code = next((c for kind, c in _OF_KIND.items() if isinstance(error, kind)), None)
        code = code or "storage_unavailable"
        return refused(code, error.message, hint=_HINTS.get(code, error.hint))
    return refused("internal", "something went wrong here", hint="the log has it by request id")


def shape(error: GovernanceError, root: Root | None = None) -> dict[str, Any]:
    """The body that tells of a refusal; where the lake lies is for those who run it."""
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    if root is not None and root.folder is not None:
        for place in _forms(str(root.folder)):
            message = message.replace(place, THE_LAKE)
    return {"error": {"code": error.code, "message": message, "details": error.details}}


def _forms(folder: str) -> Iterator[str]:
    """A folder as libraries name it: by its address, quoted, or without its first slash."""
    for place in (folder, quote(folder)):
        yield from (f"file://{place}", place)
        if "/" in place[1:]:  # else it is a word, which may stand anywhere
            yield place[1:]
