"""Why a forecast is what it is: what each feature adds to it (docs/design/forecasting.md#reasons)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from lakeshelf.forecast.demand.engine import BOUNDS
from lakeshelf.forecast.frames import MEAN, Floats, Trained
from lakeshelf.forecast.model.boosted import booster, corrections, scales
from lakeshelf.forecast.model.rows import distinct, matrix

TOP = 5
"""Features that a prediction names."""


@dataclass(frozen=True)
class Contributions:
    """What features add to the logarithm of the mean, by exact tree SHAP.

    Attributes:
        names: Features, in the order of the model.
        values: A row a row and a column a feature.
        base: The same of what the mean is without any, one a row; base + sum of a row = log(mean before corrections).
    """

    names: tuple[str, ...]
    values: Floats
    base: Floats


def contributions(trained: Trained, rows: pa.Table) -> Contributions:
    """What each feature adds to the mean that a version forecasts.

    It takes about a hundred times as long as the forecast, so rows that a model cannot tell apart are asked once.

    Raises:
        MissingExtra: LightGBM cannot be used.
    """
    few, places = distinct(matrix(rows, trained.columns))
    said = booster(trained.heads[MEAN]).predict(few, pred_contrib=True, num_threads=BOUNDS.threads)
    every = np.asarray(said, np.float64)[places]
    return Contributions(
        trained.columns.names, every[:, :-1], every[:, -1] + np.log(scales(trained, rows))
    )


@dataclass(frozen=True)
class Contribution:
    """What a feature makes of a forecast.

    Attributes:
        name: The feature; `OTHERS` and `CORRECTION` are those that are not named, and what the latest weeks corrected.
        value: Its value.
        factor: What the mean is multiplied by because of it.
        units: What that adds to the mean, after the parts before it.
    """

    name: str
    value: Any
    factor: float
    units: float


@dataclass(frozen=True)
class Parts:
    """A mean, part by part: the base times all factors, and the base plus all units, is the mean.

    Attributes:
        base: What the mean is without any feature, in units.
        parts: The features that say most, the others, the correction.
    """

    base: float
    parts: tuple[Contribution, ...]

    @property
    def mean(self) -> float:
        """What the parts add up to."""
        return self.base + sum(part.units for part in self.parts)


OTHERS, CORRECTION = "other features", "correction"


def parts(trained: Trained, row: pa.Table, count: int = TOP) -> Parts:
    """The mean that a version forecasts of a row, part by part.

    Raises:
        MissingExtra: LightGBM cannot be used.
    """
    of = contributions(trained, row)
    (shares,), base = of.values, float(np.exp(of.base[0]))
    order = np.argsort(-np.abs(shares), kind="stable")
    named = [(of.names[n], row[of.names[n]][0].as_py(), shares[n]) for n in order[:count]]
    others = (OTHERS, None, shares[order[count:]].sum())
    factors = [(name, value, float(np.exp(share))) for name, value, share in (*named, others)]
    factors.append((CORRECTION, None, float(corrections(trained, row)[0])))
    return Parts(base, tuple(_running(base, factors)))


def _running(base: float, factors: Iterable[tuple[str, Any, float]]) -> Iterator[Contribution]:
    mean = base
    for name, value, factor in factors:
        yield Contribution(name, value, factor, mean * (factor - 1))
        mean *= factor


def top(trained: Trained, rows: pa.Table, count: int = TOP) -> list[str]:
    """The features that add or take away most, a JSON list a row: `feature`, `value`, `factor`.

    `factor` is what the mean is multiplied by because of the feature; 1.0: nothing.
    """
    if not rows.num_rows:
        return []
    of = contributions(trained, rows)
    places = np.argsort(-np.abs(of.values), axis=1, kind="stable")[:, :count]
    columns = {name: rows[name].to_pylist() for name in of.names}
    return [
        orjson.dumps([_reason(of, columns, row, place) for place in best]).decode()
        for row, best in enumerate(places)
    ]


def _reason(
    of: Contributions, columns: dict[str, Sequence[Any]], row: int, place: int
) -> dict[str, Any]:
    name = of.names[place]
    factor = round(float(np.exp(of.values[row, place])), 4)
    return {"feature": name, "value": columns[name][row], "factor": factor}
