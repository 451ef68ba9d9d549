"""What the service measures of the versions in use (docs/observability.md#metrics)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

import pyarrow as pa

from lakeshelf.forecast.inference.use import Choice
from lakeshelf.forecast.versions.drift import EVERY_STORE
from lakeshelf.forecast.versions.health import AGE, BOUNDS, FALLBACK
from lakeshelf.telemetry import metrics

Rows = Sequence[Mapping[str, Any]]


def predictions(rows: pa.Table) -> None:
    """Count rows of `curated/predictions` that were made."""
    for role, count in Counter(rows["role"].to_pylist()).items():
        metrics.PREDICTIONS.add(count, role=role)


def health(rows: Rows, choice: Choice, handed_back: Collection[str]) -> None:
    """How the champion does.

    Args:
        rows: Rows of `ops/model_health` of a day.
        choice: The versions in use, and why others are not.
        handed_back: Stores for which the rule decides; "": all.
    """
    if choice.champion is None:
        metrics.MODEL_FALLBACK.take(1.0 if choice.problems else 0.0)
        return
    version = choice.champion.version.card.model_version
    own = [row for row in rows if row["model_version"] == version]
    overall = {row["metric"]: row["value"] for row in own if row["store_id"] == EVERY_STORE}
    metrics.MODEL_AGE.take(timedelta(days=overall[AGE]).total_seconds())
    metrics.MODEL_FALLBACK.take(overall[FALLBACK] or 0.0)
    red = Counter(row["metric"] for row in own if row["store_id"] and row["verdict"] == "red")
    for metric in BOUNDS:
        metrics.MODEL_RED_STORES.take(red[metric], metric=metric)
    stores = {row["store_id"] for row in own} - {EVERY_STORE}
    metrics.MODEL_HANDED_BACK.take(len(stores if EVERY_STORE in handed_back else handed_back))
