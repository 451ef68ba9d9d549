"""What versions of the model say of the cutoff days of a replay (docs/design/forecasting.md#what-if)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.layers import Curated
from lakeshelf.counts import count_of
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.demand.segments import LINES, segment
from lakeshelf.forecast.frames import HORIZON, KEY, LEVELS, Forecast
from lakeshelf.forecast.inference.predictions import PEAK, predicted
from lakeshelf.forecast.inference.shelves import OrderTerms
from lakeshelf.forecast.model.boosted import Predictor
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.registry import Model, Registry
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import RulePlanner, StockHeld, StockPolicy, position_of
from lakeshelf.lake import Lake
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.shop.cutoffs import DAY

KEPT = [KEY[1], HORIZON, PEAK, LINES]
Progress = Callable[[str, int, int], None]
"""Is told a step, how much of it is done, and how much there is."""


@dataclass(frozen=True)
class Foretold:
    """What a version says of a cutoff day.

    Args:
        rows: Of the features of the day those that orders ask for (`KEPT`), of shelves that a model may order for.
        place: Number of the shelf of each row.
        forecast: What the version forecasts of them; nothing of the tail where no shelf may be empty, since its level
            is the floor then, whatever the forecast.
    """

    rows: pa.Table
    place: Ints
    forecast: Forecast

    def take(self, at: Ints) -> Foretold:
        """The same of some rows, by number."""
        forecast = Forecast(self.forecast.mean[at], self.forecast.quantiles[at])
        return Foretold(self.rows.take(pa.array(at)), self.place[at], forecast)


@dataclass(frozen=True)
class Forecasts:
    """What versions say of the cutoff days of a history.

    Args:
        days: An entry a cutoff; None: no features of that day are stored, so the rule decides.
        versions: The versions that say it.
        learned: Cutoff days whose version had learned from days after them.
    """

    days: tuple[Foretold | None, ...]
    versions: tuple[str, ...]
    learned: int

    @property
    def known(self) -> int:
        """Cutoff days that a version says something of."""
        return sum(day is not None for day in self.days)


@dataclass(frozen=True)
class ModelPlanner:
    """Orders of a running shop: levels of a model where the policy says so and there is one, else by the rule.

    Args:
        policy: The policy.
        goods: The goods.
        days: What a version says, one a cutoff.
    """

    policy: StockPolicy
    goods: Goods
    days: tuple[Foretold | None, ...]

    def order(self, cutoff: int, held: StockHeld) -> Ints:
        """See `Planner`."""
        units = RulePlanner(self.policy, self.goods.batch).order(cutoff, held)
        day = self.days[cutoff] if cutoff < len(self.days) else None
        if day is None:
            return units
        by_model = np.broadcast_to(self.policy.by_model, units.shape)
        asked = day.take(np.flatnonzero(by_model[day.place]))
        if len(asked.place):
            said = predicted(asked.rows, asked.forecast, self._terms(asked.place, held))
            units[asked.place] = np.where(said.usable, said.order, units[asked.place])
        return units

    def _terms(self, place: Ints, held: StockHeld) -> OrderTerms:
        policy, goods, shape = self.policy, self.goods, held.room.shape
        asked: Mapping[str, Any] = {
            "unit_price": goods.price,
            "shelf_life_days": goods.life,
            "service_level": np.asarray(policy.service_level, np.float64),
            "lot": goods.batch * policy.batch_multiplier,
            "min_qty": policy.min_qty,
            "position": position_of(held),
            "allow_zero": policy.allow_zero,
        }
        return OrderTerms(**{n: np.broadcast_to(value, shape)[place] for n, value in asked.items()})


def read(
    root: Place, history: DemandHistory, sides: Collection[StockPolicy], progress: Progress
) -> Forecasts | None:
    """What versions say of the cutoff days of a history, of shelves for which one of some policies lets a model decide.

    Of a day the newest version speaks that had learned from no day since; where there is none, the champion, or the
    newest. A refused version says nothing.

    Args:
        root: Lake root.
        history: The history.
        sides: The policies.
        progress: Is told how far it is.

    Returns:
        None: no policy lets a model decide, or the lake has no version.

    Raises:
        VersionDamaged: The files of a version are not those that were registered.
        MissingExtra: LightGBM cannot be used.
    """
    asked = _asked(history, sides)
    lake = Lake(root)
    registry = registered.read(lake).registry
    if not asked.size or not _sound(registry):
        return None
    predictor = cache(lambda name: Predictor(registered.version(lake, name).trained))
    shelves = pa.array(history.goods.shelf_id[asked], pa.string())
    stores = tuple({*history.goods.store_id[asked]})
    whole = any(np.any(side.allow_zero) for side in sides)
    days: list[Foretold | None] = []
    models: dict[date, Model] = {}
    for number, cutoff in enumerate(history.steps.cutoffs):
        progress("forecast", number, len(history.steps.cutoffs))
        day = history.steps.first + cutoff.day * DAY
        rows, place = _rows(root, day, stores, shelves)
        if rows.num_rows:
            models[day] = _speaker(registry, day)
            forecast = _forecast(rows, predictor(models[day].model_version), whole)
        kept = rows.select(KEPT)
        days.append(Foretold(kept, asked[place], forecast) if rows.num_rows else None)
    return Forecasts(
        tuple(days),
        tuple(sorted({model.model_version for model in models.values()})),
        sum(model.trained_until >= day for day, model in models.items()),
    )


def _asked(history: DemandHistory, sides: Collection[StockPolicy]) -> Ints:
    """Numbers of the shelves that a model may order for."""
    shape = history.goods.shelf_id.shape
    masks = [np.broadcast_to(side.by_model, shape) for side in sides]
    return np.flatnonzero(np.any(masks, axis=0))


def _sound(registry: Registry) -> list[Model]:
    """Versions that were not refused, the one that learned up to the latest day last."""
    models = (one for one in registry.models.values() if one.status != "refused")
    return sorted(models, key=lambda one: (one.trained_until, one.created_at))


def _speaker(registry: Registry, day: date) -> Model:
    sound = _sound(registry)
    before = [one for one in sound if one.trained_until < day]
    return before[-1] if before else registry.champion or sound[-1]


def _rows(
    root: Place, day: date, stores: tuple[str, ...], shelves: pa.Array
) -> tuple[pa.Table, Ints]:
    """Features of a cutoff day, and the number of each row's shelf."""
    columns = [*SCHEMA.names]
    where = [("feature_date", "=", day), ("store_id", "in", stores)]
    rows = of_store(tables.rows(root, Curated.FEATURES_STORE, columns, where))
    place = pc.index_in(rows[KEY[0]], value_set=shelves).combine_chunks()
    known = pc.is_valid(place)
    return rows.filter(known), place.filter(known).to_numpy().astype(np.int64)


def _forecast(rows: pa.Table, predictor: Predictor, whole: bool) -> Forecast:
    at = np.flatnonzero(segment(rows, "active") | whole)
    mean, quantiles = np.zeros(rows.num_rows), np.zeros((rows.num_rows, len(LEVELS)))
    if at.size:
        said = predictor(rows.take(pa.array(at)))
        mean[at], quantiles[at] = said.mean, said.quantiles
    return Forecast(mean, quantiles)


def require(forecasts: Forecasts | None, in_force: StockPolicy, changed: StockPolicy) -> None:
    """Refuse a change that lets a model decide where nothing is known of what one says.

    A policy in force that does so is replayed by the rule there, as the running shop goes on.

    Raises:
        ConfigurationError: There is no version, or no features.
    """
    if not (changed.by_model & ~in_force.by_model).any():
        return
    if forecasts is None:
        raise ConfigurationError(
            "plan_source is ml, and the lake has no version of a model",
            hint="train one with `lakeshelf models train`",
        )
    if not forecasts.known:
        raise ConfigurationError(
            f"plan_source is ml, and of {count_of(len(forecasts.days), 'cutoff day')} no features are stored",
            hint="write them with `lakeshelf features backfill`, or name other days",
        )
