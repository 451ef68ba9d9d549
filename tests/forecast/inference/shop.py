"""A small shop whose shelves sell at rates of their own, and a model that was trained on it."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.features import admitted, columns
from lakeshelf.forecast.demand.labels import labels
from lakeshelf.forecast.demand.rows import ForecastInputs, features
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import Trained
from lakeshelf.forecast.model.boosted import Boosted, BoostingSettings
from lakeshelf.forecast.model.rows import matrix
from lakeshelf.forecast.versions import drift, folders, places
from lakeshelf.forecast.versions import registry as r
from lakeshelf.forecast.versions.folders import Version
from tests.forecast.demand.worlds import Row, day, known, profile, sold
from tests.forecast.versions.cases import ORIGIN, applied

STORES, ITEMS, DAYS = 3, 6, 200
SHELVES = [f"S{store}-I{item}" for store in range(STORES) for item in range(ITEMS)]
SMALL = BoostingSettings(trees=10, step=5, leaves=7, least_rows=20)
MODEL = "warehouse_optimizer"


def demand() -> list[Row]:
    """Sales of each shelf and day; the last shelf sold once, long ago."""
    random = np.random.default_rng(1)
    rates = random.gamma(1.0, 1.5, len(SHELVES))
    units = random.poisson(rates, (DAYS, len(SHELVES)))
    units[:, -1] = 0
    units[60, -1] = 1
    places = zip(*(axis.tolist() for axis in np.nonzero(units)), strict=True)
    return [sold(SHELVES[shelf], n, int(units[n, shelf])) for n, shelf in places]


@cache
def world() -> ForecastInputs:
    """What is known of the shop."""
    return known(demand=demand(), shelves=[profile(shelf) for shelf in SHELVES])


@cache
def rows() -> pa.Table:
    """Features of all shelves and cutoff days, from the eighth week on."""
    chosen = every(world().shelves, cutoffs(day(56), day(DAYS)))
    return pa.concat_tables(features(chosen, world()))


@cache
def trained() -> Trained:
    """A model of few trees, trained on all rows but those of the last weeks."""
    chosen = every(world().shelves, cutoffs(day(56), day(DAYS)))
    known_labels = labels(chosen, world().demand, day(DAYS))
    learned = rows().join(known_labels, ["shelf_id", "feature_date"], join_type="inner")
    learned = learned.sort_by([("feature_date", "ascending"), ("shelf_id", "ascending")])
    reads = columns(admitted(rows()))
    return Boosted(reads.numeric, tuple(reads.categories), SMALL).train(learned)


def of_day(last: date) -> pa.Table:
    """Features of one cutoff day."""
    return rows().filter(pc.equal(rows()["feature_date"], last))


def published(root: Path, **changed: object) -> Version:
    """A version of the model in a lake; other settings make another version."""
    model = trained()
    model = Trained(model.columns, model.heads, {**model.settings, **changed})
    seen = matrix(rows(), model.columns).astype(np.float64)
    reference = drift.reference(seen, rows()["store_id"].to_pylist(), model.columns)
    name = folders.model_version(model, ORIGIN.trained_until)
    return folders.write(places.at(root, MODEL, name), model, reference, ORIGIN)


def deciding(version: Version, at: datetime) -> list[Row]:
    """Rows of `ops/models` of a lake whose champion the version is."""
    act, known = r.Attribution("mia", at), r.Registry.of([])
    name = version.card.model_version
    known = applied(known, r.register(known, version.card, version.card_sha256, act))
    known = applied(known, r.challenge(known, name, act))
    known = applied(known, r.promote(known, name, act))
    return [model.row() for model in known.models.values()]


LAST = cutoffs(day(DAYS - 7), day(DAYS))["feature_date"].to_pylist()[-1]
"""The latest cutoff day."""
