"""Forecasts of a few shelves, as tests draw them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from lakeshelf.forecast.frames import LEVELS, Floats, Forecast
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import Outlook

ROWS = 4


@dataclass(frozen=True)
class Shelves:
    """What an outlook is made of."""

    forecast: Forecast
    horizon: Floats
    life: Floats
    price: Floats

    @property
    def outlook(self) -> Outlook:
        return Outlook.of(self.forecast, self.horizon, self.life, self.price)


def forecasts(most: int = 12) -> st.SearchStrategy[Forecast]:
    """Whole quantiles that never fall, and any mean."""
    rises = st.lists(st.integers(0, most), min_size=len(LEVELS), max_size=len(LEVELS))
    means = st.floats(0, 2 * most)
    rows = st.lists(st.tuples(means, rises), min_size=ROWS, max_size=ROWS)
    return rows.map(
        lambda drawn: Forecast(
            np.array([mean for mean, _ in drawn]),
            np.array([sorted(quantiles) for _, quantiles in drawn], dtype=np.float64),
        )
    )


def shelves(most: int = 12) -> st.SearchStrategy[Shelves]:
    """Shelves with goods of every life, also of none, and with prices down to 0."""
    lives = st.one_of(st.just(np.nan), st.integers(1, 40).map(float))
    prices = st.one_of(st.just(0.0), st.floats(0.1, 20))
    return st.builds(
        Shelves, forecasts(most), column(st.sampled_from([3.0, 4.0])), column(lives), column(prices)
    )


def column(values: st.SearchStrategy[float]) -> st.SearchStrategy[Floats]:
    return st.lists(values, min_size=ROWS, max_size=ROWS).map(np.array)


def by_level(
    position: Ints, level: Ints, lot: Ints, floor: Ints | int, pays_below: Floats | Ints
) -> Ints:
    """Units to order, in whole lots, as `wh-alert-engine` does by a level (docs/design/retail.md#levels).

    Args:
        position: Units that can serve the window.
        level: Units that are worth having; at least the floor is ordered up to.
        lot: Units of a lot, at least 1.
        floor: Fewest units, below which is never rounded down.
        pays_below: What `lot_level` says; NaN: unknown, so the nearer rounding is taken, of two the larger.
    """
    missing = np.maximum(np.maximum(level, floor) - position, 0)
    rest = missing % lot
    down = missing - rest
    pays = np.where(np.isnan(pays_below), 2 * rest >= lot, position + down < pays_below)
    return down + np.where((rest > 0) & (pays | (position + down < floor)), lot, 0)
