"""Dialect: how the text of a dataset's files is written, where it is not as usual."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lakeshelf.ingestion.errors import DeclarationError

UTF_8 = "utf-8"
ENCODINGS = (
    *(UTF_8, "utf-16", "utf-16-le", "utf-16-be", "iso8859-1", "iso8859-2", "iso8859-15", "cp437", "cp850", "cp852"),
    *("cp1250", "cp1251", "cp1252", "cp1254", "cp1257", "mac-roman", "gb18030", "shift_jis", "big5", "euc_kr"),
)  # fmt: skip
MOST_LINES = 1_048_576
"""Rows of a sheet of Excel; a header stands in one of them."""
QUOTES = ('"', "'", "")
POINTS = (".", ",")
GROUPS = ("", ".", ",", "'", "\u2019", " ", "\u00a0", "\u202f", "_")


@dataclass(frozen=True)
class Dialect:
    """How the text of files is written.

    Attributes:
        delimiter: What separates values of CSV.
        quote: What values of CSV may stand in; empty: nothing, a quote is a character like any.
        encoding: Encoding of CSV and JSONL.
        header: Line of CSV, or row of Excel, that names the columns; 0: the first that is not empty. What stands
            above is left out.
        sheet: Sheet of Excel; empty: the first that is visible.
        decimal: What stands before the fraction of a number in CSV.
        thousands: What may stand between groups of three digits in CSV; empty: nothing.
        nulls: Words of CSV and Excel that mean null.
        assume_zone: Zone of times without an offset.
    """

    delimiter: str = ","
    quote: str = '"'
    encoding: str = UTF_8
    header: int = 0
    sheet: str = ""
    decimal: str = "."
    thousands: str = ""
    nulls: tuple[str, ...] = ("",)
    assume_zone: str = "UTC"


SETTINGS: Mapping[str, type] = {
    field.name: list if field.name == "nulls" else type(field.default) for field in fields(Dialect)
}
"""Settings of a declaration that make a dialect, and the type of each."""
PLAIN = Dialect()


def of_settings(settings: Mapping[str, Any]) -> Dialect:
    """The dialect that settings of the right types make.

    Raises:
        DeclarationError: A setting has a value that it cannot have.
    """
    chosen = {name: settings[name] for name in SETTINGS if name in settings}
    if "encoding" in chosen:
        chosen["encoding"] = _encoding(chosen["encoding"])
    if "assume_zone" in chosen:
        chosen["assume_zone"] = zone(chosen["assume_zone"])
    dialect = Dialect(**chosen | {"nulls": tuple(chosen.get("nulls", PLAIN.nulls))})
    _require_characters(dialect)
    if not 1 <= chosen.get("header", 1) <= MOST_LINES:
        hint = f"lines count from 1 to {MOST_LINES}"
        raise DeclarationError(f"header = {dialect.header} is no line", hint=hint)
    return dialect


def zone(name: str) -> str:
    """The name of a time zone.

    Raises:
        DeclarationError: There is no such zone.
    """
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError) as error:
        raise DeclarationError(f"no time zone {name!r}") from error


def _encoding(name: str) -> str:
    try:
        encoding = codecs.lookup(name).name
    except (LookupError, ValueError):
        encoding = ""
    if encoding not in ENCODINGS:
        raise DeclarationError(f"no encoding {name!r}; there are {', '.join(ENCODINGS)}")
    return encoding


def _require_characters(dialect: Dialect) -> None:
    if len(dialect.delimiter) != 1:
        raise DeclarationError(f"delimiter {dialect.delimiter!r} is not one character")
    if dialect.delimiter in '"\r\n':
        raise DeclarationError(f"delimiter {dialect.delimiter!r} is a quote or the end of a line")
    for name, among in (("quote", QUOTES), ("decimal", POINTS), ("thousands", GROUPS)):
        if getattr(dialect, name) not in among:
            listed = ", ".join(map(repr, among))
            raise DeclarationError(f"{name} {getattr(dialect, name)!r} is none of {listed}")
    if dialect.delimiter == dialect.quote:
        raise DeclarationError(f"delimiter and quote are both {dialect.quote!r}")
    if dialect.decimal == dialect.thousands:
        raise DeclarationError(f"decimal and thousands are both {dialect.decimal!r}")
