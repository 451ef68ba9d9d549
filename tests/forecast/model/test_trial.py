"""A trial: all contenders on the same rows, scores as rows of a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lakeshelf.forecast.model.baselines import BASELINES
from lakeshelf.forecast.model.boosted import Boosted, BoostingSettings
from lakeshelf.forecast.model.folds import FoldPlan
from lakeshelf.forecast.model.registry import contenders
from lakeshelf.forecast.model.scores import METRICS, SCORES
from lakeshelf.forecast.model.trial import tried
from tests.forecast.model import made

PLAN = FoldPlan(folds=2, least_rows=100)


def test_baselines_are_scored_on_every_fold_segment_and_store() -> None:
    rows = made.rows(weeks=20, shelves=20)
    trial = tried(rows, BASELINES, made.segments, version="v", plan=PLAN)
    assert trial.scores.schema == SCORES
    keys = trial.scores.select(SCORES.names[:5]).to_pylist()
    assert len({tuple(key.values()) for key in keys}) == len(keys)
    assert len(keys) == 2 * len(BASELINES) * (2 + 4) * len(METRICS)
    assert list(trial.judged) == [b.name for b in BASELINES]
    assert trial.newest.equals(trial.folds[-1].test(rows))


@pytest.mark.ml
@pytest.mark.slow
def test_the_model_stands_in_the_same_table_and_is_best() -> None:
    settings = BoostingSettings(trees=20, step=5, leaves=7, least_rows=50)
    model = Boosted(made.NUMERIC, made.CATEGORIES, settings)
    rows = made.rows(weeks=24, shelves=80)
    plan = replace(PLAN, folds=1)
    trial = tried(rows, contenders(model), made.segments, version="v", plan=plan)
    deviance = {
        row["contender"]: row["value"]
        for row in trial.scores.to_pylist()
        if (row["segment"], row["metric"]) == ("active", "deviance")
    }
    assert len(deviance) == len(BASELINES) + 2
    assert min(deviance, key=deviance.__getitem__) == "lightgbm"
