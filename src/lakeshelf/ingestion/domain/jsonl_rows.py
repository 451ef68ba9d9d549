"""JSON lines: an object a line; a name that is not there is null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from lakeshelf.ingestion.domain.parsed import Parsed, Refusal
from lakeshelf.ingestion.domain.spec import MAX_COLUMNS, ORIGIN, Spec
from lakeshelf.ingestion.errors import FileRefused


def parse(content: bytes, spec: Spec | None = None) -> Parsed:
    """The rows of a JSONL file, all values as text; blank lines are no rows.

    Args:
        content: The file's content.
        spec: Columns that are known; None: all that are there are.

    Raises:
        FileRefused: It has too many columns.
    """
    raw = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    objects: list[dict[str, Any]] = []
    lines: list[int] = []
    refused: list[Refusal] = []
    for number, line in enumerate(raw, 1):
        if not line.strip():
            continue
        found = _object(line)
        wrong = _problem(number, line, found, spec)
        if wrong is None and isinstance(found, dict):
            objects.append(found)
            lines.append(number)
        elif wrong is not None:
            refused.append(wrong)
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
    )


def as_text(value: Any) -> str | None:
    """A value of JSON as text."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, int | float) else _dumped(value)


def _object(line: bytes) -> Any:
    import orjson  # noqa: PLC0415 - of the extra `files`

    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return error


def _dumped(value: Any) -> str:
    import orjson  # noqa: PLC0415

    return orjson.dumps(value).decode()


def _problem(number: int, line: bytes, found: Any, spec: Spec | None) -> Refusal | None:
    if not isinstance(found, dict):
        kind = f"no JSON: {found}" if isinstance(found, ValueError) else "no object"
        return Refusal(number, "json", "", kind, _shown(line))
    for name, value in found.items():
        column = spec.column(name) if spec else None
        if (spec and column is None and value is not None) or name in ORIGIN.names:
            return Refusal(number, "unknown_column", name, as_text(value), _shown(line))
        is_text_wanted = column is not None and pa.types.is_string(column.type)
        if is_text_wanted and not isinstance(value, str | None):
            return Refusal(number, "type", name, as_text(value), _shown(line))
    return None


def _names(objects: list[dict[str, Any]], spec: Spec | None) -> list[str]:
    there: Mapping[str, None] = {}
    for value in objects:
        there = {**there, **dict.fromkeys(value)} if value.keys() - there.keys() else there
        if len(there) > MAX_COLUMNS and spec is None:
            raise FileRefused(f"the file has more than {MAX_COLUMNS:,} columns")
    return [name for name in there if spec is None or spec.column(name) is not None]


def _has_text(column: list[Any]) -> bool:
    return any(isinstance(value, str) for value in column)


def _shown(line: bytes) -> str:
    return line.rstrip(b"\r").decode("utf-8", "replace")
