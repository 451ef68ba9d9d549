"""Health tells a good forecast from a biased one, in its store, and days in a row from days apart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.forecast.frames import Forecast
from lakeshelf.forecast.versions import health as h

DAY = date(2026, 10, 29)
UNTIL = date(2026, 10, 1)
ROWS, RATE = 6000, 8.0


def quantiles(rate: float = RATE) -> np.ndarray:
    """Of a normal demand, which a model knows."""
    deviations = (0.0, 0.8416, 1.2816, 1.6449, 2.0537, 2.3263)
    return np.tile([rate + of * 2.0 for of in deviations], (ROWS, 1))


def observed(rate: float = RATE) -> h.Observed:
    random = np.random.default_rng(5)
    first = np.datetime64("2026-10-04")
    return h.Observed(
        stores=np.array(["S1", "S2"] * (ROWS // 2)),
        days=first + np.repeat(np.arange(0, 24, 2), ROWS // 12).astype("timedelta64[D]"),
        forecast=Forecast(np.full(ROWS, rate), quantiles(rate)),
        baselines={"worse": quantiles(RATE * 1.4), "worst": quantiles(RATE * 2)},
        demand=random.normal(RATE, 2.0, ROWS),
        weight=np.ones(ROWS),
        is_dense=np.ones(ROWS, bool),
        fell_back=np.zeros(ROWS, bool),
    )


def measured(found: h.Observed, **indices: float) -> dict[tuple[str, str], h.Health]:
    drift = {store: {"units_7d": index} for store, index in indices.items()}
    rows = h.measured("v", UNTIL, DAY, found, drift)
    assert len({(one.store_id, one.metric) for one in rows}) == len(rows) == 3 * len(h.BOUNDS)
    return {(one.store_id, one.metric): one for one in rows}


def red(found: h.Observed, **indices: float) -> set[tuple[str, str]]:
    return {key for key, one in measured(found, **indices).items() if one.verdict == "red"}


def test_a_good_forecast_is_green_in_every_store() -> None:
    found = measured(observed(), S1=0.1, S2=0.1)
    assert {one.verdict for key, one in found.items() if key != ("", h.DRIFT)} == {"green"}
    assert found["", h.DRIFT].verdict == "unknown"
    assert found["S1", h.AGE].value == 28


def test_what_went_wrong_is_red_where_it_did() -> None:
    good = observed()
    in_s1 = good.stores == "S1"
    doubled = np.where(in_s1, 1.5, 1.0)
    biased = replace(good, forecast=Forecast(good.forecast.mean * doubled, quantiles()))
    assert red(biased) == {("S1", h.BIAS), ("", h.BIAS)}
    flat = replace(
        good, baselines={}, forecast=Forecast(good.forecast.mean, quantiles() * 0 + RATE)
    )
    assert {metric for store, metric in red(flat) if store == "S2"} == {
        "coverage_q90_28d", "coverage_q95_28d",
    }  # fmt: skip
    beaten = replace(good, baselines={"worse": quantiles(99), "best": quantiles(RATE * 0.99)})
    assert not red(beaten)
    worse = replace(good, baselines={"best": quantiles()}, forecast=Forecast(
        good.forecast.mean, quantiles(RATE * 1.05)))  # fmt: skip
    assert ("S1", h.PINBALL) in red(worse)
    assert red(good, S2=0.21) == {("S2", h.DRIFT)}
    fallen = replace(good, fell_back=in_s1 & (good.days == good.days.max()))
    assert red(fallen) == {("S1", h.FALLBACK), ("", h.FALLBACK)}
    past = replace(good, fell_back=in_s1 & (good.days == good.days.min()))
    assert not red(past)


@pytest.mark.parametrize("way", ["hidden", "not known yet", "fell back"])
def test_rows_that_tell_nothing_are_not_scored(way: str) -> None:
    good = observed()
    some = np.arange(ROWS) % 3 == 0
    wrong = np.where(some, 1000.0, good.demand)
    changed = {
        "hidden": {"demand": wrong, "weight": np.where(some, 0.0, 1.0)},
        "not known yet": {"demand": np.where(some, np.nan, good.demand)},
        "fell back": {
            "demand": wrong,
            "fell_back": some,
            "forecast": Forecast(
                np.where(some, np.nan, good.forecast.mean),
                np.where(some[:, None], np.nan, good.forecast.quantiles),
            ),
        },
    }[way]
    assert {metric for _, metric in red(replace(good, **changed))} <= {h.FALLBACK}


def test_without_rows_or_demand_nothing_is_red() -> None:
    good = observed()
    hidden = measured(replace(good, weight=np.zeros(ROWS)))
    assert {one.verdict for (_, metric), one in hidden.items() if "28d" in metric} == {"unknown"}
    zeros = replace(good, demand=np.zeros(ROWS), baselines={"zero": quantiles() * 0})
    assert measured(zeros)["S1", h.BIAS].verdict == "unknown"
    assert measured(zeros)["S1", h.PINBALL].verdict == "unknown"
    few = measured(replace(good, is_dense=np.arange(ROWS) < h.LEAST_ROWS - 1))
    assert few["", "coverage_q90_28d"].verdict == "unknown"


def days(*back: int, metric: str = h.BIAS) -> list[h.Health]:
    """A row a day of the last ten, red on those so many days back."""
    return [
        h.Health("v", DAY - timedelta(days=number), "S1", metric, 1.0, 0.1,
                 "red" if number in back else "green")
        for number in range(10)
    ]  # fmt: skip


@given(st.sets(st.integers(0, 9)))
def test_what_follows_depends_on_the_red_days_in_a_row(back: set[int]) -> None:
    in_a_row = next(number for number in range(11) if number not in back)
    expected = "rule" if in_a_row >= 7 else "train" if in_a_row >= 2 else "none"
    assert h.advice(days(*back), DAY) == {"S1": expected}
    expected = "train" if in_a_row >= 2 else "none"
    assert h.advice(days(*back, metric=h.DRIFT), DAY) == {"S1": expected}


def test_red_days_of_different_metrics_are_in_a_row_and_a_missing_day_ends_it() -> None:
    mixed = days(0, 2, 4, 6) + days(1, 3, 5, metric=h.PINBALL)
    assert h.advice(mixed, DAY) == {"S1": "rule"}
    assert h.advice([one for one in mixed if one.day != DAY - timedelta(days=1)], DAY) == {
        "S1": "none"
    }
    assert h.advice([], DAY) == {}


@given(back=st.sets(st.integers(0, 9)), trained=st.none() | st.integers(0, 10))
def test_another_is_asked_for_by_two_red_days_since_the_latest_training(
    back: set[int], trained: int | None
) -> None:
    in_a_row = next(number for number in range(11) if number not in back)
    since = None if trained is None else DAY - timedelta(days=trained)
    rows = [one for one in days(*back) if since is None or one.day >= since]
    is_new = trained is None or in_a_row <= trained
    assert h.asks_for_another(rows, since, DAY) == (in_a_row >= 2 and is_new)
