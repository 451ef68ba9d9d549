"""What a program asks of the forecasts of a lake: what a policy would have meant, and what a forecast is made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

import pyarrow.compute as pc

from lakeshelf.contracts.layers import Curated
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.frames import HORIZON, KEY, LEVELS
from lakeshelf.forecast.inference import reasons
from lakeshelf.forecast.inference.predictions import segments
from lakeshelf.forecast.model.boosted import Predictor
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.whatif import answers, lakes, records, wishes
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables


def what_if(
    lake: ReadTables,
    fields: Mapping[str, Any] | None = None,
    *,
    since: date | None = None,
    until: date | None = None,
    stores: Sequence[str] = (),
    categories: Sequence[str] = (),
    items: Sequence[str] = (),
    frontier: bool = False,
) -> dict[str, Any]:
    """What another policy would have meant on the receipts of a lake, as `lakeshelf whatif --json` tells it.

    Args:
        lake: The lake.
        fields: Field of a policy → its value for every shelf that is looked at; none: the policy in force twice.
        since: First day; None: a quarter before the last one.
        until: Last day; None: that of the last receipt.
        stores: Only shelves of these; none: of all.
        categories: Only goods of these departments.
        items: Only these items.
        frontier: Whether reorder points, and service levels of a model, are tried.

    Returns:
        `differences` (each with `measure`, `before`, `after`, `difference`, `low`, `high`), the same by `stores` and
        `categories`, `frontier` (`policy` and each measure), `model` (whose forecasts), `notes` (what has to be known).

    Raises:
        ConfigurationError: A field, value, day or name that cannot be; no receipts; no model where one is asked for.
        LakeError: A table is missing or cannot be read.
    """
    words = {n: v if isinstance(v, str) else json.dumps(v) for n, v in (fields or {}).items()}
    values = wishes.typed(words)
    only = {"store_id": stores, "category": categories, "item_id": items}
    shop = lakes.read(lake.root, lakes.ReplayScope(since, until, only))
    changed = shop.policy.changed(values)
    wishes.require_use(values, changed)
    shop = lakes.foretold(lake.root, shop, changed, _unseen)
    answer = answers.answer(shop, changed, _unseen, frontier=frontier)
    asked = [{"field": name, "value": value} for name, value in values.items()]
    return records.as_record(shop, {"set": asked, "change_request": None}, answer)


def forecast_of(
    lake: ReadTables, shelf: str, *, version: str | None = None, day: date | None = None
) -> dict[str, Any]:
    """What a version forecasts of a shelf, and what the forecast is made of.

    Args:
        lake: The lake.
        shelf: The shelf.
        version: The version; None: the champion, or else the one that learned up to the latest day.
        day: A cutoff day; None: the latest whose features are stored.

    Returns:
        `model_version`, `feature_date`, `horizon_days`, `segment`, `mean_units`, `quantiles` (level → units), `base`
        and `parts`, each with `name`, `value`, `factor` and `units`: the five features that say most, the others, and
        what the latest weeks corrected. The base times all factors, and the base plus all units, is the mean.

    Raises:
        ConfigurationError: No features of that shelf and day, or no version.
        ActRefused: There is no such version.
        VersionDamaged: Its files are not those that were registered.
        MissingExtra: LightGBM cannot be used.
    """
    name = version or _speaking(lake)
    row = _features(lake, shelf, day)
    trained = registered.version(lake, name).trained
    said, parts = Predictor(trained)(row), reasons.parts(trained, row)
    return {
        "model_version": name,
        **{column: row[column][0].as_py() for column in (KEY[1], HORIZON)},
        "segment": segments(row)[0],
        "mean_units": float(said.mean[0]),
        "quantiles": dict(zip(LEVELS, said.quantiles[0].tolist(), strict=True)),
        **asdict(parts),
    }


def _speaking(lake: ReadTables) -> str:
    registry = registered.read(lake).registry
    known = [one for one in registry.models.values() if one.status != "refused"]
    speaking = registry.champion or max(known, key=lambda one: one.trained_until, default=None)
    if speaking is None:
        raise ConfigurationError(
            "the lake has no version of a model", hint="train one with `lakeshelf models train`"
        )
    return speaking.model_version


def _features(lake: ReadTables, shelf: str, day: date | None) -> Any:
    """The row of the shelf on a cutoff day."""
    where: Where = [("shelf_id", "=", shelf), *([] if day is None else [(KEY[1], "=", day)])]
    rows = of_store(lake.read(Curated.FEATURES_STORE, None, [*SCHEMA.names], where).read_all())
    if not rows.num_rows:
        on = "" if day is None else f" of {day}"
        raise ConfigurationError(
            f"no features of {shelf}{on} are stored",
            hint="name a shelf and a cutoff day, or write them with `lakeshelf features backfill`",
        )
    return rows.filter(pc.equal(rows[KEY[1]], pc.max(rows[KEY[1]])))


def _unseen(step: str, done: int = 0, of: int = 0) -> None:
    """Progress that nobody looks at."""
