"""Stores that a champion handed back to the rule (docs/design/forecasting.md#health)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.versions.health import TO_RULE_DAYS, Health, advice
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables


def handed_back(lake: ReadTables, day: date, version: str) -> frozenset[str]:
    """Stores for which a version did badly for so long that on a day the rule decides; "": all of them.

    Args:
        lake: Tables to read.
        day: A cutoff day; what was seen until the day before it counts.
        version: The version.
    """
    before = day - timedelta(days=1)
    known = health_of(lake, version, day - timedelta(days=TO_RULE_DAYS), day)
    advised = advice(known, before)
    return frozenset(store for store, what in advised.items() if what == "rule")


def health_of(lake: ReadTables, version: str, since: date, until: date) -> Iterator[Health]:
    """How a version did on the days in [since, until)."""
    where: Where = [("model_version", "=", version), ("day", ">=", since), ("day", "<", until)]
    for row in lake.read(Ops.MODEL_HEALTH, where=where).read_all().to_pylist():
        row.pop("reason")
        yield Health(**row)
