"""What a text of a job may be: one query over relations in braces that says the same at each try of a batch.

The rule is docs/design/exactly-once.md#batch. DuckDB's own parser tells what a text is, before anything of it runs.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import cache
from itertools import chain
from typing import Any

import duckdb

from lakeshelf.lake.rows.quiet import quiet
from lakeshelf.streams.declare.duck import to_duckdb

EXPANDING = frozenset({"generate_series", "range", "unnest"})
"""Functions that may stand in FROM: their rows come from their arguments."""
CLOCK_WORDS = frozenset(
    {"current_localtime", "current_localtimestamp", "current_time", "current_timestamp"}
    | {"localtime", "localtimestamp"}
)
"""Times of processing that SQL writes without parentheses."""


def impurity(
    connection: duckdb.DuckDBPyConnection, text: str, relations: Collection[str]
) -> str | None:
    """What a text does that no text of a job may; None: nothing.

    Args:
        connection: Parses it.
        text: Spark SQL, relations in braces.
        relations: Names that stand in braces in it.

    Raises:
        sqlglot.errors.SqlglotError: It is no SQL, or more than one statement.
    """
    plain = to_duckdb(text)
    row = connection.execute("SELECT json_serialize_sql(?)", [plain]).fetchone()
    tree = json.loads(row[0] if row else "{}")
    if tree.get("error_type") == "not implemented":
        return f"is no query: {plain.partition(' ')[0]} is not allowed"
    if tree.get("error"):
        return f"does not run: {tree['error_message']}"
    nodes = list(_nodes(tree))
    return next(chain(_reads(nodes, relations), _shifts(nodes)), None)


def _reads(nodes: list[dict[str, Any]], relations: Collection[str]) -> Iterator[str]:
    """Tables that do not stand in braces, and parts that take the name of one that does."""
    parts = {
        part["key"].lower() for node in nodes for part in node.get("cte_map", {}).get("map", ())
    }
    yield from (
        f"has a part {part}, as a relation that it reads" for part in parts & set(relations)
    )
    for node in nodes:
        if node.get("type") == "TABLE_FUNCTION":
            function = node["function"].get("function_name", "")
            if function not in EXPANDING:
                yield f"reads {function}(…), and only relations in braces may be read"
        if node.get("type") == "BASE_TABLE":
            name = ".".join(filter(None, (node["schema_name"], node["table_name"])))
            if name.lower() not in parts and name not in relations:
                yield f"reads {name}, which does not stand in braces"


def _shifts(nodes: list[dict[str, Any]]) -> Iterator[str]:
    """What another try of the batch would answer otherwise."""
    for node in nodes:
        function = node.get("function_name", "").lower()
        word = ".".join(node.get("column_names", ())).lower()
        if function in _shifting() or word in CLOCK_WORDS:
            yield (
                f"asks for {function or word}, which is another at each try; "
                "times come from events and {business_time}"
            )


@cache
def _shifting() -> frozenset[str]:
    """Functions that DuckDB says are not the same for the same arguments."""
    with quiet(duckdb.connect()) as connection:
        rows = connection.execute(
            "SELECT DISTINCT function_name FROM duckdb_functions() "
            "WHERE stability <> 'CONSISTENT' AND function_name <> 'error'"
        ).fetchall()
    return frozenset(name for (name,) in rows)


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a tree."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(reversed(node))
