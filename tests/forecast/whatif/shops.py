"""A history of a few stores, as tests replay it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa

from lakeshelf.forecast.frames import LEVELS, Forecast
from lakeshelf.forecast.orders.economics import Outlook
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import outlook
from lakeshelf.forecast.whatif.steps import ReplaySteps

FIRST = date(2017, 10, 15)


def history(shelves: int = 60, days: int = 28, stores: int = 6, seed: int = 3) -> DemandHistory:
    """Shelves of several stores and two categories, with fresh and lasting goods."""
    rng = np.random.default_rng(seed)
    numbers = np.arange(shelves)
    goods = Goods(
        np.array([f"S{n}" for n in numbers], dtype=object),
        np.array([f"store {n % stores}" for n in numbers], dtype=object),
        np.where(numbers % 2 == 0, "dairy", "tins").astype(object),
        rng.uniform(0.5, 6, shelves),
        np.where(numbers % 2 == 0, 5.0, np.nan),
        rng.integers(1, 4, shelves),
        rng.integers(4, 16, shelves),
    )
    units = rng.poisson(rng.uniform(0.05, 2, shelves), (days, shelves))
    return DemandHistory(
        goods, ReplaySteps.of_days(FIRST, days), units, np.zeros(shelves, np.int64)
    )


def outlooks(past: DemandHistory) -> list[Outlook]:
    """What a forecast promises that knows the mean of each shelf."""
    mean = past.units.mean(axis=0)
    return [
        outlook(past.goods, cutoff, Forecast(mean * days, quantiles(mean * days)))
        for cutoff in past.steps.cutoffs
        for days in [cutoff.until - cutoff.day]
    ]


def quantiles(mean: np.ndarray) -> np.ndarray:
    draws = np.random.default_rng(0).poisson(mean, (400, len(mean)))
    return np.quantile(draws, LEVELS, axis=0).T.round()


def profiles(past: DemandHistory) -> pa.Table:
    """Its goods as rows of `curated/shelf_profiles`."""
    goods = past.goods
    return pa.table(
        {
            "shelf_id": goods.shelf_id,
            "store_id": goods.store_id,
            "category": goods.category,
            "unit_price": goods.price,
            "shelf_life_days": pa.array(goods.life, from_pandas=True),
            "standard_batch_size": goods.batch,
            "max_stock": goods.max_stock,
        }
    )
