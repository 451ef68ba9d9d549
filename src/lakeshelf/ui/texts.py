"""Texts of people and events on pages: characters that nobody would see, or that turn others around, are named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from markupsafe import Markup, escape

INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
"""Characters of control and of direction, but for tab and line feed."""
CODE = re.compile("`([^`]+)`")
EXACT = "textarea"
"""Element whose text is sent back as it is."""


def visible(value: object) -> str:
    """A text in which characters that nobody would see, or that turn others around, are named."""
    return INVISIBLE.sub(lambda one: f"\u27e8U+{ord(one[0]):04X}\u27e9", str(value))


def words(value: object) -> Markup:
    """A text of ours; what stands between backticks, such as a command, is code."""
    parts = CODE.split(visible(value))
    made = (
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part)
        for n, part in enumerate(parts)
    )
    return Markup("").join(made)


def seen(value: object) -> object:
    """What stands between elements, as people see it; what is made of elements already is as it was made."""
    return value if isinstance(value, Markup) else visible(value)


class Visible(Extension):
    """Whatever templates put between elements goes through `seen`; attributes and `EXACT` hold values as they are."""

    def filter_stream(self, stream: TokenStream) -> Iterable[Token]:
        """The words of a template, with the filter behind each expression that stands between elements."""
        written = ""
        is_seen = False
        for token in stream:
            if token.type == "data":
                written = _unfinished(written + token.value)
            if token.type == "variable_begin":
                is_seen = not written
                yield token
                if is_seen:
                    yield Token(token.lineno, "lparen", "(")
            elif token.type == "variable_end" and is_seen:
                behind = (("rparen", ")"), ("pipe", "|"), ("name", seen.__name__))
                yield from _tokens(token.lineno, *behind)
                yield token
            else:
                yield token


def _unfinished(written: str) -> str:
    """The tag or the exact text that has begun and not ended; empty: neither has."""
    begun = written.rfind(f"<{EXACT}")
    if begun > written.rfind(f"</{EXACT}"):
        return written[begun:]
    begun = written.rfind("<")
    return written[begun:] if begun > written.rfind(">") else ""


def _tokens(line: int, *words: tuple[str, str]) -> Iterator[Token]:
    return (Token(line, kind, text) for kind, text in words)
