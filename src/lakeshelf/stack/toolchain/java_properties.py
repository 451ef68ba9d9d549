"""Files of properties as Java reads them, in ASCII: Kafka takes a file for Latin-1, Spark for UTF-8."""

from __future__ import annotations

from collections.abc import Mapping

_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}


def text(properties: Mapping[str, str]) -> str:
    """Properties as the text of a file."""
    return "".join(f"{name}={value(content)}\n" for name, content in properties.items())


def value(content: str) -> str:
    """A value as it stands in a file, in ASCII; a blank at its beginning would be skipped."""
    escaped = "".join(map(_escaped, content))
    return f"\\{escaped}" if escaped.startswith(" ") else escaped


def _escaped(letter: str) -> str:
    if letter in _ESCAPES:
        return _ESCAPES[letter]
    if " " <= letter <= "~":
        return letter
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
