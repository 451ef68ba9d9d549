"""Statements: one that only reads, and the tables that it names. DuckDB's own parser decides."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lakeshelf.counts import count_of
from lakeshelf.lake.rows.predicates import literal, quoted
from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.query.errors import SqlError, translated

if TYPE_CHECKING:
    import duckdb

    from lakeshelf.lake.rows.snapshot import At

ALLOWED = "only SELECT, WITH, FROM, VALUES, PIVOT, DESCRIBE, SUMMARIZE, SHOW TABLES and EXPLAIN are"
TABLE_FUNCTIONS = frozenset(
    ("generate_series", "json_each", "json_tree", "range", "repeat", "unnest")
)
"""Functions that may stand in FROM; most others read files or the engine itself."""
_REFUSED = re.compile(
    r"(read|write|copy|glob|load|export|import|attach)_|getenv|getvariable|current_setting|query"
)
_EXPLAIN = re.compile(r"\s*EXPLAIN(\s+ANALYZE)?\s", re.IGNORECASE)
_TREE, _TEXT = "json_serialize_sql", "json_deserialize_sql"


@dataclass(frozen=True)
class Reference:
    """A table that a statement names.

    Attributes:
        layer: Its layer, lower case.
        table: Its name in the layer, lower case.
        at: What `AT` says; None: nothing.
    """

    layer: str
    table: str
    at: At | None = None

    @property
    def name(self) -> str:
        """The dataset."""
        return f"{self.layer}/{self.table}"

    @property
    def view(self) -> str:
        """Name, in its layer, of the view that the statement reads."""
        return self.table if self.at is None else f"{self.table}@{self.at}"

    @property
    def in_sql(self) -> str:
        """That view, as SQL names it."""
        return f"{quoted(self.layer)}.{quoted(self.view)}"


@dataclass(frozen=True)
class Statement:
    """A statement that only reads.

    Attributes:
        text: What is run; every table of it is the view of a reference.
        is_written: Whether `text` is what the user wrote, so that places in it mean something to him.
        references: Tables that it names.
        lists_tables: Whether it is SHOW TABLES.
    """

    text: str
    is_written: bool
    references: tuple[Reference, ...]
    lists_tables: bool = False


def parse(connection: duckdb.DuckDBPyConnection, text: str) -> Statement:
    """The statement in a text.

    Args:
        connection: Reports errors as JSON.
        text: One statement.

    Raises:
        SqlError: It is none, more than one, wrong, or does anything but read.
    """
    kind = _kind(text)
    prefix = _explain(text) if kind == "EXPLAIN" else ""
    if kind != "SELECT" and not prefix:
        raise SqlError(f"{kind} is not allowed", hint=ALLOWED)
    tree = json.loads(_one(connection, _TREE, text[len(prefix) :]))
    if tree.get("error"):
        raise SqlError(f"this is not allowed: {text.strip().split(maxsplit=1)[0]}", hint=ALLOWED)
    if _lists_tables(tree):
        return Statement(text, True, (), lists_tables=True)
    nodes = list(_nodes(tree))
    _require_harmless(nodes)
    references = _references(nodes)
    if all(reference.at is None for reference in references):
        return Statement(text, True, references)
    return Statement(prefix + _one(connection, _TEXT, json.dumps(tree)), False, references)


def is_refused(function: str) -> bool:
    """Whether a function reads or writes more than its arguments.

    This is the only thing that stops `write_blob`: DuckDB 1.5 lets it write anywhere, external access or not.
    """
    return function not in TABLE_FUNCTIONS and bool(_REFUSED.match(function))


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    """A connection that opens no file; the parser itself would those of IMPORT DATABASE, and tell what they hold."""
    import duckdb  # noqa: PLC0415 - an extra

    return quiet(duckdb.connect(config={"errors_as_json": True, "enable_external_access": False}))


def _kind(text: str) -> str:
    import duckdb  # noqa: PLC0415 - an extra

    try:
        with _parser().cursor() as parser:
            kinds = [statement.type.name for statement in parser.extract_statements(text)]
    except duckdb.Error as error:
        raise translated(error, text) from None
    if kinds == ["CREATE", "SELECT"] and "pivot" in text.lower():
        raise SqlError("a PIVOT has to name its values", hint="write PIVOT t ON column IN (a, b) …")
    if len(kinds) != 1:
        raise SqlError(count_of(len(kinds), "statement"), hint="give one statement at a time")
    return "EXPLAIN" if kinds[0] == "EXPLAIN" else kinds[0]


def _explain(text: str) -> str:
    match = _EXPLAIN.match(text)
    return match.group() if match else ""


def _one(connection: duckdb.DuckDBPyConnection, function: str, argument: str) -> str:
    import duckdb  # noqa: PLC0415 - an extra

    try:
        # A literal, because DuckDB imports pandas to look at a parameter.
        row = connection.execute(f"SELECT {function}({literal(argument, pa.string())})").fetchone()
    except duckdb.Error as error:
        raise translated(error, None) from None
    assert row is not None
    return str(row[0])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree:
        if isinstance(part, dict | list):
            yield from _nodes(part)


def _lists_tables(tree: dict[str, Any]) -> bool:
    shown = [node for node in _nodes(tree) if node.get("type") == "SHOW_REF" and not node["query"]]
    names = {node["table_name"].strip('"') for node in shown}
    if names - {"tables"}:
        raise SqlError(f"SHOW of {', '.join(names)} is not allowed", hint=ALLOWED)
    return bool(names)


def _require_harmless(nodes: list[dict[str, Any]]) -> None:
    """Refuse functions that read or write anything but the tables of the lake."""
    for node in nodes:
        if node.get("type") == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                raise SqlError(
                    f"{name}() is not allowed in FROM",
                    hint=f"tables are layer.name; functions are {', '.join(sorted(TABLE_FUNCTIONS))}",
                )
        elif node.get("class") == "FUNCTION":
            name = str(node.get("function_name", "")).lower()
            if is_refused(name):
                raise SqlError(f"{name}() is not allowed", hint="tables are layer.name")


def _references(nodes: list[dict[str, Any]]) -> tuple[Reference, ...]:
    known = {entry["key"].lower() for node in nodes for entry in _map(node)}
    references = []
    for node in nodes:
        if node.get("type") != "BASE_TABLE":
            continue
        if (
            not node["schema_name"]
            and node["table_name"].lower() in known
            and not node["at_clause"]
        ):
            continue
        references.append(_reference(node))
    return tuple(dict.fromkeys(references))


def _map(node: dict[str, Any]) -> list[dict[str, Any]]:
    """The common table expressions that a node defines."""
    entries: list[dict[str, Any]] = (node.get("cte_map") or {}).get("map") or []
    return entries


def _reference(node: dict[str, Any]) -> Reference:
    """The reference of a node, which is made to name its view."""
    layer = ".".join(part for part in (node["catalog_name"], node["schema_name"]) if part)
    reference = Reference(layer.lower(), node["table_name"].lower(), _at(node["at_clause"]))
    if reference.at is not None:
        node["alias"] = node["alias"] or node["table_name"]
        node["table_name"], node["at_clause"] = reference.view, None
    return reference


def _at(clause: dict[str, Any] | None) -> At | None:
    if clause is None:
        return None
    value = _constant(clause["expr"])
    if clause["unit"].upper() == "VERSION" and isinstance(value, int):
        return value
    if clause["unit"].upper() == "TIMESTAMP" and isinstance(value, str):
        try:
            return datetime.fromisoformat(value)
        except ValueError:
            raise SqlError(f"AT has {value!r}, which is no time", hint=_AT) from None
    raise SqlError(f"AT ({clause['unit']} …) cannot be understood", hint=_AT)


_AT = "write AT (VERSION => 3) or AT (TIMESTAMP => '2026-05-01T06:00:00Z')"


def _constant(expression: dict[str, Any]) -> Any:
    """The value of a literal, or of one that is cast; anything else is None."""
    if expression.get("class") == "CAST":
        return _constant(expression["child"])
    constant = expression.get("value") if expression.get("class") == "CONSTANT" else None
    return constant.get("value") if isinstance(constant, dict) else None
