"""Addresses as they were written: a slash within the id of a shelf is no step to a part of another one."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.convertors import Convertor, register_url_convertor
from starlette.types import Scope

SHELF = "/shelves/{shelf:written}"
"""Path of a shelf, in routes."""
SHELVES = "/api/v1/shelves/"
_KEPT = re.compile(r"(%2f|%25)", re.IGNORECASE)
"""What stays quoted, so that it can be told from what is no part of a name."""


class _Written(Convertor[str]):
    """A name in the path of a route, whatever it holds; also slashes that nobody quoted, where they name no part."""

    regex = ".*"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("written", _Written())


def path(decoded: str, raw: bytes | None) -> str:
    """The path by which a call is routed: that of a shelf with slashes of its id, and percent signs, still quoted.

    Args:
        decoded: The path as servers decode it.
        raw: As it was sent; None: nobody knows.
    """
    if raw is None or not decoded.startswith(SHELVES):
        return decoded
    parts = enumerate(_KEPT.split(raw.decode("latin-1")))
    return "".join(part if n % 2 else unquote(part) for n, part in parts)


def take(scope: Scope) -> None:
    """Have a call routed by its path as it was written."""
    scope["path"] = path(scope["path"], scope.get("raw_path"))
