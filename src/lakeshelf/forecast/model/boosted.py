"""LightGBM: a Tweedie head for the mean, a quantile head a level, one text each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType, ModuleType
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from lakeshelf.errors import MissingExtra, first_line
from lakeshelf.extras import require
from lakeshelf.forecast.frames import HEADS, LEVELS, MEAN, Columns, Floats, Forecast, Trained, head
from lakeshelf.forecast.model.baselines import MONTH
from lakeshelf.forecast.model.corrections import LEAST, factors, in_whole_units, shift, spread_out
from lakeshelf.forecast.model.rows import (
    STORE,
    Matrix,
    Places,
    days,
    demand,
    frozen,
    kept,
    last_label_days,
    lately,
    matrix,
    opened,
    texts,
    weights,
)

ALPHAS: Mapping[str, float] = MappingProxyType({head(level): level for level in LEVELS})
"""Head → level of its quantile."""
PART = 4
"""At most one day in so many decides how many trees there are, and teaches nothing."""
ROWS_A_LEAF, FEWEST_LEAVES = 300, 7
"""A tree has one leaf in so many rows, at least so many."""
LEAVES_OF_ROWS, SMALLEST_LEAF = 150, 20
"""No leaf needs more than one row in so many, or fewer rows than that."""
RELATIVE = "relative"
"""Of the settings, whether heads say multiples."""
FACTORS, SHIFTS = "factors", "shifts"
"""Corrections, among the settings of a trained model."""
KEPT = 2 * len(HEADS)
"""Most heads that stay open: those of a champion and a challenger."""


@dataclass(frozen=True)
class BoostingSettings:
    """How a model is trained.

    Args:
        seed: Of the sample of rows, of the columns of a tree, and of what is added to the labels of quantiles.
        power: Power of the variance of Tweedie.
        trees: Most trees of a head; how many it keeps, the last days of the rows decide.
        step: A head keeps a multiple of so many trees.
        leaves: Leaves of a tree; fewer where rows are few (`sized`).
        least_rows: Fewest rows of a leaf; fewer where rows are few.
        rate: Learning rate.
        columns_share: Share of the columns that a tree may use.
        ridge: Penalty on the values of leaves.
        sample: Most rows that a head learns from.
        sample_of_quantiles: The same of a quantile head, of which there are many; never more than `sample`.
        correct: What the mean is corrected by, as the last days of the rows have it: nothing, demand ÷ forecast of all
            rows, or of each store.
        relative: Whether heads learn how many times what a shelf sold `lately` it will sell, instead of units: what a
            young shop needs, whose shelves sell more than any row that it has learned from says.
    """

    seed: int = 1
    power: float = 1.3
    trees: int = 80
    step: int = 10
    leaves: int = 63
    least_rows: int = 200
    rate: float = 0.1
    columns_share: float = 0.3
    ridge: float = 20.0
    sample: int = 600_000
    sample_of_quantiles: int = 250_000
    correct: Literal["nothing", "all", "store"] = "nothing"
    relative: bool = False


@dataclass(frozen=True)
class Boosted:
    """The model, as a contender.

    Args:
        numeric: Columns of numbers that it reads.
        categories: Columns of texts that it reads.
        settings: How it is trained.
        name: Its name in tables of scores.
    """

    numeric: tuple[str, ...]
    categories: tuple[str, ...]
    settings: BoostingSettings = field(default_factory=BoostingSettings)
    name: str = "lightgbm"

    def fit(self, rows: pa.Table) -> Predictor:
        """Train all heads, as `train` does."""
        return Predictor(self.train(rows))

    def train(self, rows: pa.Table) -> Trained:
        """Learn from all rows but the last, which decide about trees and corrections: `deciding` days of them.

        Rows of closed stores take no part: what they forecast is no question.

        Args:
            rows: Rows with labels that count, in an order that is always the same.

        Returns:
            Texts that are the same for the same rows and settings, and the corrections among the settings.

        Raises:
            MissingExtra: LightGBM cannot be used.
        """
        library()
        columns, settings = frozen(rows, self.numeric, self.categories), self.settings
        before, last = _parted(rows)
        tried = kept(last, opened(last))
        trial = _Trial(
            matrix(tried, columns), demand(tried), _taught(tried), scale(settings.relative, tried)
        )
        fewer = min(settings.sample, settings.sample_of_quantiles)
        mean = _head(MEAN, _lesson(before, columns, settings, settings.sample), trial, settings)
        lesson = _lesson(before, columns, settings, fewer)
        grown = {MEAN: mean} | {name: _head(name, lesson, trial, settings) for name in ALPHAS}
        corrections = {
            FACTORS: _factors(settings, mean.forecast, trial, tried),
            SHIFTS: {name: grown[name].shift for name in ALPHAS},
        }
        heads = {name: grown[name].text for name in HEADS}
        return Trained(columns, heads, {**asdict(settings), **corrections})


@dataclass(frozen=True)
class Predictor:
    """Forecasts by the texts of a model."""

    trained: Trained

    def __call__(self, rows: pa.Table) -> Forecast:
        """Forecast each row; a closed store sells nothing.

        Raises:
            MissingExtra: LightGBM cannot be used.
        """
        library()
        values, heads = matrix(rows, self.trained.columns), self.trained.heads
        shifts, times = self.trained.settings[SHIFTS], scales(self.trained, rows)
        quantiles = [
            in_whole_units(predicted(heads[name], values) * times, shifts[name]) for name in ALPHAS
        ]
        mean = np.maximum(predicted(heads[MEAN], values), 0) * times
        at = opened(rows)[:, None]
        return Forecast(
            mean * corrections(self.trained, rows), monotone(np.column_stack(quantiles)) * at
        )


def corrections(trained: Trained, rows: pa.Table) -> Floats:
    """What the head's mean of each row is multiplied by: the factor of its store; 0 where that is closed."""
    stores = trained.settings[FACTORS]
    factor = np.array([stores.get(x, stores[""]) for x in texts(rows, STORE)], np.float64)
    return factor * opened(rows)


def scales(trained: Trained, rows: pa.Table) -> Floats:
    """What a version's heads say multiples of, in units, one a row; versions of before say units."""
    return scale(trained.settings.get(RELATIVE, False), rows)


def scale(relative: bool, rows: pa.Table) -> Floats:
    """What heads say multiples of, in units, one a row."""
    return lately(rows) if relative else np.ones(rows.num_rows)


def library() -> ModuleType:
    """LightGBM, with what it needs of the system.

    Raises:
        MissingExtra: It is not installed, or OpenMP is not.
    """
    require("ml")
    try:
        import lightgbm  # noqa: PLC0415 - of an extra
    except OSError as error:
        raise MissingExtra(
            f"LightGBM cannot be loaded: {first_line(error)}",
            hint="install OpenMP: `apt-get install libgomp1`, or `brew install libomp`",
        ) from error
    return lightgbm


def predicted(text: str, values: Matrix) -> Floats:
    """What the text of a head says of rows, uncorrected."""
    return np.asarray(booster(text).predict(values, num_threads=1), np.float64)


def booster(text: str) -> Any:
    """The text of a head, opened; those of the latest versions stay so.

    Raises:
        MissingExtra: LightGBM cannot be used.
    """
    return _opened(library(), text)


@lru_cache(KEPT)
def _opened(lightgbm: ModuleType, text: str) -> Any:
    return lightgbm.Booster(model_str=text)


def monotone(quantiles: Floats) -> Floats:
    """Quantiles in order of their levels, whatever heads that know nothing of each other say."""
    return np.sort(quantiles, axis=1)


def sized(settings: BoostingSettings, rows: int) -> BoostingSettings:
    """Settings for so many rows: of few, fewer and smaller leaves, which can still tell shelves apart."""
    return replace(
        settings,
        leaves=min(settings.leaves, max(FEWEST_LEAVES, rows // ROWS_A_LEAF)),
        least_rows=min(settings.least_rows, max(SMALLEST_LEAF, rows // LEAVES_OF_ROWS)),
    )


def parameters(name: str, settings: BoostingSettings) -> dict[str, Any]:
    """What LightGBM is told for a head, so that the same rows give the same bytes."""
    objective: dict[str, Any] = (
        {"objective": "tweedie", "tweedie_variance_power": settings.power}
        if name == MEAN
        else {"objective": "quantile", "alpha": ALPHAS[name]}
    )
    return {
        **objective,
        "num_leaves": settings.leaves,
        "min_data_in_leaf": settings.least_rows,
        "learning_rate": settings.rate,
        "feature_fraction": settings.columns_share,
        "lambda_l2": settings.ridge,
        "max_bin": 127,
        "seed": settings.seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "verbose": -1,
    }


@dataclass(frozen=True)
class _Lesson:
    """Rows to learn from, and what their columns are."""

    values: Matrix
    demand: Floats
    weight: Floats
    columns: Columns
    scale: Floats


@dataclass(frozen=True)
class _Trial:
    """Rows that decide how many trees a head keeps."""

    values: Matrix
    demand: Floats
    weight: Floats
    scale: Floats


@dataclass(frozen=True, order=True)
class _Head:
    """A head with some of its trees, and what it makes of the rows that decide."""

    loss: float
    trees: int
    shift: float
    forecast: Floats = field(compare=False)
    text: str = field(compare=False, default="")


def deciding(span: np.timedelta64) -> np.timedelta64:
    """Days whose rows decide instead of teaching: a month, and of a short history a part."""
    return min(MONTH, span // PART)


def _parted(rows: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Rows whose labels end before the deciding days begin, and the rows of these."""
    at = days(rows)
    end = at.max() + np.timedelta64(1, "D")
    begin = end - deciding(end - at.min())
    return kept(rows, last_label_days(rows) < begin), kept(rows, at >= begin)


def _taught(rows: pa.Table) -> Floats:
    """Weights of which none is above 1: rows of the tail stand for many, but would drown the others."""
    return np.minimum(weights(rows), 1.0)


def _lesson(rows: pa.Table, columns: Columns, settings: BoostingSettings, most: int) -> _Lesson:
    at = _sampled(rows, most, settings.seed)
    times = scale(settings.relative, rows)[at]
    return _Lesson(matrix(rows, columns, at), demand(rows)[at], _taught(rows)[at], columns, times)


def _sampled(rows: pa.Table, most: int, seed: int) -> Places:
    """Numbers of the rows of open stores, or of some of them in their order where they are too many."""
    at = np.flatnonzero(opened(rows))
    if len(at) > most:
        at = np.sort(np.random.default_rng(seed).choice(at, most, replace=False))
    return at


def _factors(
    settings: BoostingSettings, mean: Floats, trial: _Trial, rows: pa.Table
) -> Mapping[str, float]:
    if settings.correct == "nothing":
        return {"": 1.0}
    stores = texts(rows, STORE) if settings.correct == "store" else None
    return factors(mean, trial.demand, trial.weight, stores)


def _head(name: str, lesson: _Lesson, trial: _Trial, settings: BoostingSettings) -> _Head:
    """The head that forecasts the rows of the trial best."""
    booster = _grown(name, lesson, settings)
    best = min(_attempts(name, booster, trial, settings))
    text = booster.model_to_string(num_iteration=best.trees)
    return _Head(best.loss, best.trees, best.shift, best.forecast, text)


def _grown(name: str, lesson: _Lesson, settings: BoostingSettings) -> Any:
    lightgbm = library()
    labels = lesson.demand if name == MEAN else spread_out(lesson.demand, settings.seed)
    options = parameters(name, sized(settings, len(lesson.demand)))
    power = 2 - settings.power if name == MEAN else 1.0
    data = lightgbm.Dataset(
        lesson.values,
        labels / lesson.scale,
        weight=lesson.weight * lesson.scale**power,  # the loss of a multiple as that of its units
        feature_name=list(lesson.columns.names),
        categorical_feature=list(lesson.columns.categories),
        params=options,
    )
    return lightgbm.train(options, data, num_boost_round=settings.trees)


def _attempts(
    name: str, booster: Any, trial: _Trial, settings: BoostingSettings
) -> Iterator[_Head]:
    """The head with more and more of its trees."""
    raw = np.zeros(len(trial.demand))
    grown = booster.current_iteration()
    for begin in range(0, grown, settings.step):
        count = min(settings.step, grown - begin)
        raw = raw + booster.predict(trial.values, begin, count, raw_score=True, num_threads=1)
        if name == MEAN:
            forecast = np.exp(raw) * trial.scale
            yield _Head(_deviance(forecast, trial), begin + count, 0.0, forecast)
        else:
            forecast = raw * trial.scale
            best, loss = shift(forecast, trial.demand, trial.weight, ALPHAS[name])
            yield _Head(loss, begin + count, best, forecast)


def _deviance(mean: Floats, trial: _Trial) -> float:
    """Deviance of Poisson of a mean without bias, up to what no forecast changes."""
    factor = float(trial.weight @ trial.demand) / max(float(trial.weight @ mean), LEAST)
    corrected = np.maximum(mean * factor, LEAST)
    return float(trial.weight @ (corrected - trial.demand * np.log(corrected)))
