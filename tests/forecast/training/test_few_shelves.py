"""A shop of one store, or of one shelf, is trained as any other."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from lakeshelf.forecast.model.boosted import Predictor
from lakeshelf.forecast.model.folds import FoldPlan
from lakeshelf.forecast.training import lessons, training
from lakeshelf.forecast.training.trials import Work
from lakeshelf.forecast.versions import registered
from tests.forecast.training import lakes

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained
PLAN = FoldPlan(folds=1, weeks=2, least_weeks=2, least_rows=20)


@pytest.mark.parametrize(("stores", "items"), [(1, 6), (1, 1)])
def test_few_shelves_have_a_candidate_that_forecasts(
    tmp_path: Path, stores: int, items: int
) -> None:
    lake = registered.writer(lakes.written(tmp_path / "lake", size=(stores, items)))
    request = training.TrainingRequest(lakes.ACT, work=Work(lakes.SETTINGS, PLAN))
    version = training.train(lake, request)
    assert registered.read(lake).registry.model(version.card.model_version).status == "candidate"
    assert all(gate.value is None or math.isfinite(gate.value) for gate in version.card.gates)
    recent = lessons.lesson(lake).recent
    forecast = Predictor(version.trained)(recent)
    assert recent.num_rows == 3 * stores * items
    assert (forecast.mean >= 0).all()
    assert (forecast.quantiles[:, 1:] >= forecast.quantiles[:, :-1]).all()
