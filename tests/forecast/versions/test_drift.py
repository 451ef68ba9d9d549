"""The index of drift is 0 for the rows of the training, and red when features moved."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.forecast.versions import drift
from lakeshelf.forecast.versions.cards import FeatureReference
from tests.forecast.versions.cases import COLUMNS, rows

MANY = drift.LEAST_ROWS * 4
STORES = ["S1", "S2"] * (MANY // 2)


def test_rows_of_the_training_have_not_moved_in_any_order() -> None:
    found = rows(MANY)
    known = drift.reference(found, STORES, COLUMNS)
    assert known.fits(COLUMNS)
    order = np.random.default_rng(3).permutation(MANY)
    indices = drift.stability(known, found[order], np.array(STORES)[order].tolist(), COLUMNS)
    assert set(indices) == {drift.EVERY_STORE, "S1", "S2"}
    for of_store in indices.values():
        assert set(of_store) == set(COLUMNS.names)
        assert all(index == pytest.approx(0, abs=1e-12) for index in of_store.values())


@pytest.mark.parametrize(
    ("column", "moved"),
    [(0, 1.0), (1, -1.0), (2, 7.0), (3, np.nan)],
)
def test_a_feature_that_moved_is_told_in_its_store_and_no_other_is(
    column: int, moved: float
) -> None:
    found = rows(MANY)
    known = drift.reference(found, STORES, COLUMNS)
    now = found.copy()
    now[::2, column] += moved  # in S1
    indices = drift.stability(known, now, STORES, COLUMNS)
    name = COLUMNS.names[column]
    assert indices["S1"][name] > 0.2
    others = {of: index for of, index in indices["S1"].items() if of != name} | indices["S2"]
    assert max(others.values()) < 0.01


def test_a_store_of_few_rows_or_that_was_not_there_tells_nothing() -> None:
    known = drift.reference(rows(MANY), STORES, COLUMNS)
    few = ["S1"] * (drift.LEAST_ROWS - 1) + ["S9"] * (MANY - drift.LEAST_ROWS + 1)
    assert set(drift.stability(known, rows(MANY), few, COLUMNS)) == {drift.EVERY_STORE}


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=60))
def test_of_any_numbers_the_reference_is_one_that_can_be_read_back(values: list[float]) -> None:
    found = np.column_stack([np.array(values, dtype=float)] * 4)
    known = drift.reference(found, ["S1"] * len(values), COLUMNS)
    assert FeatureReference.model_validate_json(known.content()) == known
    assert known.fits(COLUMNS)
