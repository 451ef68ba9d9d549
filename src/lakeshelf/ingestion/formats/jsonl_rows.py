"""JSON lines: an object a line; a name that is not there is null."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import pyarrow as pa

from lakeshelf.ingestion.declared.dialect import PLAIN, UTF_8, Dialect
from lakeshelf.ingestion.declared.parsed import Parsed, RowRefusal
from lakeshelf.ingestion.declared.spec import ORIGIN, Spec
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats.encoding import decoded, require_encoded
from lakeshelf.ingestion.formats.headers import MAX_COLUMNS

DEEPEST = 64
"""Lists and objects in each other that a value may have: deeper ones are an attack, not a message."""
_BRACKET = re.compile(r"[\[{]")


class Number(str):
    """A number as its file writes it, with all its digits."""

    __slots__ = ()


def parse(content: bytes, spec: Spec | None = None, dialect: Dialect = PLAIN) -> Parsed:
    """The rows of a JSONL file, all values as text; blank lines are no rows.

    Args:
        content: The file's content.
        spec: Columns that are known; None: those of the file.
        dialect: How its text is encoded.

    Raises:
        FileRefused: It is not in the encoding that is declared, or has too many columns.
    """
    raw, known = _lines(content, dialect), _text_only(spec)
    _require_object_a_line(raw)
    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    refused: list[RowRefusal] = []
    for number, line in enumerate(raw, 1):
        if not line.strip():
            continue
        try:
            value = _object(_text(line))
            wrong = _problem(value, known)
        except ValueError as error:
            wrong = ("json", "", f"no JSON: {error}")
        if wrong is None:
            objects.append(value)
            lines.append(number)
        else:
            refused.append(RowRefusal(number, *wrong, _shown(line)))
    names = _names(objects, spec)
    columns = [[value.get(name) for value in objects] for name in names]
    table = pa.Table.from_arrays(
        [pa.array([as_text(v) for v in column], pa.string()) for column in columns], names=names
    )
    texts = {n for n, column in zip(names, columns, strict=True) if _has_text(column)}
    return Parsed(
        table=table,
        lines=pa.array(lines, pa.int64()),
        row_text=lambda place: _shown(raw[lines[place] - 1]),
        refused=tuple(refused),
        complete=False,
        texts=frozenset(texts),
        tells="numbers",
    )


def as_text(value: Any) -> str | None:
    """A value of JSON as text: of a number, the digits that stand there."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        inner = (f"{json.dumps(k, ensure_ascii=False)}:{_nested(v)}" for k, v in value.items())
        return f"{{{','.join(inner)}}}"
    return f"[{','.join(map(_nested, value))}]"


def _nested(value: Any) -> str:
    if value is None:
        return "null"
    return json.dumps(value, ensure_ascii=False) if _is_text(value) else str(as_text(value))


def _lines(content: bytes, dialect: Dialect) -> list[bytes]:
    """Lines in UTF-8: one that is not is a row that is refused, where nothing else is declared."""
    if dialect.encoding != UTF_8:
        return decoded(content, dialect).encode().split(b"\n")
    require_encoded(content, UTF_8)
    return content.removeprefix(codecs.BOM_UTF8).split(b"\n")


def _require_object_a_line(lines: list[bytes]) -> None:
    first = next((line.strip() for line in lines if line.strip()), b"")
    if first in (b"[", b"{"):
        what = "one list" if first == b"[" else "an object over many lines"
        raise FileRefused(
            f"the file is JSON, {what}; JSONL has an object a line",
            hint="write each object in one line, as `jq -c` does",
        )


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f'no UTF-8: byte {line[error.start]:#04x} at {error.start + 1}; declare encoding = "cp1252", or what it is'
        ) from error


def _object(line: str) -> Any:
    try:
        value = _DECODER.decode(line)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {DEEPEST}") from error
    if len(_BRACKET.findall(line)) > DEEPEST:
        _require_shallow(value)
    if "\\u" in line:
        _require_characters(value)
    return value


def _require_characters(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = ascii(error.object[error.start])
        raise ValueError(f"{half} is half a character") from error


def _require_shallow(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"nested deeper than {DEEPEST}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} is there twice")
    return members


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON; write null")


_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=Number, parse_constant=_no_number, object_pairs_hook=_once
)


def _text_only(spec: Spec | None) -> dict[str, bool] | None:
    """Column → whether only text may stand there; None: any column is welcome."""
    if spec is None:
        return None
    kinds = {field.name: field.type for field in spec.schema if field.name not in ORIGIN.names}
    return {n: pa.types.is_string(kind) or pa.types.is_binary(kind) for n, kind in kinds.items()}


def _problem(row: Any, known: dict[str, bool] | None) -> tuple[str, str, str | None] | None:
    """Rule, column and value of what is wrong with a line; None: nothing."""
    if not isinstance(row, dict):
        return "json", "", "no object"
    for name, value in row.items():
        is_unknown = known is not None and name not in known
        if (is_unknown and value is not None) or name in ORIGIN.names:
            return "unknown_column", name, as_text(value)
        if known and known.get(name) and value is not None and not _is_text(value):
            return "type", name, as_text(value)
    return None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not isinstance(value, Number)


def _names(objects: list[dict[str, Any]], spec: Spec | None) -> list[str]:
    seen: Mapping[str, None] = {}
    for value in objects:
        seen = {**seen, **dict.fromkeys(value)} if value.keys() - seen.keys() else seen
        if len(seen) > MAX_COLUMNS and spec is None:
            raise FileRefused(f"the file has more than {MAX_COLUMNS:,} columns")
    return [name for name in seen if spec is None or spec.column(name) is not None]


def _has_text(column: list[Any]) -> bool:
    return any(map(_is_text, column))


def _shown(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")
