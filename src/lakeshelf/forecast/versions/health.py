"""Health of a version: what its forecasts were worth lately, a store and day, and what follows from it.

Pure functions. A day is red for a store when a metric is beyond its bound. Two red days in a row train a challenger;
seven, of metrics that say that orders suffer, hand the store back to the rule.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lakeshelf.forecast.frames import LEVELS, Floats, Forecast, head
from lakeshelf.forecast.versions.drift import EVERY_STORE

Verdict = Literal["green", "red", "unknown"]
Advice = Literal["none", "train", "rule"]
WINDOW_DAYS = 28
LEAST_ROWS = 400
"""Fewer rows tell no coverage: of 400 the standard error at 0.9 is 1.5 points, half of the bound."""
BIAS, PINBALL, DRIFT, AGE, FALLBACK = "bias_28d", "pinball_28d", "psi", "age_days", "fallback_share"
COVERED = (0.9, 0.95)
BOUNDS: Mapping[str, float] = MappingProxyType(
    {
        BIAS: 0.1,
        **{f"coverage_{head(level)}_28d": 0.03 for level in COVERED},
        PINBALL: 0.0,
        DRIFT: 0.2,
        AGE: 56.0,
        FALLBACK: 0.01,
    }
)
"""Metric → the largest value that is green; of bias and coverage, in either direction."""
TO_TRAIN_ONLY = frozenset({DRIFT, AGE})
"""Metrics that ask for a challenger, and say nothing of orders."""
TO_TRAIN_DAYS, TO_RULE_DAYS = 2, 7


@dataclass(frozen=True)
class Observed:
    """Forecasts of the last `WINDOW_DAYS`, one row a shelf and cutoff day, and what came of them.

    Attributes:
        stores: Store of each row.
        days: Cutoff day of each row, as `datetime64[D]`.
        forecast: What the version forecast; NaN where it fell back.
        baselines: Name → quantiles of the same rows, as in `Forecast`.
        demand: What came of it, in units; NaN where it is not known yet.
        weight: 0 where a stock-out hid what was wanted.
        is_dense: Whether the shelf sells often (13 or more lines in 91 days): quantiles of the others are mostly 0.
        fell_back: Whether the rule decided instead.
    """

    stores: npt.NDArray[np.str_]
    days: npt.NDArray[np.datetime64]
    forecast: Forecast
    baselines: Mapping[str, Floats]
    demand: Floats
    weight: Floats
    is_dense: npt.NDArray[np.bool_]
    fell_back: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Health:
    """A row of `ops/model_health`.

    Attributes:
        model_version: The version.
        day: Business day.
        store_id: Store, or "" for all of them.
        metric: A name of `BOUNDS`.
        value: What was measured; None: too little is known.
        bound: Beyond it the verdict is red.
        verdict: Green, red or unknown.
    """

    model_version: str
    day: date
    store_id: str
    metric: str
    value: float | None
    bound: float
    verdict: Verdict

    def row(self) -> dict[str, Any]:
        """The row, by column."""
        return asdict(self)


def measured(
    version: str,
    trained_until: date,
    day: date,
    observed: Observed,
    indices: Mapping[str, Mapping[str, float]],
) -> list[Health]:
    """The health of a version on a day, of every store and of all together.

    Args:
        version: The version.
        trained_until: Last day that it was trained on.
        day: The day.
        observed: What came of its forecasts.
        indices: Store → feature → index of `drift.stability`, without features that follow the calendar.
    """
    rows = []
    for store in (EVERY_STORE, *map(str, np.unique(observed.stores))):
        of = np.ones(len(observed.stores), bool) if not store else observed.stores == store
        values = {
            **_scores(observed, of),
            DRIFT: max(indices.get(store, {}).values(), default=None),
            AGE: float((day - trained_until).days),
            FALLBACK: _fallback(observed, of),
        }
        rows += [_health(version, day, store, metric, values[metric]) for metric in BOUNDS]
    return rows


def fallen(version: str, day: date) -> Health:
    """Health of a version that predicted nothing: the rule decides for all shelves."""
    return _health(version, day, EVERY_STORE, FALLBACK, 1.0)


def advice(rows: Iterable[Health], day: date) -> dict[str, Advice]:
    """What follows from the health of one version, a store.

    Args:
        rows: Rows of the last `TO_RULE_DAYS` at least.
        day: The last of these days; a day without rows ends a row of red ones.
    """
    known = tuple(rows)
    red = _red_days(known)
    hurting = _red_days(one for one in known if one.metric not in TO_TRAIN_ONLY)
    stores = {one.store_id for one in known}
    return {
        store: _advice(red.get(store, set()), hurting.get(store, set()), day) for store in stores
    }


def asks_for_another(rows: Iterable[Health], trained: date | None, day: date) -> bool:
    """Whether a store has been red for `TO_TRAIN_DAYS` days, in a row that began after the latest training.

    Args:
        rows: Rows of one version, from the day of that training on.
        trained: Its day; None: there was none.
        day: The last of the days.
    """
    before = None if trained is None else (day - trained).days
    lengths = (streak(days, day) for days in _red_days(rows).values())
    return any(n >= TO_TRAIN_DAYS and (before is None or n <= before) for n in lengths)


def _red_days(rows: Iterable[Health]) -> dict[str, set[date]]:
    """Store → days on which a metric is red."""
    days: dict[str, set[date]] = {}
    for one in rows:
        if one.verdict == "red":
            days.setdefault(one.store_id, set()).add(one.day)
    return days


def _advice(red: set[date], hurting: set[date], day: date) -> Advice:
    if streak(hurting, day) >= TO_RULE_DAYS:
        return "rule"
    return "train" if streak(red, day) >= TO_TRAIN_DAYS else "none"


def streak(days: set[date], last: date) -> int:
    """How many days in a row, up to the last, are among some."""
    count = 0
    while last - timedelta(days=count) in days:
        count += 1
    return count


def _health(version: str, day: date, store: str, metric: str, value: float | None) -> Health:
    bound = BOUNDS[metric]
    verdict: Verdict = "unknown" if value is None else "red" if _beyond(metric, value) else "green"
    return Health(version, day, store, metric, value, bound, verdict)


def _beyond(metric: str, value: float) -> bool:
    is_signed = metric in (PINBALL, AGE)
    return (value if is_signed else abs(value)) > BOUNDS[metric]


def _scores(observed: Observed, of: npt.NDArray[np.bool_]) -> dict[str, float | None]:
    """Metrics of rows whose demand is known, was not hidden, and that the version forecast itself."""
    scored = of & ~observed.fell_back & np.isfinite(observed.demand) & (observed.weight > 0)
    dense = scored & observed.is_dense
    coverages = {
        f"coverage_{head(level)}_28d": _coverage(observed, dense, level) for level in COVERED
    }
    return {BIAS: _bias(observed, scored), **coverages, PINBALL: _pinball(observed, scored)}


def _bias(observed: Observed, rows: npt.NDArray[np.bool_]) -> float | None:
    """Share that forecasts are above demand; None without demand."""
    weight, demand = observed.weight[rows], observed.demand[rows]
    units = float(np.sum(weight * demand))
    return float(np.sum(weight * observed.forecast.mean[rows])) / units - 1 if units else None


def _coverage(observed: Observed, rows: npt.NDArray[np.bool_], level: float) -> float | None:
    """How far the share of demand within a quantile is above its level."""
    if np.count_nonzero(rows) < LEAST_ROWS:
        return None
    within = observed.demand[rows] <= observed.forecast.quantiles[rows, LEVELS.index(level)]
    return float(np.average(within, weights=observed.weight[rows])) - level


def _pinball(observed: Observed, rows: npt.NDArray[np.bool_]) -> float | None:
    """Pinball loss of quantiles 0.9 to 0.98 above that of the best baseline, as a share of it."""
    if not observed.baselines or not rows.any():
        return None
    losses = {name: _loss(of, observed, rows) for name, of in observed.baselines.items()}
    best = min(losses.values())
    own = _loss(observed.forecast.quantiles, observed, rows)
    return own / best - 1 if best else None


def _loss(quantiles: Floats, observed: Observed, rows: npt.NDArray[np.bool_]) -> float:
    levels: Sequence[int] = [i for i, level in enumerate(LEVELS) if 0.9 <= level <= 0.98]
    above = observed.demand[rows, None] - quantiles[rows][:, levels]
    shares = np.array(LEVELS)[levels]
    loss = np.maximum(shares * above, (shares - 1) * above).mean(axis=1)
    return float(np.average(loss, weights=observed.weight[rows]))


def _fallback(observed: Observed, of: npt.NDArray[np.bool_]) -> float | None:
    """Share of shelves on the last cutoff day for which the rule decided instead."""
    if not of.any():
        return None
    last = of & (observed.days == observed.days[of].max())
    return float(np.mean(observed.fell_back[last]))
