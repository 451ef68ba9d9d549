"""What shelves will sell by IMAPA of statsforecast; its argument is the folder of what `ml_peers` hands over."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import IMAPA

from benchmarks.peer_programs.demand_files import asked, by_day, history, write


def sums(units: pd.DataFrame, days: int) -> pd.Series:
    """Units of the next days, each series by itself."""
    forecasts = StatsForecast(models=[IMAPA()], freq="D").forecast(h=days, df=units)
    return forecasts.groupby("unique_id")["IMAPA"].sum()


def main() -> None:
    """Forecast the rows that are asked for."""
    folder = Path(sys.argv[1])
    rows = asked(folder)
    units = history(folder, rows["feature_date"].max())
    write(folder, by_day(rows, units, sums))


if __name__ == "__main__":
    main()
