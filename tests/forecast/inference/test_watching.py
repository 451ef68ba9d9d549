"""What came of predictions, as the health of a version asks for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakeshelf.forecast.demand.labels import SETTLED_DAYS, labels
from lakeshelf.forecast.frames import Forecast
from lakeshelf.forecast.inference import watching as w
from lakeshelf.forecast.inference.predictions import SentLevels, as_rows, predicted
from lakeshelf.forecast.inference.shelves import ORDERED, Shelves
from lakeshelf.forecast.model.boosted import Predictor
from lakeshelf.forecast.versions import health

from . import shop

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained
UNTIL = datetime(2026, 3, 6, tzinfo=UTC)
VERSION = "20260630-0123456789ab"


def said(rows: pa.Table, factor: float = 1.0) -> pa.Table:
    """Rows of predictions of days, too high by a factor."""
    plain = dict.fromkeys(("unit_price", "lot", "min_qty"), 1) | {
        "position": 0,
        "allow_zero": False,
    }
    goods = [{**plain, "shelf_id": shelf} for shelf in rows["shelf_id"].to_pylist()]
    shelves = Shelves.of(pa.Table.from_pylist(goods, ORDERED))
    forecast = Predictor(shop.trained())(rows)
    high = Forecast(forecast.mean * factor, np.ceil(forecast.quantiles * factor))
    nothing = SentLevels(np.zeros(rows.num_rows, bool), UNTIL)
    every = replace(predicted(rows, high, shelves), usable=np.ones(rows.num_rows, bool))
    return as_rows(every, rows, shelves, [None] * rows.num_rows, nothing)


def active(first: int = 100) -> pa.Table:
    """Features of shelves that sell, of the days from `first` days before the last one."""
    rows = shop.rows()
    since = shop.LAST - timedelta(days=first)
    return rows.filter(
        pc.and_(pc.greater_equal(rows["feature_date"], since), pc.greater(rows["lines_91d"], 1))
    )


def known_labels(rows: pa.Table) -> pa.Table:
    """Labels of rows, as they are known on the last day."""
    chosen = rows.select(["shelf_id", "feature_date", "horizon_days"])
    chosen = chosen.append_column("weight", pa.array(np.ones(rows.num_rows)))
    return labels(chosen, shop.world().demand, shop.LAST)


def observed(factor: float = 1.0, first: int = 100) -> health.Observed:
    """What is seen of a version that is too high by a factor."""
    rows = active()
    watched = w.WatchedDays(rows, known_labels(rows), said(active(first), factor))
    return w.observed(shop.LAST, watched)


def metrics(of: health.Observed) -> dict[str, health.Health]:
    """Health of all stores together, by metric."""
    made = health.measured(VERSION, shop.LAST, shop.LAST, of, {})
    return {one.metric: one for one in made if not one.store_id}


def test_a_version_that_is_too_high_is_red_and_one_that_is_not_is_green() -> None:
    assert metrics(observed())[health.BIAS].verdict == "green"
    high = metrics(observed(1.25))
    assert high[health.BIAS].verdict == "red"
    assert high[health.BIAS].value == pytest.approx(0.25, abs=0.1)


def test_scored_are_the_windows_of_four_weeks_whose_demand_is_known() -> None:
    of = observed()
    scored = np.unique(of.days[np.isfinite(of.demand)])
    ends = [day + timedelta(days=3) for day in scored.tolist()]
    assert shop.LAST - max(ends) >= timedelta(days=SETTLED_DAYS)
    assert len(scored) == 12


def test_baselines_that_features_tell_are_beside_it() -> None:
    assert set(observed().baselines) == {
        "zero",
        "moving_average_28",
        "moving_average_91",
        "croston",
        "sba",
        "tsb",
    }
    assert metrics(observed())[health.PINBALL].verdict != "unknown"


def test_a_shelf_of_which_nothing_was_said_fell_back() -> None:
    rows = active()
    few = said(rows)
    few = few.filter(pc.not_equal(few["shelf_id"], shop.SHELVES[0]))
    of = w.observed(shop.LAST, w.WatchedDays(rows, known_labels(rows), few))
    assert metrics(of)[health.FALLBACK].verdict == "red"
    assert metrics(observed())[health.FALLBACK].value == 0


def test_days_before_its_first_prediction_are_not_its_own() -> None:
    of = observed(first=14)
    assert of.days.min() >= np.datetime64(shop.LAST - timedelta(days=14))
    assert not of.fell_back.any()
