"""Cells as people write them on a command line: COLUMN=VALUE."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lakeshelf.errors import ConfigurationError

PAGE = 1_000
"""Records of one call."""
AS_JSON = ("bigint", "double", "boolean")
"""Types whose values are JSON; of all others the text is the value."""


def parsed(
    columns: Iterable[Mapping[str, Any]], words: Iterable[str], nulls: Iterable[str] = ()
) -> dict[str, Any]:
    """Column → JSON value.

    Args:
        columns: Columns of the dataset, each with `name` and `type`.
        words: COLUMN=VALUE each.
        nulls: Columns that shall have no value.

    Raises:
        ConfigurationError: A word has no `=`, a column is unknown or named twice.
    """
    types = {column["name"]: str(column["type"]) for column in columns}
    cells: dict[str, Any] = {}
    for name, value in (*map(_parted, words), *((name, None) for name in nulls)):
        if name not in types:
            raise ConfigurationError(
                f"there is no column {name!r}", hint=f"there are {', '.join(types)}"
            )
        if name in cells:
            raise ConfigurationError(f"{name} is named twice", hint="name it once")
        cells[name] = value if value is None else _value(types[name], value)
    return cells


def shown(value: Any) -> str:
    """A JSON value for people: null is a dash, a text as it is, a row as it is typed."""
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={shown(cell)}" for name, cell in value.items())
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def shown_text(text: str | None) -> str:
    """A value that comes as JSON text, for people."""
    return shown(None if text is None else json.loads(text))


def paged(
    page: Callable[[int, int], Mapping[str, Any]], records: str, most: int | None = None
) -> tuple[list[Any], int]:
    """Records that come by pages, and how many there are in all.

    Args:
        page: Gives the answer for an offset and a limit, with `total`.
        records: Where the records are in an answer.
        most: How many are wanted; None: all.
    """
    listed: list[Any] = []
    while True:
        limit = PAGE if most is None else min(PAGE, most - len(listed))
        answer = page(len(listed), limit)
        listed += answer[records]
        complete = len(listed) >= answer["total"] or not answer[records]
        if complete or len(listed) == most:
            return listed, answer["total"]


def _parted(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if not sign:
        raise ConfigurationError(f"{word!r} sets nothing", hint="write COLUMN=VALUE")
    return name, value


def _value(type_: str, text: str) -> Any:
    if type_ not in AS_JSON:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text
