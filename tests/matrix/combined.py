"""Tables that combine features, and what tables have beside them: routes follow from what holds together."""

from __future__ import annotations

import pyarrow as pa

from lakeshelf.lake.rows import traits
from tests.matrix.recipe import Written, with_properties

_KINDS = (
    "id BIGINT, s STRING, day DATE, i INT, p DECIMAL(10, 2), at TIMESTAMP, ok BOOLEAN, x DOUBLE, "
    "local TIMESTAMP_NTZ"
)
_BY_KIND = "PARTITIONED BY (s, day, i, p, at, ok, x, local)"
_OF_KINDS = (
    "INSERT INTO {t} VALUES "
    "(1, 'a/b=c %41 #\"''`ä', DATE '2026-01-01', 1, 1.50, TIMESTAMP '2026-01-01 01:02:03.000004', true, 1.5D, "
    "TIMESTAMP_NTZ '2026-01-01 01:02:03'), "
    "(2, ' ', DATE '0001-01-01', -1, -1.50, TIMESTAMP '9999-12-31 23:59:59.999999', false, double('NaN'), "
    "TIMESTAMP_NTZ '9999-12-31 00:00:00'), "
    "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), "
    "(4, 'x', DATE '9999-12-31', 2147483647, -0.01, TIMESTAMP '0001-01-01 00:00:00', true, double('-Infinity'), "
    "TIMESTAMP_NTZ '0001-01-01 00:00:00')"
)
_MAPPED = "columnMapping.mode=name"
_BINARY = "INSERT INTO {t} VALUES (1, X'6162'), (2, X'C3A4'), (3, NULL)"
_NAMES = "id BIGINT, `a b` INT, `c.d` INT, `e\"f` INT, `g'h` INT, `i``j` INT, st STRUCT<`x.y`: INT, `z q`: STRING>"
_VARIANTS = (
    """INSERT INTO {t} SELECT 1, parse_json('{{"a": 1}}') UNION ALL SELECT 2, NULL """
    "UNION ALL SELECT 3, parse_json('null')"
)
_FAR = (
    "INSERT INTO {t} VALUES (1, TIMESTAMP '9999-12-31 23:59:59.999999'), "
    "(2, TIMESTAMP '0001-01-01 00:00:00'), (3, NULL)"
)
_LISTS = (
    "SET spark.sql.parquet.writeLegacyFormat = true",
    "INSERT INTO {t} VALUES (1, array(1, 2), array(named_struct('a', 1, 'b', 'x')), map('a', 1)), "
    "(2, array(), array(), map()), (3, NULL, NULL, NULL)",
    "RESET spark.sql.parquet.writeLegacyFormat",
)

REWRITES = ("merge", "overwrite")
"""Refused where partitions have bytes or negative decimals."""

TABLES: dict[str, Written] = {
    "partitions of every type": Written(
        ("timestampNtz",), (_KINDS, _BY_KIND), (_OF_KINDS,), refused=REWRITES
    ),
    "partitions of every type under columnMapping": Written(
        ("timestampNtz", "columnMapping"),
        with_properties(_MAPPED, _KINDS, _BY_KIND),
        (_OF_KINDS,),
        traits=(traits.MAPPED_PARTITIONS,),
    ),
    "partitions of every type under columnMapping by id": Written(
        ("timestampNtz", "columnMapping"),
        with_properties("columnMapping.mode=id", _KINDS, _BY_KIND),
        (_OF_KINDS,),
        traits=(traits.MAPPED_PARTITIONS,),
    ),
    "partitions of empty texts": Written(
        traits=(traits.TEXT_PARTITIONS,),
        right=("polars",),
        ours=pa.table({"id": [1, 2, 3], "part": ["", None, "a"]}),
    ),
    "binary partitions": Written(
        create=("id BIGINT, raw BINARY", "PARTITIONED BY (raw)"),
        statements=(_BINARY,),
        traits=(traits.BINARY_PARTITIONS,),
        right=("duckdb", "ibis"),
        refused=("append", *REWRITES),
    ),
    "binary partitions under columnMapping": Written(
        ("columnMapping",),
        with_properties(_MAPPED, "id BIGINT, raw BINARY", "PARTITIONED BY (raw)"),
        (_BINARY, "INSERT INTO {t} VALUES (4, X'FF00'), (5, X'')"),
        traits=(traits.MAPPED_PARTITIONS, traits.BINARY_PARTITIONS),
    ),
    "char partitions": Written(
        create=("id BIGINT, c CHAR(5), v VARCHAR(7)", "PARTITIONED BY (c)"),
        statements=("INSERT INTO {t} VALUES (1, 'ab', 'cd')",),
        traits=(traits.CHAR_PARTITIONS,),
    ),
    "partitions that were renamed": Written(
        ("columnMapping",),
        with_properties(_MAPPED, "id BIGINT, part STRING", "PARTITIONED BY (part)"),
        (
            "INSERT INTO {t} VALUES (1, 'x'), (2, NULL)",
            "ALTER TABLE {t} RENAME COLUMN part TO `p.q r`",
            "INSERT INTO {t} VALUES (3, 'y')",
        ),
        traits=(traits.MAPPED_PARTITIONS,),
    ),
    "partitions from before columnMapping": Written(
        ("columnMapping",),
        ("id BIGINT, part STRING", "PARTITIONED BY (part)"),
        (
            "INSERT INTO {t} VALUES (1, 'x'), (2, NULL)",
            "ALTER TABLE {t} SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
            "ALTER TABLE {t} RENAME COLUMN id TO k",
            "INSERT INTO {t} VALUES (3, 'y')",
        ),
        traits=(traits.MAPPED_PARTITIONS,),
    ),
    "partitions, mapping, deletionVectors and v2Checkpoint": Written(
        ("columnMapping", "deletionVectors", "v2Checkpoint"),
        with_properties(
            f"{_MAPPED} enableDeletionVectors=true checkpointPolicy=v2 checkpointInterval=2",
            "id BIGINT, part STRING",
            "PARTITIONED BY (part)",
        ),
        (
            "INSERT INTO {t} SELECT /*+ COALESCE(1) */ id, 'x' FROM range(10)",
            "DELETE FROM {t} WHERE id IN (3, 4)",
            "INSERT INTO {t} VALUES (11, 'y'), (12, NULL)",
        ),
        '"deletionVector"',
        traits=(traits.MAPPED_PARTITIONS,),
    ),
    "names with dots and quotes": Written(
        ("columnMapping",),
        with_properties(_MAPPED, _NAMES),
        ("INSERT INTO {t} VALUES (1, 2, 3, 4, 5, 6, named_struct('x.y', 7, 'z q', 'w'))",),
    ),
    "null variants": Written(("variantType",), ("id BIGINT, v VARIANT", ""), (_VARIANTS,)),
    "null variants under columnMapping": Written(
        ("variantType", "columnMapping"),
        with_properties(_MAPPED, "id BIGINT, v VARIANT"),
        (_VARIANTS,),
    ),
    "lists of two levels": Written(
        create=(
            "id BIGINT, l ARRAY<INT>, ls ARRAY<STRUCT<a: INT, b: STRING>>, m MAP<STRING, INT>",
            "",
        ),
        statements=_LISTS,
        traits=(traits.SHORT_LISTS,),
    ),
    "INT96 that nanoseconds hold": Written(
        create=("id BIGINT, at TIMESTAMP, l ARRAY<TIMESTAMP>", ""),
        statements=(
            "INSERT INTO {t} VALUES (1, TIMESTAMP '2026-12-31 23:59:59.999999', "
            "array(TIMESTAMP '1969-12-31 23:59:59.999999', NULL)), (2, NULL, NULL)",
        ),
    ),
    "INT96 that nanoseconds do not hold": Written(
        create=("id BIGINT, at TIMESTAMP", ""), statements=(_FAR,), traits=(traits.FAR_TIMES,)
    ),
    "INT96 in lists, maps and structs": Written(
        create=(
            "id BIGINT, l ARRAY<TIMESTAMP>, m MAP<STRING, TIMESTAMP>, st STRUCT<at: TIMESTAMP>",
            "",
        ),
        statements=(
            "INSERT INTO {t} VALUES (1, array(TIMESTAMP '9999-12-31'), map('a', TIMESTAMP '0001-01-01'), "
            "named_struct('at', TIMESTAMP '9999-12-31'))",
        ),
        traits=(traits.FAR_TIMES,),
    ),
    "times beyond nanoseconds as microseconds": Written(
        create=("id BIGINT, at TIMESTAMP", ""),
        statements=(
            "SET spark.sql.parquet.outputTimestampType = TIMESTAMP_MICROS",
            _FAR,
            "RESET spark.sql.parquet.outputTimestampType",
        ),
    ),
    "structs of a number and a list": Written(
        create=(
            "id BIGINT, st STRUCT<n: INT, l: ARRAY<INT>, deep: STRUCT<m: INT, l: ARRAY<INT>>>",
            "",
        ),
        statements=(
            "INSERT INTO {t} VALUES (1, named_struct('n', 1, 'l', array(1), 'deep', "
            "named_struct('m', 2, 'l', array(2)))), (2, NULL)",
        ),
        traits=(traits.PARTIAL_STATISTICS,),
        right=("polars",),
    ),
    "decimals of many digits": Written(
        create=("id BIGINT, large DECIMAL(38, 0), fine DECIMAL(38, 20), few DECIMAL(10, 2)", ""),
        statements=(
            "INSERT INTO {t} VALUES (1, 99999999999999999999999999999999999999BD, 0.00000000000000000001BD, 1.5), "
            "(2, -99999999999999999999999999999999999999BD, 123456789012345678.98765432109876543219BD, -1.5)",
        ),
        traits=(traits.ROUNDED_STATISTICS,),
        right=("duckdb", "ibis", "polars"),
    ),
    "columns without a type": Written(
        create=("id BIGINT, v VOID", ""),
        statements=("INSERT INTO {t} VALUES (1, NULL)",),
        traits=(traits.UNTYPED,),
    ),
}
"""Each is tried with every engine like those of `tests.matrix.written`."""
