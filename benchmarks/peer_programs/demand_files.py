"""What the programs of forecasts share: the rows that are asked for, units by day, and where forecasts go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from utilsforecast.preprocessing import fill_gaps

KEY = ["shelf_id", "feature_date"]
ONE_DAY = pd.Timedelta(days=1)
Sums = Callable[[pd.DataFrame, int], pd.Series]
"""Units of each series up to a day, and the days to forecast → units of each series in them."""


def asked(folder: Path) -> pd.DataFrame:
    """Shelf, day D and length of the window of each row that is to be forecast."""
    rows = pd.read_parquet(folder / "test.parquet", columns=[*KEY, "horizon_days"])
    rows["feature_date"] = pd.to_datetime(rows["feature_date"])
    return rows


def history(folder: Path, until: pd.Timestamp) -> pd.DataFrame:
    """Units of each series and day, from its first sale to the day before `until`."""
    daily = pd.read_parquet(folder / "daily.parquet")
    whole = fill_gaps(daily[daily["ds"] < until], freq="D", end=until - ONE_DAY)
    return whole.fillna({"y": 0.0})


def by_day(rows: pd.DataFrame, units: pd.DataFrame, sums: Sums) -> pd.DataFrame:
    """Forecasts of rows, each from what was known when its day began."""
    parts = []
    for (day, days), its in rows.groupby(["feature_date", "horizon_days"]):
        said = sums(units[units["ds"] < day], int(days))
        parts.append(its[KEY].assign(mean=its["shelf_id"].map(said)))
    return pd.concat(parts)


def write(folder: Path, forecasts: pd.DataFrame) -> None:
    """Hand forecasts over: key and mean."""
    forecasts.to_parquet(folder / "forecasts.parquet", index=False)
