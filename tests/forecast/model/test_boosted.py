"""The model: texts that are the same for the same rows, forecasts that are distributions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lakeshelf.errors import MissingExtra
from lakeshelf.forecast.frames import HEADS, LEVELS, Trained
from lakeshelf.forecast.model import boosted, corrections
from lakeshelf.forecast.model.boosted import Boosted, BoostingSettings, Predictor, library, monotone
from lakeshelf.forecast.model.calibration import pinball
from lakeshelf.forecast.model.folds import FoldPlan, rolling
from lakeshelf.forecast.model.gates import permuted
from lakeshelf.forecast.model.rows import DOUBT, UNITS, numbers
from lakeshelf.forecast.model.scores import METRICS, judged
from tests.forecast import openmp
from tests.forecast.model import made

SMALL = BoostingSettings(trees=20, step=5, leaves=7, least_rows=50, columns_share=0.6, ridge=5.0)
MODEL = Boosted(made.NUMERIC, made.CATEGORIES, SMALL)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return made.rows(weeks=26, shelves=100)


@pytest.fixture(scope="module")
def train(rows: pa.Table) -> pa.Table:
    return rolling(rows, FoldPlan(folds=1))[0][0].train(rows)


@pytest.fixture(scope="module")
def test(rows: pa.Table) -> pa.Table:
    return rolling(rows, FoldPlan(folds=1))[0][0].test(rows)


@pytest.fixture(scope="module")
def trained(train: pa.Table) -> Trained:
    return MODEL.train(train)


@pytest.mark.ml
def test_training_again_gives_the_same_bytes(train: pa.Table, trained: Trained) -> None:
    assert MODEL.train(train) == trained
    assert tuple(trained.heads) == HEADS
    names = f"feature_names={' '.join(trained.columns.names)}\n"
    assert all(names in text for text in trained.heads.values())


@pytest.mark.ml
def test_another_seed_gives_other_bytes(train: pa.Table, trained: Trained) -> None:
    other = replace(MODEL, settings=replace(SMALL, seed=2)).train(train)
    assert all(other.heads[name] != trained.heads[name] for name in HEADS)


@pytest.mark.ml
def test_a_forecast_is_a_distribution(trained: Trained, test: pa.Table) -> None:
    forecast = Predictor(trained)(test)
    assert forecast.mean.shape == (test.num_rows,)
    assert forecast.quantiles.shape == (test.num_rows, len(LEVELS))
    assert (forecast.mean >= 0).all()
    assert (forecast.quantiles >= 0).all()
    assert (forecast.quantiles == np.round(forecast.quantiles)).all()
    assert (np.diff(forecast.quantiles, axis=1) >= 0).all()


@pytest.mark.ml
def test_a_text_is_opened_once_however_often_it_forecasts(
    trained: Trained, test: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    of_library = library().Booster

    def counted(*, model_str: str) -> Any:
        opened.append(model_str)
        return of_library(model_str=model_str)

    boosted._opened.cache_clear()
    monkeypatch.setattr(library(), "Booster", counted)
    first, second = (Predictor(trained)(test) for _ in range(2))
    assert np.array_equal(first.mean, second.mean)
    assert np.array_equal(first.quantiles, second.quantiles)
    assert sorted(opened) == sorted(trained.heads.values())


@pytest.mark.ml
def test_heads_of_a_young_shop_follow_what_shelves_sell_beyond_all_rows(
    train: pa.Table, test: pa.Table
) -> None:
    """Trees alone say of four times as much what they say of the most that they have seen."""
    young = replace(SMALL, relative=True)
    train, test = (
        rows.append_column("days_known", pa.array([90] * len(rows))) for rows in (train, test)
    )
    place, units = test.column_names.index(UNITS), numbers(test, UNITS)
    more = test.set_column(place, UNITS, pa.array(4 * units + 3 * DOUBT))
    trained = Boosted(("horizon_days", "weekday"), made.CATEGORIES, young).train(train)
    forecast, beyond = (Predictor(trained)(rows) for rows in (test, more))
    assert np.allclose(beyond.mean, 4 * forecast.mean)
    assert abs(METRICS["bias"](judged(test, forecast))) < 0.05
    assert 0.86 < METRICS["coverage_q90"](judged(test, forecast)) < 0.96
    assert np.abs(beyond.quantiles - 4 * forecast.quantiles).max() <= 4 * 2


@pytest.mark.ml
def test_the_label_is_not_read(trained: Trained, test: pa.Table) -> None:
    forecast = Predictor(trained)
    bare = forecast(test.drop_columns(["demand", "weight"]))
    assert np.array_equal(bare.quantiles, forecast(test).quantiles)


@pytest.mark.ml
def test_values_of_a_category_that_training_did_not_see_are_unknown(
    trained: Trained, test: pa.Table
) -> None:
    place = test.column_names.index("category")
    forecast = Predictor(trained)
    new, unknown = (
        forecast(test.set_column(place, "category", pa.array([value] * test.num_rows, pa.string())))
        for value in ("new", None)
    )
    assert trained.columns.categories["category"] == ("a", "b", "c")
    assert np.array_equal(new.mean, unknown.mean)


@pytest.mark.ml
def test_a_store_that_sold_nothing_for_a_week_is_closed(trained: Trained, test: pa.Table) -> None:
    """What its shelves sold before it closed says nothing any more; the other stores are forecast as before."""
    shut = np.array(test["store_id"].to_pylist()) == "S1"
    place = test.column_names.index("store_units_7d")
    closed = test.set_column(place, "store_units_7d", pa.array(np.where(shut, 0, 100)))
    before, after = (Predictor(trained)(rows) for rows in (test, closed))
    assert before.mean[shut].all()
    assert not after.mean[shut].any()
    assert not after.quantiles[shut].any()
    assert np.array_equal(after.mean[~shut], before.mean[~shut])
    assert np.array_equal(after.quantiles[~shut], before.quantiles[~shut])


@pytest.mark.ml
def test_closed_stores_teach_nothing(train: pa.Table, trained: Trained) -> None:
    """Their rows change no byte, wherever they stand."""
    place = train.column_names.index("store_units_7d")
    closed = train.set_column(place, "store_units_7d", pa.array(np.zeros(len(train), np.int64)))
    both = pa.concat_tables([train, closed])
    ordered = both.take(pc.sort_indices(both, [("feature_date", "ascending")]))
    assert MODEL.train(ordered) == trained


@pytest.mark.ml
def test_a_quantile_head_learns_from_fewer_rows(train: pa.Table, trained: Trained) -> None:
    """The mean from all of them; and never from more than a head may have."""
    few = replace(MODEL, settings=replace(SMALL, sample_of_quantiles=1_000)).train(train)
    assert few.heads["mean"] == trained.heads["mean"]
    assert _rows(few, "q90") == 1_000 < _rows(few, "mean")
    both = replace(MODEL, settings=replace(SMALL, sample=900, sample_of_quantiles=1_000))
    assert {_rows(both.train(train), name) for name in HEADS} == {900}


def _rows(trained: Trained, name: str) -> int:
    """Rows that the first tree of a head has seen: the count at its root."""
    _, _, counts = trained.heads[name].partition("internal_count=")
    return int(counts.split()[0])


@pytest.mark.ml
def test_it_learns_what_baselines_cannot_know(trained: Trained, test: pa.Table) -> None:
    """The category doubles or halves the rate that the other columns say."""
    forecast = judged(test, Predictor(trained)(test))
    rate = replace(
        forecast, mean=test["units_sold_91d"].to_numpy() / 91 * test["horizon_days"].to_numpy()
    )
    assert METRICS["deviance"](forecast) < 0.8 * METRICS["deviance"](rate)
    assert abs(METRICS["bias"](forecast)) < 0.1


@pytest.mark.ml
def test_permuted_labels_kill_the_skill(train: pa.Table, test: pa.Table) -> None:
    blind = judged(test, MODEL.fit(permuted(train, 3))(test))
    constant = replace(blind, mean=np.full(test.num_rows, train["demand"].to_numpy().mean()))
    assert METRICS["deviance"](blind) > 0.9 * METRICS["deviance"](constant)


def test_without_the_extra_training_says_how_to_install_it(
    train: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakeshelf.extras.find_spec", lambda module: None)
    with pytest.raises(MissingExtra, match=r"lightgbm is not installed; run .*lakeshelf\[ml\]"):
        MODEL.train(train)


def test_without_openmp_it_is_as_without_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    openmp.remove(tmp_path, monkeypatch)
    with pytest.raises(
        MissingExtra, match=r"libgomp.so.1: .*; .*`apt-get install libgomp1`"
    ) as told:
        library()
    assert "\n" not in str(told.value)


@given(arrays(float, (5, len(LEVELS)), elements=st.floats(-5, 1e6)))
@settings(deadline=None)
def test_quantiles_never_fall(quantiles: np.ndarray) -> None:
    assert (np.diff(monotone(quantiles), axis=1) >= 0).all()


@given(arrays(float, 40, elements=st.integers(0, 12)), st.sampled_from(LEVELS))
@settings(deadline=None)
def test_quantiles_of_spread_out_units_are_quantiles_of_units(
    units: np.ndarray, level: float
) -> None:
    """The smallest whole number that covers the level, whatever was added to the units."""
    spread = corrections.spread_out(units, seed=1)
    quantile = np.quantile(spread, level, method="inverted_cdf")
    whole = corrections.in_whole_units(np.array([quantile]), 0.0)[0]
    assert whole == np.quantile(units, level, method="inverted_cdf")


@given(arrays(float, 30, elements=st.integers(0, 9)), st.floats(0, 9), st.sampled_from(LEVELS))
@settings(deadline=None)
def test_no_shift_loses_less_than_the_chosen_one(
    units: np.ndarray, quantile: float, level: float
) -> None:
    forecast, weight = np.full(30, quantile), np.ones(30)
    chosen, loss = corrections.shift(forecast, units, weight, level)
    unshifted = pinball(corrections.in_whole_units(forecast, 0.0), units, level).sum()
    assert -1 <= chosen <= 1
    assert loss <= unshifted + 1e-9


def test_a_factor_by_store_is_drawn_towards_that_of_all() -> None:
    stores = np.repeat(["large", "small"], [1000, 2])
    demand = np.where(stores == "large", 1.0, 9.0)
    got = corrections.factors(np.ones(1002), demand, np.ones(1002), stores)
    assert got["large"] == pytest.approx(1.0, abs=0.02)
    assert got["small"] == pytest.approx(got[""], abs=0.1)
    assert list(corrections.factors(np.ones(2), np.ones(2), np.ones(2), None)) == [""]


@pytest.mark.ml
@pytest.mark.parametrize(
    ("correct", "stores"),
    [("nothing", [""]), ("all", [""]), ("store", ["", "S0", "S1", "S2", "S3"])],
)
def test_the_mean_is_corrected_as_the_settings_say(
    correct: str, stores: list[str], rows: pa.Table
) -> None:
    few = replace(SMALL, trees=5, correct=correct)  # type: ignore[arg-type]
    trained = replace(MODEL, settings=few).train(rows)
    factors = trained.settings[boosted.FACTORS]
    forecast = Predictor(trained)(rows)
    plain = Predictor(replace(trained, settings={**trained.settings, boosted.FACTORS: {"": 1.0}}))
    assert list(factors) == stores
    assert (factors[""] == 1.0) == (correct == "nothing")
    at = rows["store_id"].to_pylist()
    expected = [factors.get(store, factors[""]) for store in at] * plain(rows).mean
    assert forecast.mean == pytest.approx(expected)


def test_the_options_of_lightgbm_make_it_repeatable() -> None:
    for name in HEADS:
        options = boosted.parameters(name, SMALL)
        assert options["deterministic"]
        assert options["force_row_wise"]
        assert options["num_threads"] == 1
        assert options["seed"] == 1


@given(rows=st.integers(0, 60_000))
def test_of_few_rows_leaves_are_fewer_and_smaller_and_of_many_as_they_are_set(rows: int) -> None:
    own, more = (boosted.sized(BoostingSettings(), n) for n in (rows, rows + 1_000))
    assert own.leaves <= more.leaves <= BoostingSettings().leaves
    assert own.least_rows <= more.least_rows <= BoostingSettings().least_rows
    assert own == BoostingSettings() or rows < 30_000
    assert own.least_rows * own.leaves <= max(rows, 140)
    assert boosted.sized(SMALL, rows).least_rows <= SMALL.least_rows
