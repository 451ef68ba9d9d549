"""What the benchmark of forecasts makes of scores."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from benchmarks import ml
from lakeshelf.forecast.model.scores import SCORES


def score(fold: int, value: float | None, rows: int, **names: str) -> dict[str, Any]:
    row = {"model_version": "trial", "fold": date(2026, fold, 1), "value": value, "rows": rows}
    return row | {"segment": "active", "metric": "bias", "contender": ml.MODEL} | names


def pooled(*scores: dict[str, Any]) -> dict[str, dict[str, dict[str, float]]]:
    return ml.pooled(pa.Table.from_pylist(list(scores), SCORES))


def test_folds_count_by_their_rows() -> None:
    table = pooled(score(1, 0.1, 300), score(2, 0.5, 100), score(2, 0.7, 100, contender="tsb"))
    assert table == {"active": {"bias": {ml.MODEL: 0.2, "tsb": 0.7}}}


def test_a_fold_in_which_nothing_was_wanted_takes_no_score_from_the_others() -> None:
    """As of a store that closed; one that was closed in all of them has no bias at all."""
    shut = score(1, float("nan"), 500, segment="active store:S1")
    table = pooled(score(1, float("nan"), 500), score(1, None, 500), score(2, 0.25, 100), shut)
    assert table == {"active": {"bias": {ml.MODEL: 0.25}}}
