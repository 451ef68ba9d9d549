"""A model from elsewhere forecasts in a process of its own, and whatever that does is one line here."""

from __future__ import annotations

import re

import numpy as np
import psutil
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lakeshelf.forecast.versions import sandbox
from lakeshelf.forecast.versions.errors import TrialRefused
from tests.forecast.versions import cases, predictors
from tests.support import eventually

ROWS = pa.table({name: cases.rows()[:, i] for i, name in enumerate(cases.COLUMNS.names)})


@pytest.mark.ml
@pytest.mark.slow
def test_forecasts_are_those_of_this_process() -> None:
    found = sandbox.forecast(cases.trained(), ROWS, predictors.of_lightgbm)
    expected = predictors.of_lightgbm(cases.trained())(ROWS)
    assert np.array_equal(found.mean, expected.mean)
    assert np.array_equal(found.quantiles, expected.quantiles)


@pytest.mark.ml
@pytest.mark.slow
def test_what_a_model_says_is_no_forecast_and_what_it_began_ends_with_it() -> None:
    (left,) = sandbox.forecast(cases.trained(), ROWS[:1], predictors.chatty).mean
    eventually(lambda: has_ended(int(left)), "what it began has ended")


def has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.ml
@pytest.mark.slow
@pytest.mark.parametrize(
    ("predictor", "named"),
    [
        (predictors.dying, "its process was ended by SIGSEGV"),
        (predictors.hanging, "it took more than 1 s"),
        (predictors.greedy, "MemoryError"),
        (predictors.flooding, "OSError: [Errno 27] File too large"),
        (predictors.short, "it gave 56 bytes of forecasts instead of 112"),
        (predictors.negative, "below 0 in row 0 (-1, 1, 1, 1, 1, 1, 1)"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(predictor: sandbox.Predictor, named: str) -> None:
    limits = sandbox.SandboxLimits(memory_bytes=2 * 2**30, seconds=1 if "1 s" in named else 60)
    with pytest.raises(TrialRefused, match="the model ") as refused:
        sandbox.forecast(cases.trained(), ROWS[:2], predictor, limits)
    if predictor is not predictors.flooding:
        assert named in refused.value.message
    assert re.fullmatch(r"[ -~]+", str(refused.value))
    assert refused.value.hint


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(arrays.arrays(float, (3, 7), elements=NUMBERS | st.sampled_from([0.0, 1.0, 2.0])))
def test_only_ordered_numbers_from_0_on_are_forecasts(numbers: np.ndarray) -> None:
    def is_one(row: np.ndarray) -> bool:
        quantiles = row[1:].tolist()
        return bool(np.isfinite(row).all() and (row >= 0).all()) and quantiles == sorted(quantiles)

    assert (sandbox.fault(numbers) is None) == all(map(is_one, numbers))
    fit = np.sort(np.abs(np.nan_to_num(numbers, posinf=9.0, neginf=9.0)), axis=1)
    assert sandbox.fault(fit) is None
