"""Levels and orders of a cutoff day, and which forecasts are not relied on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.demand.segments import BY_MEASURE
from lakeshelf.forecast.frames import LEVELS, Forecast
from lakeshelf.forecast.inference import predictions as p
from lakeshelf.forecast.inference.shelves import ORDERED, Shelves
from tests.forecast.orders import forecasts

ROWS = 200
DAY = date(2026, 3, 3)
UNTIL = datetime(2026, 3, 6, tzinfo=UTC)
numbers = st.integers(0, ROWS - 1)


def rows(peak: int = 6, lines: int = 20) -> pa.Table:
    """What levels ask of features."""
    return pa.table(
        {
            "shelf_id": [f"H{n:03}" for n in range(ROWS)],
            "feature_date": pa.array([DAY] * ROWS, pa.date32()),
            "horizon_days": [3] * ROWS,
            "peak_91d": [peak] * ROWS,
            "lines_91d": [lines] * ROWS,
        }
    )


def shelves(**changed: Any) -> Shelves:
    """Shelves of goods that keep, with an empty position."""
    plain = {
        "shelf_id": "H",
        "store_id": "S1",
        "item_id": "I1",
        "unit_price": 2.0,
        "shelf_life_days": None,
        "service_level": None,
        "lot": 6,
        "min_qty": 1,
        "position": 0,
        "allow_zero": False,
    }
    return Shelves.of(pa.Table.from_pylist([plain | changed] * ROWS, ORDERED))


def forecast() -> Forecast:
    """Shelves that sell two units or so."""
    quantiles = np.tile(np.array([2.0, 3.0, 4.0, 5.0, 6.0, 7.0]), (ROWS, 1))
    return Forecast(np.full(ROWS, 2.0), quantiles)


def damaged(row: int, how: str) -> Forecast:
    """A forecast of which one shelf is wrong."""
    good = forecast()
    mean, quantiles = good.mean.copy(), good.quantiles.copy()
    match how:
        case "nan":
            mean[row] = np.nan
        case "infinite":
            quantiles[row, -1] = np.inf
        case "negative":
            mean[row] = -1
        case "falling":
            quantiles[row, 2] = 9
        case "enormous":
            mean[row], quantiles[row] = 1e6, 1e6
    return Forecast(mean, quantiles)


def test_an_order_fills_up_to_the_level_in_whole_lots() -> None:
    said = p.predicted(rows(), forecast(), shelves())
    assert said.usable.all()
    assert (said.order % 6 == 0).all()
    assert (said.level >= 2).all()
    assert (p.predicted(rows(), forecast(), shelves(position=1000)).order == 0).all()


@pytest.mark.parametrize("how", ["nan", "infinite", "negative", "falling", "enormous"])
@given(row=numbers)
def test_the_rule_decides_for_a_shelf_whose_forecast_is_wrong(how: str, row: int) -> None:
    said = p.predicted(rows(), damaged(row, how), shelves())
    assert np.flatnonzero(~said.usable).tolist() == [row]
    assert said.fallen_share == pytest.approx(1 / ROWS)


@given(wrong=st.sets(numbers, min_size=1, max_size=6))
def test_the_rule_decides_for_all_where_one_in_a_hundred_is_wrong(wrong: set[int]) -> None:
    mean = forecast().mean
    mean[list(wrong)] = np.nan
    said = p.predicted(rows(), Forecast(mean, forecast().quantiles), shelves())
    assert said.usable.any() == (len(wrong) <= p.MOST_FALLEN * ROWS)


def test_the_rule_orders_goods_that_are_sold_by_measure_however_many_these_are() -> None:
    peaks = [BY_MEASURE if n % 3 == 0 else BY_MEASURE - 1 for n in range(ROWS)]
    measured = rows().set_column(3, "peak_91d", pa.array(peaks))
    said = p.predicted(measured, forecast(), shelves())
    assert said.usable.tolist() == [n % 3 != 0 for n in range(ROWS)]


def test_a_shelf_of_the_tail_has_its_floor_whatever_is_forecast() -> None:
    said = p.predicted(rows(lines=1), forecast(), shelves(min_qty=3))
    assert (said.level == 3).all()


@given(lot=st.integers(1, 40), position=st.integers(0, 30), floor=st.integers(0, 9))
def test_a_forecast_has_no_say_in_orders_of_the_tail_where_no_shelf_may_be_empty(
    lot: int, position: int, floor: int
) -> None:
    tail, of = rows(lines=1), shelves(lot=lot, position=position, min_qty=floor)
    nothing = Forecast(np.zeros(ROWS), np.zeros((ROWS, len(LEVELS))))
    one, other = (p.predicted(tail, said, of) for said in (nothing, forecast()))
    assert np.array_equal(one.order, other.order)
    assert not p.deciding(tail, of).any()
    assert p.deciding(tail, shelves(allow_zero=True)).all()
    assert p.deciding(rows(), of).all()


def test_a_shelf_may_be_empty_only_where_its_policy_says_so() -> None:
    nothing = Forecast(np.zeros(ROWS), np.zeros((ROWS, len(LEVELS))))
    assert (p.predicted(rows(), nothing, shelves()).level == 1).all()
    assert (p.predicted(rows(), nothing, shelves(allow_zero=True)).level == 0).all()


def test_a_service_level_takes_the_place_of_costs() -> None:
    high = p.predicted(rows(), forecast(), shelves(service_level=0.99)).level
    low = p.predicted(rows(), forecast(), shelves(service_level=0.5)).level
    assert (high == 7).all()
    assert (low == 2).all()


@pytest.mark.slow
@settings(max_examples=60)
@given(
    goods=forecasts.shelves(),
    lot=st.integers(1, 40),
    position=st.integers(0, 30),
    floor=st.integers(0, 5),
    allow_zero=st.booleans(),
)
def test_the_engine_rounds_by_what_is_sent_as_the_order_is_rounded(
    goods: forecasts.Shelves, lot: int, position: int, floor: int, allow_zero: bool
) -> None:
    table = rows(peak=1_000)[: forecasts.ROWS]
    life = goods.life - (date(2026, 3, 4) - DAY).days - 1
    of = shelves(lot=lot, position=position, min_qty=floor, allow_zero=allow_zero)
    of = replace(of.take(slice(forecasts.ROWS)), unit_price=goods.price, shelf_life_days=life)
    said = p.predicted(table, goods.forecast, of)
    sent = p.SentLevels(np.ones(forecasts.ROWS, bool), UNTIL)
    for row in p.as_rows(said, table, of, [None] * forecasts.ROWS, sent).to_pylist():
        least = 0 if allow_zero else max(floor, 1)
        sent_to = [np.array([v]) for v in (position, row["level_qty"], lot)]
        ordered = forecasts.by_level(*sent_to, least, np.array([row["lot_level_qty"]]))
        assert row["suggested_qty"] == ordered[0]


def test_a_row_tells_what_was_said() -> None:
    said = p.predicted(rows(), damaged(3, "nan"), shelves())
    nothing = p.SentLevels(np.zeros(ROWS, bool), UNTIL)
    table = p.as_rows(said, rows(), shelves(), [None] * ROWS, nothing, role="champion")
    assert table.num_rows == ROWS - 1
    row = table.to_pylist()[0]
    assert json.loads(row["quantiles"]) == dict(
        zip(("0.5", "0.8", "0.9", "0.95", "0.98", "0.99"), (2, 3, 4, 5, 6, 7), strict=True)
    )
    assert row["segment"] == "13+ lines"
    assert row["predicted_batches"] * 6 == row["suggested_qty"]
    assert (row["service_level"], row["top_reasons"], row["role"]) == (None, None, "champion")
