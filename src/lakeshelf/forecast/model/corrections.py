"""What the month before the forecast corrects: the mean by a factor, each quantile by a shift."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lakeshelf.forecast.frames import Floats
from lakeshelf.forecast.model.calibration import pinball

MOST = 1.5
"""No factor is larger, or smaller than 1 ÷ this: more is a fault of the rows, not of the forecast."""
DOUBT = 200.0
"""Units that a store must have sold for its own factor to count as much as that of all stores."""
LEAST = 1e-12
"""Nothing is divided by less."""
STEPS = np.linspace(-1.0, 1.0, 41)


def factors(
    mean: Floats, demand: Floats, weight: Floats, stores: npt.NDArray[Any] | None
) -> dict[str, float]:
    """What means are multiplied by: demand ÷ forecast of all rows under "", of a store under its id.

    Args:
        mean: Forecasts of the rows, uncorrected.
        demand: What came.
        weight: How much each row counts.
        stores: Stores of the rows, drawn towards the factor of all where they sell little; None: all alike.
    """
    everywhere = _bounded(float(weight @ demand) / max(float(weight @ mean), LEAST))
    corrections = {"": everywhere}
    for store in () if stores is None else np.unique(stores.astype(str)):
        at = stores == store
        units, expected = weight[at] @ demand[at], weight[at] @ mean[at]
        share = (units + DOUBT) / (expected * everywhere + DOUBT)
        corrections[str(store)] = _bounded(everywhere * share)
    return corrections


def spread_out(units: Floats, seed: int) -> Floats:
    """Whole units as numbers of [units, units + 1): their quantiles then move in small steps.

    Source: Machado and Santos Silva, Journal of the American Statistical Association 100 (2005).
    """
    return np.asarray(units + np.random.default_rng(seed).random(len(units)))


def in_whole_units(quantile: Floats, by: float) -> Floats:
    """Quantiles of units, from quantiles of what `spread_out` makes of them and their shift."""
    return np.asarray(np.maximum(np.ceil(quantile + by - 1), 0.0))


def shift(quantile: Floats, demand: Floats, weight: Floats, level: float) -> tuple[float, float]:
    """The shift of the least pinball loss, and the loss.

    Args:
        quantile: Forecasts of quantiles of spread-out units.
        demand: What came, in whole units.
        weight: How much each row counts.
        level: Level of the quantile.
    """
    losses = [weight @ pinball(in_whole_units(quantile, by), demand, level) for by in STEPS]
    best = min(range(len(STEPS)), key=lambda place: (losses[place], abs(STEPS[place])))
    return float(STEPS[best]), float(losses[best])


def _bounded(factor: float) -> float:
    return float(min(max(factor, 1 / MOST), MOST))
