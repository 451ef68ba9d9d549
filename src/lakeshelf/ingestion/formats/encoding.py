"""From the bytes of a file to its text; what is no text is told by what it is."""

from __future__ import annotations

import codecs

from lakeshelf.ingestion.declared.dialect import UTF_8, Dialect
from lakeshelf.ingestion.errors import FileRefused

DECLARE = "declare {} in the folder's _dataset.toml"
_MARKS = (
    (codecs.BOM_UTF8, (UTF_8,)),
    (codecs.BOM_UTF16_LE, ("utf-16", "utf-16-le")),
    (codecs.BOM_UTF16_BE, ("utf-16", "utf-16-be")),
)
_ZEROS = ((1, "utf-16-le"), (0, "utf-16-be"))
"""Where the first letter has its zero byte."""
_KINDS = (
    (b"PK\x03\x04", "a zip archive or an Excel workbook"),
    (b"\x1f\x8b", "a gzip file"),
    (b"PAR1", "a Parquet file"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls), or one with a password"),
    (b"%PDF", "a PDF"),
)
_LOOKED_AT = 1_000


def decoded(content: bytes, dialect: Dialect) -> str:
    """The content as text, without a byte order mark.

    Raises:
        FileRefused: It is in another encoding than is declared, or no text.
    """
    require_encoded(content, dialect.encoding)
    try:
        return content.decode(dialect.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _undecodable(content, error, dialect.encoding) from error


def kind_of(content: bytes) -> str:
    """What a file is by its first bytes; empty: they tell nothing."""
    start = content[:_LOOKED_AT].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<table")):
        return "a web page"
    return next((kind for mark, kind in _KINDS if content.startswith(mark)), "")


def require_encoded(content: bytes, encoding: str) -> None:
    """Refuse content whose beginning tells that it is no text, or in another encoding.

    Raises:
        FileRefused: It is so.
    """
    _require_text(content)
    _require_mark(content, encoding)


def _require_text(content: bytes) -> None:
    if kind := kind_of(content):
        raise FileRefused(
            f"the file is {kind}, which its name does not say",
            hint="save it in the format of its name, or give it the ending of its format",
        )


def _require_mark(content: bytes, encoding: str) -> None:
    for mark, names in _MARKS:
        if content.startswith(mark) and encoding not in names:
            raise FileRefused(
                f"the file begins as {names[0].upper()} does, and is read as {encoding.upper()}",
                hint=f"save it as {encoding.upper()}, or {DECLARE.format(f'encoding = {quoted(names[0])}')}",
            )
    guess = next((name for at, name in _ZEROS if content[at : at + 1] == b"\x00"), "")
    if encoding == UTF_8 and guess:
        raise FileRefused(
            "the file begins with a zero byte in a letter, as UTF-16 does",
            hint=f"save it as UTF-8, or {DECLARE.format(f'encoding = {quoted(guess)}')}",
        )


def _undecodable(content: bytes, error: UnicodeDecodeError, encoding: str) -> FileRefused:
    line = content[: error.start].decode(encoding, "replace").count("\n") + 1
    where = f"line {line} is no {encoding.upper()}: byte {content[error.start]:#04x}"
    if encoding != UTF_8:
        return FileRefused(where, hint=f"it is declared as encoding = {quoted(encoding)}")
    likely = quoted("cp1252")
    return FileRefused(
        where,
        hint=f"save it as UTF-8, or {DECLARE.format(f'encoding = {likely}')} (or what it is)",
    )


def quoted(text: str) -> str:
    """Text as a declaration has it."""
    return '"\\t"' if text == "\t" else f'"{text}"'
