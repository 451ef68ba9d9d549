"""What the days so far say of the versions in use: which one is due to decide, and whether another one is asked for."""

from __future__ import annotations

from datetime import date, timedelta

import pyarrow.compute as pc

from lakeshelf.components.component import rows
from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.frames import KEY
from lakeshelf.forecast.inference.handover import handed_back, health_of
from lakeshelf.forecast.versions.drift import EVERY_STORE
from lakeshelf.forecast.versions.errors import RegistryDamaged
from lakeshelf.forecast.versions.health import asks_for_another
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.forecast.versions.registry import Model, Registry
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables

READ = (Ops.MODELS, Ops.MODEL_HEALTH, Curated.PREDICTIONS)
"""Tables that tell it."""
BESIDE = timedelta(days=14)
"""How long a challenger predicts beside the champion, or the rule, before it decides."""


def in_use(lake: ReadTables) -> tuple[Model | None, Model | None]:
    """Champion and challenger; neither where two have the same place, which a person has to mend."""
    try:
        registry = Registry.of(rows(lake, Ops.MODELS, [("model_name", "=", MODEL)]))
        return registry.champion, registry.challenger
    except RegistryDamaged:
        return None, None


def promotable(lake: ReadTables, today: date) -> str | None:
    """The challenger, if it has predicted on each cutoff day of two weeks and does not do badly; else None."""
    _, challenger = in_use(lake)
    if challenger is None or not challenger.has_passed:
        return None
    version = challenger.model_version
    if not _expected(today) <= _predicted(lake, version, today):
        return None
    return None if EVERY_STORE in handed_back(lake, today, version) else version


def is_red(lake: ReadTables, trained: date | None, today: date) -> bool:
    """Whether the champion has been red for days, in a row that began after the latest training.

    Not while there is a challenger: another one would begin two weeks anew.
    """
    champion, challenger = in_use(lake)
    if champion is None or challenger is not None:
        return False
    known = health_of(lake, champion.model_version, trained or date.min, today)
    return asks_for_another(known, trained, today - timedelta(days=1))


def _expected(today: date) -> set[date]:
    return set(cutoffs(today - BESIDE, today)[KEY[1]].to_pylist())


def _predicted(lake: ReadTables, version: str, today: date) -> set[date]:
    """Days of the last two weeks on which a version predicted as challenger."""
    where: Where = [
        ("model_version", "=", version),
        ("role", "=", "challenger"),
        (KEY[1], ">=", today - BESIDE),
        (KEY[1], "<", today),
    ]
    batches = lake.read(Curated.PREDICTIONS, columns=[KEY[1]], where=where)
    return {day for batch in batches for day in pc.unique(batch[KEY[1]]).to_pylist()}
