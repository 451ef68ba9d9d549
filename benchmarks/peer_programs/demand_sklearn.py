"""What shelves will sell by trees of scikit-learn; its argument is the folder of what `ml_peers` hands over."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from benchmarks.peer_programs.demand_files import KEY, write


def main() -> None:
    """Learn from rows of features, and forecast those that are asked for."""
    folder = Path(sys.argv[1])
    train, test = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    features = [name for name in test.columns if name not in KEY]
    model = HistGradientBoostingRegressor(
        loss="poisson", categorical_features="from_dtype", random_state=1
    )
    model.fit(train[features], train["demand"], sample_weight=train["weight"])
    write(folder, test[KEY].assign(mean=model.predict(test[features])))


if __name__ == "__main__":
    main()
