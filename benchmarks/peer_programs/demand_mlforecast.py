"""What shelves will sell by mlforecast over LightGBM; its argument is the folder of what `ml_peers` hands over."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from lightgbm import LGBMRegressor
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean

from benchmarks.peer_programs.demand_files import asked, by_day, history, write

WEEKS = (7, 28, 91)
MEANS = [RollingMean(window_size=days, min_samples=1) for days in WEEKS]
MODEL = LGBMRegressor(objective="tweedie", random_state=1, n_jobs=1, verbosity=-1)


def main() -> None:
    """Learn from the days before the first row, then forecast day by day, without learning anew."""
    folder = Path(sys.argv[1])
    rows = asked(folder)
    units = history(folder, rows["feature_date"].max())
    forecast = MLForecast(
        models={"units": MODEL},
        freq="D",
        lags=[1, 7, 14, 28],
        lag_transforms={1: MEANS},
        date_features=["dayofweek"],
    )
    forecast.fit(units[units["ds"] < rows["feature_date"].min()], static_features=[])

    def sums(known: pd.DataFrame, days: int) -> pd.Series:
        return forecast.predict(h=days, new_df=known).groupby("unique_id")["units"].sum()

    write(folder, by_day(rows, units, sums))


if __name__ == "__main__":
    main()
