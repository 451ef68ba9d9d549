"""How good forecasts were: each metric is declared once, and scored by segment and by store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.frames import KEY, LEVELS, Floats, Forecast, head
from lakeshelf.forecast.model.baselines import LAST_WINDOW
from lakeshelf.forecast.model.calibration import DECIDING, LEAST_MEAN, pinball
from lakeshelf.forecast.model.rows import STORE, Mask, demand, numbers, texts, weights

SCORES = arrow.schema(CATALOG.tables[Ops.MODEL_SCORES].columns)
"""Columns of `ops/model_scores`."""
PINBALL, DEVIANCE, BIAS = "pinball", "deviance", "bias"
Segments = Mapping[str, Mask]


@dataclass(frozen=True)
class JudgedForecasts:
    """Forecasts with what came, one a row.

    Args:
        mean: Forecast mean.
        quantiles: Forecast quantiles, a column a level.
        demand: Units that were wanted.
        weight: How much each row counts.
        naive: Units of the window before, the error of which is the unit of MASE and WRMSSE; NaN: unknown.
        shelf: Numbers of the shelves.
    """

    mean: Floats
    quantiles: Floats
    demand: Floats
    weight: Floats
    naive: Floats
    shelf: npt.NDArray[np.int64]

    def of(self, mask: Mask) -> JudgedForecasts:
        """Some of the rows."""
        return JudgedForecasts(*(getattr(self, name)[mask] for name in self.__dataclass_fields__))


def judged(rows: pa.Table, forecast: Forecast) -> JudgedForecasts:
    """Forecasts beside the labels of their rows."""
    known = LAST_WINDOW in rows.column_names
    naive = numbers(rows, LAST_WINDOW) if known else np.full(rows.num_rows, np.nan)
    shelf = rows[KEY[0]].combine_chunks().dictionary_encode().indices.to_numpy()
    return JudgedForecasts(
        forecast.mean,
        forecast.quantiles,
        demand(rows),
        weights(rows),
        naive,
        shelf.astype(np.int64),
    )


def deviances(rows: JudgedForecasts) -> Floats:
    """Deviance of Poisson, one a row."""
    mean = np.maximum(rows.mean, LEAST_MEAN)
    ratio = np.where(rows.demand > 0, rows.demand, mean) / mean
    return np.asarray(2 * (rows.demand * np.log(ratio) - rows.demand + mean))


def losses(rows: JudgedForecasts, levels: tuple[float, ...] = DECIDING) -> Floats:
    """Pinball loss, one a row, mean of some levels."""
    columns = [pinball(rows.quantiles[:, LEVELS.index(x)], rows.demand, x) for x in levels]
    return np.asarray(np.mean(columns, axis=0))


def _deviance(rows: JudgedForecasts) -> float:
    return _mean(deviances(rows), rows.weight)


def _pinball(rows: JudgedForecasts, levels: tuple[float, ...] = DECIDING) -> float:
    return _mean(losses(rows, levels), rows.weight)


def _coverage(rows: JudgedForecasts, level: float) -> float:
    covered = rows.demand <= rows.quantiles[:, LEVELS.index(level)]
    return _mean(covered.astype(float), rows.weight)


def _below(rows: JudgedForecasts, level: float) -> float:
    below = rows.demand < rows.quantiles[:, LEVELS.index(level)]
    return _mean(below.astype(float), rows.weight)


def _bias(rows: JudgedForecasts) -> float:
    return _ratio(rows.weight @ (rows.mean - rows.demand), rows.weight @ rows.demand)


def _rmse(rows: JudgedForecasts) -> float:
    return float(np.sqrt(_mean((rows.demand - rows.mean) ** 2, rows.weight)))


def _wape(rows: JudgedForecasts) -> float:
    return _ratio(rows.weight @ np.abs(rows.demand - rows.mean), rows.weight @ rows.demand)


def _mase(rows: JudgedForecasts) -> float:
    errors, naive = (np.abs(rows.demand - x) for x in (rows.mean, rows.naive))
    return _ratio(rows.weight @ errors, rows.weight @ naive)


def _wrmsse(rows: JudgedForecasts) -> float:
    """Root mean squared scaled errors of shelves, weighted by what they sold; shelves without a scale are left out."""
    total = partial(np.bincount, rows.shelf)
    squares, naive, units = (
        total(rows.weight * x)
        for x in ((rows.demand - rows.mean) ** 2, (rows.demand - rows.naive) ** 2, rows.demand)
    )
    scaled = naive > 0
    return _ratio(units[scaled] @ np.sqrt(squares[scaled] / naive[scaled]), units[scaled].sum())


def _mean(values: Floats, weight: Floats) -> float:
    return _ratio(weight @ values, weight.sum())


def _ratio(part: Any, whole: Any) -> float:
    return float(part / whole) if whole > 0 else float("nan")


METRICS: Mapping[str, Callable[[JudgedForecasts], float]] = MappingProxyType(
    {
        DEVIANCE: _deviance,
        PINBALL: _pinball,
        **{f"pinball_{head(x)}": partial(_pinball, levels=(x,)) for x in LEVELS},
        **{f"coverage_{head(x)}": partial(_coverage, level=x) for x in LEVELS},
        **{f"below_{head(x)}": partial(_below, level=x) for x in LEVELS},
        BIAS: _bias,
        "rmse": _rmse,
        "wape": _wape,
        "mase": _mase,
        "wrmsse": _wrmsse,
    }
)
"""Metric → value over rows; `pinball` is the mean of the levels 0.9 to 0.98.

`coverage` is the share of demand up to a quantile, `below` that below it: of whole units even the true quantile covers
more than its level, so the level should lie between the two. The last three decide nothing.
"""


def store_segments(rows: pa.Table) -> dict[str, Mask]:
    """A segment for each store, named `store:` and its id."""
    stores = texts(rows, STORE)
    return {
        f"store:{store}": np.asarray(stores == store) for store in np.unique(stores.astype(str))
    }


def scored(
    rows: JudgedForecasts, segments: Segments, *, fold: date, contender: str, version: str
) -> Iterator[dict[str, Any]]:
    """Rows of `ops/model_scores`: every metric of every segment that has rows.

    Args:
        rows: Forecasts with what came.
        segments: Name → which rows are in it.
        fold: First day of the fold's test.
        contender: Who made the forecasts.
        version: Version of the model that is tried.
    """
    for segment, mask in segments.items():
        part = rows.of(mask)
        if len(part.demand):
            for metric, value in METRICS.items():
                yield {
                    "model_version": version,
                    "fold": fold,
                    "segment": segment,
                    "metric": metric,
                    "contender": contender,
                    "value": value(part),
                    "rows": len(part.demand),
                }
