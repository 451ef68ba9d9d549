"""The model that we train is a version that can be written, read and tried, and forecasts the same there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lakeshelf.forecast.model.boosted import Boosted, BoostingSettings, Predictor
from lakeshelf.forecast.model.rows import matrix
from lakeshelf.forecast.versions import drift, folders, sandbox
from lakeshelf.forecast.versions.places import LocalVersion
from tests.forecast.model import made
from tests.forecast.versions.cases import ORIGIN

SMALL = BoostingSettings(trees=10, step=5, leaves=7, least_rows=20)


@pytest.mark.ml
@pytest.mark.slow
def test_our_model_forecasts_as_a_version_what_it_forecast_before(tmp_path: Path) -> None:
    rows = made.rows(weeks=20, shelves=40)
    trained = Boosted(made.NUMERIC, made.CATEGORIES, SMALL).train(rows)
    seen = matrix(rows, trained.columns).astype(np.float64)
    reference = drift.reference(seen, rows["store_id"].to_pylist(), trained.columns)
    folder = LocalVersion(tmp_path / folders.model_version(trained, ORIGIN.trained_until))
    version = folders.write(folder, trained, reference, ORIGIN)
    assert folders.read(folder, version.card.model_version, version.card_sha256) == version
    found = sandbox.forecast(version.trained, rows[:200], Predictor)
    expected = Predictor(trained)(rows[:200])
    assert np.array_equal(found.mean, expected.mean)
    assert np.array_equal(found.quantiles, expected.quantiles)
