"""Rows of shelves that sell at rates of their own: what a model can learn is known."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow as pa

FIRST = date(2017, 1, 1)
HORIZONS = {6: 3, 1: 3, 3: 4}
NUMERIC = ("horizon_days", "units_sold_28d", "units_sold_91d", "weekday", "store_units_7d")
CATEGORIES = ("store_id", "category")


def days(weeks: int) -> list[date]:
    """Cutoff days."""
    every = (FIRST + timedelta(n) for n in range(7 * weeks))
    return [day for day in every if day.weekday() in HORIZONS]


def rows(weeks: int = 30, shelves: int = 60, seed: int = 1) -> pa.Table:
    """Rows with features that say the rate of a shelf, less well than its category does on top of them."""
    random = np.random.default_rng(seed)
    cutoffs = days(weeks)
    rate = random.gamma(0.5, 1.0, shelves)
    category = random.integers(0, 3, shelves)
    shelf, day = (x.ravel() for x in np.meshgrid(range(shelves), range(len(cutoffs))))
    order = np.lexsort((shelf, day))
    shelf, day = shelf[order], day[order]
    length = np.array([HORIZONS[d.weekday()] for d in cutoffs])[day]
    daily = rate[shelf] * np.array([0.5, 1.0, 2.0])[category[shelf]]
    return pa.table(
        {
            "shelf_id": [f"H{n:04}" for n in shelf],
            "feature_date": pa.array([cutoffs[n] for n in day], pa.date32()),
            "store_id": [f"S{n % 4}" for n in shelf],
            "category": [None if n % 9 == 8 else "abc"[category[n]] for n in shelf],
            "horizon_days": length,
            "units_sold_28d": random.poisson(rate[shelf] * 28).astype(float),
            "units_sold_91d": random.poisson(rate[shelf] * 91).astype(float),
            "store_units_7d": np.full(len(shelf), 100),
            "lines_91d": random.poisson(rate[shelf] * 91),
            "item_units_91d": random.poisson(rate[shelf] * 91),
            "subcategory": [f"kind {n % 3}" for n in shelf],
            "weekday": [cutoffs[n].weekday() for n in day],
            "last_window": random.poisson(daily * length).astype(float),
            "seasonal_naive": random.poisson(daily * length).astype(float),
            "sale_size": np.ones(len(shelf)),
            "sale_interval": 1 / rate[shelf],
            "sba": 0.95 * rate[shelf],
            "tsb": rate[shelf],
            "demand": random.poisson(daily * length).astype(float),
            "weight": np.ones(len(shelf)),
        }
    )


def segments(table: pa.Table) -> dict[str, np.ndarray]:
    """Rows of two segments that gates look at."""
    units = table["units_sold_91d"].to_numpy()
    return {"active": units >= 2, "13+ lines": units >= 60}
