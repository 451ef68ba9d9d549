"""What the service has to read to tell how versions do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from lakeshelf.components.component import Upsert
from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.labels import labels
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.demand.segments import ACTIVE_LINES, LINES
from lakeshelf.forecast.frames import HORIZON, KEY, WEIGHT
from lakeshelf.forecast.inference import drifting
from lakeshelf.forecast.inference.use import Choice
from lakeshelf.forecast.inference.watching import WatchedDays, observed, since
from lakeshelf.forecast.versions.health import FALLBACK, fallen, measured
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.lake.rows.port import ReadTables

LOOK = "model_health"
"""Application that counts how often health was written."""


class PastDays:
    """Cutoff days before a day, of active shelves.

    Args:
        lake: Tables to read.
        day: The day.
    """

    def __init__(self, lake: ReadTables, day: date) -> None:
        self._lake = lake
        self._day = day
        first = since(day)
        where: Where = [(KEY[1], ">=", first), (KEY[1], "<", day), (LINES, ">=", ACTIVE_LINES)]
        stored = lake.read(Curated.FEATURES_STORE, columns=SCHEMA.names, where=where)
        self._rows = of_store(stored.read_all())
        chosen = self._rows.select([*KEY, HORIZON])
        chosen = chosen.append_column(WEIGHT, pa.array(np.ones(chosen.num_rows)))
        sold: Where = [("day", ">=", first), ("day", "<", day)]
        demand = lake.read(Curated.DAILY_DEMAND, where=sold).read_all()
        self._labels = labels(chosen, demand, day)

    def of(self, version: str) -> WatchedDays:
        """What a version said of them."""
        said_of: Where = [
            ("model_version", "=", version),
            (KEY[1], ">=", since(self._day)),
            (KEY[1], "<", self._day),
        ]
        columns = [*KEY, "mean_units", "quantiles"]
        said = self._lake.read(Curated.PREDICTIONS, columns=columns, where=said_of).read_all()
        return WatchedDays(self._rows, self._labels, said)


def health(
    lake: ReadTables, day: date, choice: Choice, problems: Mapping[str, str]
) -> dict[str, Upsert]:
    """Rows of `ops/model_health` of a day: of each version in use, and of those that problems keep from predicting.

    Args:
        lake: Tables to read.
        day: The day.
        choice: The versions in use.
        problems: Version, or "" where none can be told, → why it does not predict.
    """
    rows = list(_measured(lake, day, choice))
    rows = [
        row for row in rows if row["model_version"] not in problems or row["metric"] != FALLBACK
    ]
    rows += [fallen(version, day).row() | {"reason": text} for version, text in problems.items()]
    if not rows:
        return {}
    noted = lake.snapshot(Ops.MODEL_HEALTH).handle.transaction_version(LOOK) or 0
    schema = arrow.schema(CATALOG.tables[Ops.MODEL_HEALTH].columns)
    table = pa.Table.from_pylist(rows, schema)
    return {Ops.MODEL_HEALTH: Upsert(table, (Txn(LOOK, noted + 1),))}


def _measured(lake: ReadTables, day: date, choice: Choice) -> Iterator[dict[str, Any]]:
    """Rows of versions in use."""
    if not choice.all:
        return
    past, recent = PastDays(lake, day), drifting.recent(lake, day)
    for one in choice.all:
        card, stores = one.version.card, one.version.reference.shares
        seen = observed(day, past.of(card.model_version))
        moved = drifting.indices(one.version, recent)
        for health_ in measured(card.model_version, card.trained_until, day, seen, moved):
            yield health_.row() | {"reason": drifting.unknown(health_, stores)}
