"""Constraints: which checks a table can have. delta-rs adds them in a commit after the one that makes the table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from tempfile import TemporaryDirectory

import pyarrow as pa
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake.place.errors import SchemaError, explained

_QUOTED = re.compile(r"""'[^']*'|"[^"]*\"""")


def require(name: str, schema: pa.Schema, constraints: Mapping[str, str]) -> None:
    """Raise `SchemaError` for checks that a table of these columns cannot have; nothing is made.

    Args:
        name: The dataset.
        schema: Its columns.
        constraints: Name → SQL of checks.
    """
    if not isinstance(constraints, Mapping) or not all(map(_is_text, _texts(constraints))):
        raise SchemaError(
            f"constraints of {name} are {constraints!r}", hint="give {name: SQL of a check}"
        )
    if not constraints:
        return
    for check, sql in constraints.items():
        if ";" in _QUOTED.sub("", sql):  # delta-rs leaves out what follows it
            raise _refused(name, check, sql, "it has a semicolon")
    with TemporaryDirectory() as folder:
        table = DeltaTable.create(folder, schema=schema)
        if _fault(table, constraints) is not None:
            for check, sql in constraints.items():
                if (fault := _fault(table, {check: sql})) is not None:
                    raise _refused(name, check, sql, fault)


def _texts(constraints: Mapping[str, str]) -> list[str]:
    return [*constraints, *constraints.values()]


def _is_text(text: object) -> bool:
    return isinstance(text, str) and bool(text.strip())


def _fault(table: DeltaTable, constraints: Mapping[str, str]) -> str | None:
    """What delta-rs has against constraints; None: nothing."""
    try:
        with explained("no check", LakeError):
            table.alter.add_constraint(dict(constraints))
    except LakeError as error:
        return error.message.rpartition("error: ")[2].strip()
    return None


def _refused(name: str, check: str, sql: str, why: str) -> SchemaError:
    return SchemaError(
        f"constraint {check} of {name}, {sql!r}, cannot be checked: {why}",
        hint="write one comparison of its columns, such as `units >= 0`",
    )
