"""How a table of the matrix is made."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa


@dataclass(frozen=True)
class Written:
    """A table.

    Attributes:
        features: Features that must be in force; empty: any table has what it shows.
        create: Columns of `CREATE TABLE`, and what follows `USING delta`.
        statements: What is done to it.
        evidence: Text that its log must hold, or the feature would only be named.
        traits: Traits (`lakeshelf.lake.rows.traits`) that it must have, and no others.
        ours: Rows that the library writes, partitioned by their last column, where Spark would write others; None:
            Spark writes the table.
        right: Engines whose own route gives these very rows although a trait rules it out: it is wrong under
            conditions, or with other values (`tests/query/test_traits.py`).
        refused: Writes that are refused for what its partitions hold.
    """

    features: tuple[str, ...] = ()
    create: tuple[str, str] = ("id BIGINT, s STRING, x DOUBLE", "")
    statements: tuple[str, ...] = (
        "INSERT INTO {t} SELECT id, concat('v', id), id / 4 FROM range(0, 10, 1, 1)",
    )
    evidence: str = ""
    traits: tuple[str, ...] = ()
    ours: pa.Table | None = None
    right: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()


def with_properties(
    properties: str, columns: str = "id BIGINT, s STRING, x DOUBLE", rest: str = ""
) -> tuple[str, str]:
    """Columns of a table, and what follows `USING delta`, with properties `key=value key=value`."""
    pairs = (pair.split("=") for pair in properties.split())
    listed = ", ".join(f"'delta.{key}' = '{value}'" for key, value in pairs)
    return columns, f"{rest} TBLPROPERTIES ({listed})"
