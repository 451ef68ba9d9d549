"""What features add to a forecast adds up to it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from lakeshelf.forecast.inference import reasons
from lakeshelf.forecast.model.boosted import Predictor

from . import shop

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained


@pytest.mark.parametrize("relative", [False, True])
def test_contributions_add_up_to_the_mean_of_the_forecast(relative: bool) -> None:
    rows, trained = shop.of_day(shop.LAST), shop.trained()
    trained = replace(trained, settings={**trained.settings, "relative": relative})
    of = reasons.contributions(trained, rows)
    mean = np.exp(of.base + of.values.sum(axis=1))
    assert np.allclose(mean, Predictor(trained)(rows).mean, rtol=1e-9)


def test_the_reasons_that_say_most_come_first() -> None:
    rows = shop.of_day(shop.LAST)
    named = [json.loads(text) for text in reasons.top(shop.trained(), rows)]
    assert [len(one) for one in named] == [reasons.TOP] * rows.num_rows
    for row, one in enumerate(named):
        sizes = [abs(np.log(reason["factor"])) for reason in one]
        assert sizes == sorted(sizes, reverse=True)
        assert all(rows[r["feature"]][row].as_py() == r["value"] for r in one)


def test_of_no_rows_nothing_is_asked() -> None:
    assert reasons.top(shop.trained(), shop.of_day(shop.LAST)[:0]) == []


def test_rows_that_a_model_cannot_tell_apart_have_the_same_contributions() -> None:
    rows, trained = shop.of_day(shop.LAST), shop.trained()
    numbers = [*range(rows.num_rows), *reversed(range(rows.num_rows))]
    alone = [reasons.contributions(trained, rows.slice(n, 1)).values[0] for n in numbers]
    assert np.array_equal(reasons.contributions(trained, rows.take(numbers)).values, alone)
