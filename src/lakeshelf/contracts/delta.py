"""Properties and constraints of Delta tables.

All but `spark_only` can be read and written by Spark with Delta 4 and by delta-rs 1.6: reader version 1,
writer version at most 4, no table features. No engine shortens a log by itself: maintenance does, which knows what
runs and cursors refer to.

| profile | for | history |
|---|---|---|
| `append_log` | rows are only added, in commits every few hundred milliseconds | files 15 min, log 5 min |
| `state` | rows are replaced, in commits every few hundred milliseconds | files 15 min, log 5 min |
| `shared` | written seldom, read by people: change feed, checks | files a week, log 30 days |
| `spark_only` | rows are replaced in place by Spark alone, read by all: deletion vectors | as `shared` |
"""

from __future__ import annotations

from lakeshelf.contracts.model import Profile, Table
from lakeshelf.contracts.types import DOUBLE, LONG, Field

IN_LIST = 3
"""Up to so many words delta-rs stores `a IN (x, y)` as `a = x OR a = y`."""

_COMMON = {
    "delta.enableDeletionVectors": "false",
    "delta.appendOnly": "false",
    "delta.enableExpiredLogCleanup": "false",
}

_PROFILES: dict[Profile, dict[str, str]] = {
    "append_log": {
        "delta.checkpointInterval": "20",
        "delta.logRetentionDuration": "interval 5 minutes",
        "delta.deletedFileRetentionDuration": "interval 15 minutes",
    },
    "state": {
        "delta.checkpointInterval": "20",
        "delta.logRetentionDuration": "interval 5 minutes",
        "delta.deletedFileRetentionDuration": "interval 15 minutes",
    },
    "shared": {
        "delta.checkpointInterval": "20",
        "delta.logRetentionDuration": "interval 30 days",
        "delta.deletedFileRetentionDuration": "interval 7 days",
        "delta.enableChangeDataFeed": "true",
    },
    "spark_only": {
        "delta.logRetentionDuration": "interval 30 days",
        "delta.deletedFileRetentionDuration": "interval 7 days",
        "delta.enableChangeDataFeed": "true",
        "delta.enableDeletionVectors": "true",
    },
}


def properties(table: Table) -> dict[str, str]:
    """Delta properties of the table, to be set when it is created.

    File statistics are kept of the key and `table.stats` alone: what look-ups and merges prune by.
    """
    named = dict.fromkeys((*table.key, *table.stats))
    pruned_by = ",".join(name for name in named if name not in table.partition_by)
    return profile_properties(table.profile) | {"delta.dataSkippingStatsColumns": pruned_by}


def profile_properties(profile: Profile) -> dict[str, str]:
    """Delta properties of every table of a profile."""
    return _COMMON | _PROFILES[profile]


def constraints(table: Table) -> dict[str, str]:
    """CHECK constraints by name: bounds and enums of the columns, then the table's own.

    Only comparisons that Spark and delta-rs evaluate alike, in the words in which delta-rs stores
    them; a null passes where it may stand. Bounds of DECIMAL columns are left to the writers:
    delta-rs 1.6 stores `m >= 0.01` as `m >= '1'::decimal(12, 2)` and fails on `d <= 1` of a
    decimal(5,4).
    """
    checks = {name: sql for column in table.columns for name, sql in _column_checks(column)}
    return checks | dict(table.constraints)


def _column_checks(column: Field) -> list[tuple[str, str]]:
    checks = []
    if column.minimum is not None and column.type in (LONG, DOUBLE):
        checks.append((f"{column.name}_min", f"{column.name} >= {column.minimum}"))
    if column.maximum is not None and column.type in (LONG, DOUBLE):
        checks.append((f"{column.name}_max", f"{column.name} <= {column.maximum}"))
    if column.enum:
        checks.append((f"{column.name}_enum", _one_of(column)))
    if column.required:
        return checks
    return [(name, f"{column.name} IS NULL OR {sql}") for name, sql in checks]


def _one_of(column: Field) -> str:
    words = [f"'{word}'" for word in column.enum]
    if column.required and len(words) > IN_LIST:
        return f"{column.name} IN ({', '.join(words)})"
    return " OR ".join(f"{column.name} = {word}" for word in words)
