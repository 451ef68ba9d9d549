"""Tables that Spark writes, each with one feature of Delta really in use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lakeshelf.lake import Lake
from lakeshelf.lake.rows import traits
from tests.matrix import combined
from tests.matrix.recipe import Written, with_properties

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Row = dict[str, Any]
COLUMNS, _ = Written().create
(ROWS,) = Written().statements


_DELETE = "DELETE FROM {t} WHERE id IN (3, 4)"
_MORE = "INSERT INTO {t} VALUES (100, 'more', NULL), (NULL, NULL, 1.5)"
_RENAMED = (
    ROWS,
    "ALTER TABLE {t} RENAME COLUMN s TO `odd name`",
    "ALTER TABLE {t} DROP COLUMN x",
    "ALTER TABLE {t} ADD COLUMN x STRING",
    "INSERT INTO {t} VALUES (100, 'more', 'again')",
)

TABLES: dict[str, Written] = {
    "plain": Written(statements=(ROWS, _MORE, "UPDATE {t} SET s = 'new' WHERE id = 2")),
    "partitions": Written(
        create=("id BIGINT, day DATE, part STRING", "PARTITIONED BY (day, part)"),
        statements=(
            "INSERT INTO {t} VALUES (1, DATE '2026-01-01', 'a/b %41='), (2, NULL, NULL), "
            "(3, DATE '1899-12-31', ' ')",
        ),
    ),
    "nested types": Written(
        create=(
            "id BIGINT, st STRUCT<a: INT, b: ARRAY<STRUCT<c: STRING>>>, m MAP<STRING, BIGINT>, "
            "at TIMESTAMP, p DECIMAL(38, 2), raw BINARY, small TINYINT, ok BOOLEAN, f FLOAT",
            "",
        ),
        statements=(
            "INSERT INTO {t} VALUES (1, struct(1, array(struct('q'), NULL)), map('k', 2L), "
            "TIMESTAMP '2026-01-01 00:00:00.000001', 123456789012345678901234567890.12BD, X'00FF', "
            "-3Y, true, 0.5F), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        ),
        traits=(traits.PARTIAL_STATISTICS, traits.ROUNDED_STATISTICS),
        right=("duckdb", "ibis", "polars"),
    ),
    "appendOnly": Written(("appendOnly",), with_properties("appendOnly=true")),
    "invariants": Written(("invariants",), ("id BIGINT NOT NULL, s STRING, x DOUBLE", "")),
    "checkConstraints": Written(
        ("checkConstraints",),
        statements=(ROWS, "ALTER TABLE {t} ADD CONSTRAINT few CHECK (id < 1000)"),
        evidence="delta.constraints.few",
    ),
    "changeDataFeed": Written(
        ("changeDataFeed",),
        with_properties("enableChangeDataFeed=true"),
        (ROWS, "UPDATE {t} SET s = 'new' WHERE id = 2"),
        '"cdc"',
    ),
    "generatedColumns": Written(
        ("generatedColumns",),
        ("id BIGINT, twice BIGINT GENERATED ALWAYS AS (id * 2)", ""),
        ("INSERT INTO {t} (id) VALUES (1), (2)",),
        "generationExpression",
    ),
    "timestampNtz": Written(
        ("timestampNtz",),
        ("id BIGINT, at TIMESTAMP_NTZ", ""),
        ("INSERT INTO {t} VALUES (1, TIMESTAMP_NTZ '2026-03-29 02:30:00.000001'), (2, NULL)",),
    ),
    "v2Checkpoint": Written(
        ("v2Checkpoint",),
        with_properties("checkpointPolicy=v2 checkpointInterval=2"),
        (ROWS, _MORE, _DELETE, _MORE),
    ),
    "variantType": Written(
        ("variantType",),
        ("id BIGINT, v VARIANT", ""),
        ("""INSERT INTO {t} SELECT id, parse_json('{{"a": [1, "b"]}}') FROM range(3)""",),
    ),
    "deletionVectors": Written(
        ("deletionVectors",),
        with_properties("enableDeletionVectors=true"),
        (ROWS, _DELETE),
        '"deletionVector"',
    ),
    "columnMapping": Written(
        ("columnMapping",), with_properties("columnMapping.mode=name"), _RENAMED, "physicalName"
    ),
    "columnMapping by id": Written(
        ("columnMapping",), with_properties("columnMapping.mode=id"), _RENAMED, "physicalName"
    ),
    "columnMapping and deletionVectors": Written(
        ("columnMapping", "deletionVectors"),
        with_properties("columnMapping.mode=name enableDeletionVectors=true"),
        (*_RENAMED, _DELETE),
        '"deletionVector"',
    ),
    "identityColumns": Written(
        ("identityColumns",),
        ("k BIGINT GENERATED ALWAYS AS IDENTITY, s STRING", ""),
        ("INSERT INTO {t} (s) VALUES ('a'), ('b')",),
        "delta.identity",
    ),
    "domainMetadata": Written(
        ("domainMetadata",), with_properties("feature.domainMetadata=supported"), (ROWS,)
    ),
    "rowTracking": Written(
        ("rowTracking", "domainMetadata"),
        with_properties("enableRowTracking=true"),
        (ROWS, "UPDATE {t} SET s = 'new' WHERE id = 2"),
        "baseRowId",
    ),
    "inCommitTimestamp": Written(
        ("inCommitTimestamp",),
        with_properties("enableInCommitTimestamps=true"),
        evidence='"inCommitTimestamp":',
    ),
    "clustering": Written(
        ("clustering", "domainMetadata"),
        (COLUMNS, "CLUSTER BY (id)"),
        (ROWS, _MORE, "OPTIMIZE {t} FULL"),
        "clusteringProvider",
    ),
    "allowColumnDefaults": Written(
        ("allowColumnDefaults",),
        with_properties(
            "feature.allowColumnDefaults=supported", "id BIGINT, s STRING DEFAULT 'none'"
        ),
        ("INSERT INTO {t} (id) VALUES (1)",),
        "CURRENT_DEFAULT",
    ),
    "icebergCompatV2": Written(
        ("icebergCompatV2", "columnMapping"),
        with_properties("enableIcebergCompatV2=true columnMapping.mode=name"),
    ),
    "typeWidening": Written(
        ("typeWidening",),
        with_properties("enableTypeWidening=true", "id INT, s STRING, x FLOAT"),
        (
            ROWS.replace("id, concat", "INT(id), concat"),
            "ALTER TABLE {t} ALTER COLUMN id TYPE BIGINT",
            _MORE,
        ),
        "delta.typeChanges",
    ),
    "catalogManaged": Written(("catalogManaged",)),
} | combined.TABLES


def write(spark: SparkSession, root: Path, name: str) -> list[Row]:
    """Write a table; its rows as Spark reads them."""
    made, folder = TABLES[name], place(root, name)
    columns, rest = made.create
    table = f"delta.`{folder}`"
    if made.ours is not None:
        _ours(root, name, made.ours)
    elif name == "identityColumns":
        _identity(spark, folder)
    else:
        spark.sql(f"CREATE TABLE {table} ({columns}) USING delta {rest}")
    for statement in made.statements if made.ours is None else ():
        spark.sql(statement.format(t=table))
    if name == "v2Checkpoint":
        assert any(folder.glob("_delta_log/*.checkpoint.*.json")) or any(
            folder.glob("_delta_log/*.checkpoint.*-*.parquet")
        )
    log = "".join(file.read_text() for file in folder.glob("_delta_log/*.json"))
    assert made.evidence in log, f"{name}: no {made.evidence}"
    rows = rows_of(spark.read.format("delta").load(str(folder)))
    if name == "catalogManaged":
        _managed(folder)
    return rows


def place(root: Path, name: str) -> Path:
    """Folder of a table."""
    return root / dataset(name)


def dataset(name: str) -> str:
    """Its dataset."""
    return "matrix/" + name.replace(" ", "_").replace(",", "").lower()


def rows_of(frame: DataFrame) -> list[Row]:
    """Rows of a frame of Spark."""
    if any(
        kind == "variant" for _, kind in frame.dtypes
    ):  # pyarrow makes no rows of null variants of Spark
        return [_of_variants(row.asDict()) for row in frame.collect()]
    found: list[Row] = frame.toArrow().to_pylist()
    return found


def _of_variants(row: Row) -> Row:
    from pyspark.sql.types import VariantVal

    return {
        name: {"value": bytes(held.value), "metadata": bytes(held.metadata)}
        if isinstance(held, VariantVal)
        else held
        for name, held in row.items()
    }


def _ours(root: Path, name: str, rows: pa.Table) -> None:
    lake = Lake(root, catalog={})
    lake.create(dataset(name), rows.schema, partition_by=tuple(rows.column_names[-1:]))
    lake.append(dataset(name), rows)


def _identity(spark: SparkSession, folder: Path) -> None:
    # Spark has no SQL for it.
    from delta.tables import DeltaTable, IdentityGenerator

    builder = DeltaTable.create(spark).location(str(folder))
    builder.addColumn("k", "BIGINT", generatedAlwaysAs=IdentityGenerator())
    builder.addColumn("s", "STRING").execute()


def _managed(folder: Path) -> None:
    """Name a feature that needs a catalogue server, which no test has."""
    first = folder / "_delta_log" / f"{0:020d}.json"
    actions = [json.loads(line) for line in first.read_text().splitlines()]
    named = ["catalogManaged", "inCommitTimestamp", "vacuumProtocolCheck"]
    protocol = {
        "minReaderVersion": 3,
        "minWriterVersion": 7,
        "readerFeatures": [named[0], named[2]],
        "writerFeatures": named,
    }
    changed = [{"protocol": protocol} if "protocol" in action else action for action in actions]
    first.write_text("\n".join(json.dumps(action) for action in changed))
    for sum_ in folder.glob("_delta_log/.*.crc"):
        sum_.unlink()
    for sum_ in folder.glob("_delta_log/*.crc"):
        sum_.unlink()
