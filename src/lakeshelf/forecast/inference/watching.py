"""What came of the predictions of the last weeks, for the health of a version (docs/design/forecasting.md#health)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.labels import SETTLED_DAYS
from lakeshelf.forecast.demand.segments import SEGMENTS
from lakeshelf.forecast.frames import DEMAND, HORIZON, KEY, LEVELS, WEIGHT, Floats, Forecast
from lakeshelf.forecast.model.baselines import BASELINES, Baseline
from lakeshelf.forecast.model.rows import days, kept, numbers, texts
from lakeshelf.forecast.versions.health import WINDOW_DAYS, Observed

SCORED = timedelta(days=WINDOW_DAYS + max(windows.lengths()) + SETTLED_DAYS)
"""Before a day, within which the windows begin whose demand of `WINDOW_DAYS` is known."""
CALIBRATED = timedelta(days=WINDOW_DAYS)
"""Before these, on which baselines are calibrated."""
DENSE = SEGMENTS["13+ lines"][0]
SQL = """
SELECT r.*, l.demand, l.weight, p.mean_units, p.quantiles
FROM rows AS r LEFT JOIN labels AS l USING (shelf_id, feature_date)
LEFT JOIN predictions AS p USING (shelf_id, feature_date)
ORDER BY r.feature_date, r.shelf_id
"""


@dataclass(frozen=True)
class WatchedDays:
    """Cutoff days before a day, and what a version said of them.

    Args:
        rows: Features of the active shelves, from `since(day)` on.
        labels: `shelf_id`, `feature_date`, `demand`, `weight` of those whose demand is known.
        predictions: Rows of `curated/predictions` of one version.
    """

    rows: pa.Table
    labels: pa.Table
    predictions: pa.Table


def since(day: date) -> date:
    """First day that is looked at, to tell how a version does on a day."""
    return day - SCORED - CALIBRATED


def observed(day: date, watched: WatchedDays, bounds: EngineBounds = BOUNDS) -> Observed:
    """What came of a version's forecasts of active shelves, beside baselines that were calibrated before.

    A shelf of which the version said nothing fell back to the rule. Days before its first prediction are not its own.

    Args:
        day: The day.
        watched: What there was.
        bounds: Memory and threads.
    """
    with engine(vars(watched), bounds) as connection:
        table = connection.execute(SQL).to_arrow_table()
    begin = np.datetime64(day - SCORED, "D")
    before = kept(table, (days(table) < begin) & np.isfinite(numbers(table, DEMAND)))
    own = kept(table, days(table) >= max(begin, _first(watched.predictions, begin)))
    return Observed(
        stores=texts(own, "store_id").astype(str),
        days=days(own),
        forecast=Forecast(numbers(own, "mean_units"), _quantiles(own)),
        baselines=dict(_baselines(before, own)),
        demand=numbers(own, DEMAND),
        weight=np.nan_to_num(numbers(own, WEIGHT)),
        is_dense=numbers(own, "lines_91d") >= DENSE,
        fell_back=np.isnan(numbers(own, "mean_units")),
    )


def _first(predictions: pa.Table, begin: np.datetime64) -> np.datetime64:
    first = pc.min(predictions[KEY[1]]).as_py()
    return begin if first is None else np.datetime64(first, "D")


def _quantiles(rows: pa.Table) -> Floats:
    nothing = [np.nan] * len(LEVELS)
    every = [
        nothing if text is None else list(orjson.loads(text).values())
        for text in rows["quantiles"].to_pylist()
    ]
    return np.array(every, np.float64).reshape(rows.num_rows, len(LEVELS))


def _baselines(before: pa.Table, own: pa.Table) -> Iterator[tuple[str, Floats]]:
    """Quantiles of the baselines that features tell, calibrated on the month before; none without it."""
    if before.num_rows:
        for baseline in filter(_is_told, BASELINES):
            yield baseline.name, baseline.fit(before)(own).quantiles


def _is_told(baseline: Baseline) -> bool:
    columns = {c for c in (baseline.column, baseline.over) if isinstance(c, str) and c}
    return columns <= set(SCHEMA.names) | {HORIZON}
