"""Rates of the tail: counted as a plain loop counts them, drawn together where little is known."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from lakeshelf.forecast.model.tail import DOUBT, TailRates
from tests.forecast.model import made


def rows(subcategory: list[str], item_units: list[int], demand: list[float]) -> pa.Table:
    size = len(subcategory)
    days = pa.array([made.FIRST] * size, pa.date32())
    return pa.table(
        {
            "shelf_id": [str(n) for n in range(size)],
            "feature_date": days,
            "horizon_days": [4] * size,
            "lines_91d": [0] * size,
            "item_units_91d": item_units,
            "subcategory": subcategory,
            "demand": demand,
            "weight": [20.0] * size,
        }
    )


def test_a_rate_is_units_by_shelf_days_drawn_towards_its_class() -> None:
    table = rows(["milk"] * 10 + ["tea"] * 10, [5] * 20, [1.0] * 10 + [0.0] * 10)
    mean = TailRates().fit(table)(table).mean
    of_class, spent = 200 / 1600, 800
    for at, units in ((0, 200), (10, 0)):
        assert mean[at] == pytest.approx(4 * (units + DOUBT * of_class) / (spent + DOUBT))


def test_an_unseen_group_has_the_rate_of_its_class_and_an_unseen_class_none() -> None:
    table = rows(["milk", "tea"], [5, 5], [1.0, 0.0])
    fitted = TailRates().fit(table)
    mean = fitted(rows(["salt", "salt"], [6, 5_000], [0.0, 0.0])).mean
    assert mean == pytest.approx([4 * 20 / 160, 0])


def test_shelves_that_sell_more_teach_nothing() -> None:
    table = rows(["milk"] * 4, [5] * 4, [0.0, 0.0, 9.0, 9.0])
    table = table.set_column(3, "lines_91d", pa.array([0, 1, 2, 40]))
    forecast = TailRates().fit(table)(table)
    assert not forecast.mean.any()
    assert not np.any(forecast.quantiles)


def test_a_shop_without_a_tail_has_no_rates() -> None:
    table = rows(["milk"], [5], [1.0])
    fitted = TailRates().fit(table.slice(0, 0))(table)
    assert fitted.mean.tolist() == [0.0]
    assert not fitted.quantiles.any()
