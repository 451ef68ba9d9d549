"""Keys of rows and their text, `row_id`: a text as it is, any other key a JSON array.

docs/design/governance.md#keys
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.types import STRING
from lakeshelf.governance.domain.definition import Definition
from lakeshelf.governance.domain.values import read, shown, whole
from lakeshelf.governance.errors import GovernanceError, refused

_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
_SHOWN = 80
_ROWS = 100_000
"""Rows whose keys are values of Python at a time."""
_HINT = "a key has a value in each of its columns: {}"


def row_id(definition: Definition, row: Mapping[str, Any]) -> str:
    """The text of a row's key.

    Args:
        definition: The dataset.
        row: Column → value, with all columns of the key.

    Raises:
        GovernanceError: `key_invalid`: a part is null, or the one text is empty.
    """
    parts = [row.get(name) for name in definition.key]
    if any(part is None for part in parts) or parts == [""]:
        raise _invalid(definition, f"a part of the key is empty: {_cut(parts)}")
    return _text(definition, parts)


def key_of(definition: Definition, text: str) -> dict[str, Any]:
    """The columns of the key that a `row_id` stands for.

    Raises:
        GovernanceError: `key_invalid`: it is no key of the dataset.
    """
    key = dict(zip(definition.key, _parts(definition, text), strict=True))
    row_id(definition, key)
    return key


def same_key(definition: Definition, text: str) -> str:
    """The text by which a key is known that may be written in another way, such as `["x", "1"]` for `["x",1]`.

    Raises:
        GovernanceError: `key_invalid`: it is no key of the dataset.
    """
    return row_id(definition, key_of(definition, text))


def row_ids(definition: Definition, rows: pa.Table) -> pa.StringArray:
    """The text of the key of each row.

    Raises:
        GovernanceError: `key_invalid`: a part of a key is null.
    """
    columns = [whole(rows[name]) for name in definition.key]
    if any(column.null_count for column in columns):
        raise _invalid(definition, "a row has an empty part of its key")
    if _is_text(definition):
        return columns[0].cast(pa.string())
    texts = [
        _texts(definition, [column.slice(start, _ROWS) for column in columns])
        for start in range(0, rows.num_rows, _ROWS)
    ]
    return pa.concat_arrays([pa.array([], pa.string()), *texts])


def require_distinct(definition: Definition, ids: pa.StringArray) -> None:
    """Refuse rows two of which have one key.

    Raises:
        GovernanceError: `key_invalid`, with the first ten such keys as `row_ids`.
    """
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    counted = pc.value_counts(ids)
    twice = counted.filter(pc.greater(counted.field("counts"), 1)).field("values")[:10].to_pylist()
    raise refused(
        "key_invalid",
        f"a key is there twice: {_cut(twice[0])}",
        hint="leave one row of each key",
        row_ids=twice,
    )


def _is_text(definition: Definition) -> bool:
    return len(definition.key) == 1 and definition[definition.key[0]].field.type == STRING


def _text(definition: Definition, parts: list[Any]) -> str:
    if _is_text(definition):
        return str(parts[0])
    columns = (definition[name] for name in definition.key)
    array = [shown(column, part) for column, part in zip(columns, parts, strict=True)]
    return _JSON(array)


def _texts(definition: Definition, columns: list[pa.Array]) -> pa.StringArray:
    parts = zip(*(column.to_pylist() for column in columns), strict=True)
    return pa.array([_text(definition, list(key)) for key in parts], pa.string())


def _parts(definition: Definition, text: str) -> list[Any]:
    columns = [definition[name] for name in definition.key]
    try:
        array = [text] if _is_text(definition) else json.loads(text)
        if type(array) is not list or len(array) != len(columns):
            raise ValueError(f"no array of {len(columns)}")
        return [read(column, part) for column, part in zip(columns, array, strict=True)]
    except (TypeError, ValueError, RecursionError, GovernanceError) as error:
        raise _invalid(definition, f"{_cut(text)} is no key: {error}") from error


def _invalid(definition: Definition, problem: str) -> GovernanceError:
    names = ", ".join(definition.key)
    return refused("key_invalid", problem, hint=_HINT.format(names), key=list(definition.key))


def _cut(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
