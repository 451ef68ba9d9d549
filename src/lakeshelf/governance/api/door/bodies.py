"""Bodies of calls: read whole, and refused where no other program would take them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope

from lakeshelf.governance.errors import GovernanceError, refused

LARGEST = 16 * 1024 * 1024
"""Bytes of a body."""


@dataclass
class Again:
    """A body that was read, read again."""

    body: bytes
    receive: Receive
    claimed: bool = False

    async def __call__(self) -> Message:
        """The body, once; what else comes after it."""
        if self.claimed:
            return await self.receive()
        self.claimed = True
        return {"type": "http.request", "body": self.body, "more_body": False}


async def whole(scope: Scope, receive: Receive) -> bytes:
    """The whole body, of which every value is one of JSON, or nothing.

    Raises:
        GovernanceError: `body_too_large`, `request_invalid`.
    """
    length = Headers(scope=scope).get("content-length", "0")
    if length.isdigit() and int(length) > LARGEST:
        raise _too_large()
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST:
            raise _too_large()
        if not message.get("more_body"):
            _require_json(body)
            return bytes(body)


def bounded(receive: Receive) -> Receive:
    """What comes of a body, as far as it is no larger than any may be."""
    size = 0

    async def receiving() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST:
            raise _too_large()
        return message

    return receiving


def _too_large() -> GovernanceError:
    return refused(
        "body_too_large",
        f"a body has {LARGEST:,} bytes at most",
        hint="send less at once",
        most=LARGEST,
    )


def require_text(scope: Scope) -> None:
    """Refuse an address that no text of ours can be."""
    if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
        raise refused("request_invalid", "an address has no NUL")


def _require_json(body: bytes | bytearray) -> None:
    """Refuse a body whose values no other program would take: NaN, numbers beyond a double, NUL, half a character."""
    if not body:
        return
    try:
        value = json.loads(body, parse_constant=_no_number, parse_float=_finite)
        _require_texts(value)
    except RecursionError:
        raise refused("request_invalid", "the body is nested too deeply") from None
    except UnicodeEncodeError:
        raise refused("request_invalid", "a text holds half a character") from None
    except ValueError as error:
        raise refused("request_invalid", f"the body is no JSON: {str(error)[:200]}") from None


def _require_texts(value: Any) -> None:
    todo = [value]
    while todo:
        one = todo.pop()
        if isinstance(one, str):
            one.encode()
            if "\0" in one:
                raise ValueError("a text holds NUL")
        elif isinstance(one, dict):
            todo += [*one, *one.values()]
        elif isinstance(one, list):
            todo += one


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is beyond a double")
    return number
