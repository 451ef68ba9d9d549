"""Drift compares like with like: the same customers a week later are green, others are red where they are."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.features import admitted, columns
from lakeshelf.forecast.demand.rows import features
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import Trained
from lakeshelf.forecast.inference import drifting
from lakeshelf.forecast.model.rows import STORE, matrix
from lakeshelf.forecast.versions import drift
from lakeshelf.forecast.versions.cards import Card
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.health import BOUNDS, DRIFT, Health
from lakeshelf.lake import Lake
from tests.forecast.demand.worlds import day, known, profile, sold

pytestmark = pytest.mark.slow  # a world of many shelves is made
STORES, ITEMS, DAYS = 2, 180, 130
SHELVES = [f"S{store}-I{item}" for store in range(STORES) for item in range(ITEMS)]
WEEKS = cutoffs(day(DAYS - 14), day(DAYS))["feature_date"].to_pylist()


@cache
def rows(times: int) -> pa.Table:
    """Features of two weeks of cutoff days; customers of S1 want so many times as much in the last of them."""
    random = np.random.default_rng(1)
    units = random.poisson(random.gamma(0.7, 0.6, len(SHELVES)), (DAYS, len(SHELVES)))
    units[-7:, ITEMS:] *= times
    places = zip(*(axis.tolist() for axis in np.nonzero(units)), strict=True)
    demand = [sold(SHELVES[shelf], n, int(units[n, shelf])) for n, shelf in places]
    world = known(demand=demand, shelves=[profile(shelf) for shelf in SHELVES])
    chosen = every(world.shelves, cutoffs(day(DAYS - 14), day(DAYS)))
    return pa.concat_tables(features(chosen, world))


def of_days(some: list[date], times: int = 1) -> pa.Table:
    table = rows(times)
    return table.filter(pc.is_in(table["feature_date"], pa.array(some, pa.date32())))


def trained() -> Version:
    """A version whose training ended with the first week."""
    week = of_days(WEEKS[: drift.DAYS])
    reads = columns(admitted(week))
    values = matrix(week, reads).astype(np.float64)
    known_ = drift.reference(values, week[STORE].to_pylist(), reads)
    return Version(cast("Card", None), "", Trained(reads, {}, {}), known_)


def test_the_same_customers_are_green_a_week_later() -> None:
    told = drifting.indices(trained(), of_days(WEEKS[-drift.DAYS :]))
    assert set(told) == {"", "S0", "S1"}
    assert all(set(of) <= drifting.DRIFTING for of in told.values())
    assert max(max(of.values()) for of in told.values()) < BOUNDS[DRIFT]


def test_other_customers_are_red_where_they_are() -> None:
    told = drifting.indices(trained(), of_days(WEEKS[-drift.DAYS :], times=8))
    assert {s for s, of in told.items() if of["units_sold_14d"] > BOUNDS[DRIFT]} == {"S1"}


def test_what_shelves_share_would_be_red_each_week() -> None:
    """Why it is left out."""
    version, week = trained(), of_days(WEEKS[-drift.DAYS :])
    values = matrix(week, version.trained.columns).astype(np.float64)
    of = drift.stability(
        version.reference, values, week[STORE].to_pylist(), version.trained.columns
    )
    assert of[""]["store_units_7d"] > BOUNDS[DRIFT]


class OneTable(Lake):
    """A lake whose features are in memory."""

    def __init__(self) -> None:
        super().__init__("nowhere")

    def read(self, name: str, *more: object, **chosen: object) -> pa.RecordBatchReader:
        ((_, _, days),) = cast("list[tuple[str, str, list[date]]]", chosen["where"])
        return of_days(days).to_reader()


@pytest.mark.parametrize("later", [0, 1])
def test_the_latest_three_cutoff_days_are_looked_at(later: int) -> None:
    until = WEEKS[-2].toordinal() + later
    seen = drifting.recent(OneTable(), date.fromordinal(until))
    assert sorted(set(seen["feature_date"].to_pylist())) == WEEKS[-4:-1]


def test_what_is_not_told_says_why() -> None:
    row = Health("v", day(0), "S1", DRIFT, None, 0.2, "unknown")
    assert drifting.unknown(row, ["S1"]) == "fewer than 500 rows of features on 3 cutoff days"
    assert drifting.unknown(row, ["S2"]) == "the training knew no shelf of the store"
    assert drifting.unknown(Health("v", day(0), "S1", DRIFT, 0.1, 0.2, "green"), []) is None
