"""Why a forecast is what it is: what each feature adds to it (docs/design/forecasting.md#reasons)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from lakeshelf.forecast.frames import MEAN, Floats, Trained
from lakeshelf.forecast.model.boosted import library
from lakeshelf.forecast.model.rows import matrix

TOP = 5
"""Features that a prediction names."""


@dataclass(frozen=True)
class Contributions:
    """What features add to the logarithm of the mean, by exact tree SHAP.

    Attributes:
        names: Features, in the order of the model.
        values: A row a row and a column a feature.
        base: What the mean is without any, one a row; base + sum of a row = log(mean before corrections).
    """

    names: tuple[str, ...]
    values: Floats
    base: Floats


def contributions(trained: Trained, rows: pa.Table) -> Contributions:
    """What each feature adds to the mean that a version forecasts.

    It takes about a hundred times as long as the forecast.

    Raises:
        MissingExtra: LightGBM cannot be used.
    """
    booster = library().Booster(model_str=trained.heads[MEAN])
    values = matrix(rows, trained.columns)
    every = np.asarray(booster.predict(values, pred_contrib=True, num_threads=1), np.float64)
    return Contributions(trained.columns.names, every[:, :-1], every[:, -1])


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
