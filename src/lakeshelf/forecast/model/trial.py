"""A trial: every contender on every fold, its scores as rows, and the newest fold as it was forecast, for the gates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lakeshelf.forecast.model.contenders import Contender
from lakeshelf.forecast.model.folds import PLAN, EvaluationFold, FoldPlan, Skipped, rolling, usable
from lakeshelf.forecast.model.scores import (
    SCORES,
    JudgedForecasts,
    Segments,
    judged,
    scored,
    store_segments,
)

Cut = Callable[[pa.Table], Segments]
"""Rows → their segments."""


@dataclass(frozen=True)
class Trial:
    """What a trial says.

    Args:
        scores: Rows of `ops/model_scores`.
        folds: Folds that were tried, the newest last.
        skipped: Folds with too little before them.
        newest: Rows of the newest fold's test.
        judged: Contender → its forecasts of those rows with what came.
    """

    scores: pa.Table
    folds: Sequence[EvaluationFold]
    skipped: Sequence[Skipped]
    newest: pa.Table
    judged: Mapping[str, JudgedForecasts]


def tried(
    rows: pa.Table,
    contenders: Sequence[Contender],
    segments: Cut,
    *,
    version: str,
    plan: FoldPlan = PLAN,
) -> Trial:
    """Train and score contenders on rolling origins.

    Args:
        rows: Rows with features, labels and weights.
        contenders: Who takes part.
        segments: How rows are cut, besides by store.
        version: Version of the model that is tried.
        plan: How rows are cut into folds.

    Raises:
        TooLittleHistory: Not even the newest fold can be trained.
    """
    rows = usable(rows)
    folds, skipped = rolling(rows, plan)
    scores: list[dict[str, Any]] = []
    results: dict[str, JudgedForecasts] = {}
    for fold in folds:
        test = fold.test(rows)
        results = forecast(fold, rows, contenders)
        cuts = {**segments(test), **store_segments(test)}
        for name, result in results.items():
            scores += scored(result, cuts, fold=fold.first, contender=name, version=version)
    return Trial(pa.Table.from_pylist(scores, SCORES), folds, skipped, test, results)


def forecast(
    fold: EvaluationFold, rows: pa.Table, contenders: Sequence[Contender]
) -> dict[str, JudgedForecasts]:
    """Contender → its forecasts of a fold's test, after learning from what was known before."""
    train, test = fold.train(rows), fold.test(rows)
    return {c.name: judged(test, c.fit(train)(test)) for c in contenders}
