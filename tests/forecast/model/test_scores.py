"""Scores: definitions in plain words, and rows for a table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.frames import LEVELS
from lakeshelf.forecast.model.scores import METRICS, SCORES, JudgedForecasts, scored, store_segments
from tests.forecast.model import made


def judged(mean: list[float], demand: list[float], naive: float = 0.0) -> JudgedForecasts:
    size = len(mean)
    quantiles = np.repeat(np.array(mean, float)[:, None], len(LEVELS), axis=1)
    return JudgedForecasts(
        np.array(mean, float),
        quantiles,
        np.array(demand, float),
        np.ones(size),
        np.full(size, naive),
        np.arange(size),
    )


UNITS = st.lists(st.tuples(st.floats(0.01, 50), st.integers(0, 50)), min_size=1, max_size=20)


@given(UNITS)
@settings(deadline=None)
def test_the_deviance_is_least_where_the_forecast_is_right(rows: list[tuple[float, int]]) -> None:
    mean, demand = ([float(x) for x in column] for column in zip(*rows, strict=True))
    right = METRICS["deviance"](judged(demand, demand))
    assert right == pytest.approx(0, abs=1e-5)
    assert METRICS["deviance"](judged(mean, demand)) >= right - 1e-5


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("deviance", 2 * ((2 * np.log(2) - 1) + 1) / 2),
        ("bias", 0.0),
        ("rmse", 1.0),
        ("wape", 1.0),
        ("mase", 1.0),
        ("wrmsse", 0.5),
        ("pinball_q90", (0.9 * 1 + 0.1 * 1) / 2),
        ("coverage_q90", 0.5),
        ("below_q90", 0.5),
        ("pinball", 0.5),
    ],
)
def test_what_a_metric_means(metric: str, value: float) -> None:
    """Once one unit forecast and two sold, once one forecast and none sold."""
    assert METRICS[metric](judged([1, 1], [2, 0])) == pytest.approx(value, abs=1e-4)


def test_a_weight_of_two_counts_as_two_rows() -> None:
    once = judged([1, 2, 2], [0, 3, 3], 1.0)
    twice = replace(judged([1, 2], [0, 3], 1.0), weight=np.array([1.0, 2.0]))
    merged = replace(once, shelf=np.array([0, 1, 1]))
    for name, metric in METRICS.items():
        assert metric(merged) == pytest.approx(metric(twice), nan_ok=True), name


def test_a_score_is_told_for_each_segment_that_has_rows() -> None:
    rows = made.rows(weeks=1, shelves=8)
    size = rows.num_rows
    result = judged([1.0] * size, [1.0] * size)
    cuts = {"none": np.zeros(size, bool), **store_segments(rows)}
    told = list(scored(result, cuts, fold=made.FIRST, contender="zero", version="v"))
    assert [set(row) == set(SCORES.names) for row in told] == [True] * len(told)
    assert len(told) == 4 * len(METRICS)
    assert {row["segment"] for row in told} == {f"store:S{n}" for n in range(4)}
    assert {row["rows"] for row in told} == {size // 4}
