"""Predictions of each cutoff day, and the levels that follow (docs/design/forecasting.md#predictions)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import pyarrow as pa

import measuring
import past_days
from lakeshelf.components.component import (
    Component,
    Decision,
    JournalEntry,
    Message,
    Tick,
    days,
    rows,
)
from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.demand.windows import latest_cutoff
from lakeshelf.forecast.inference import day as cutoff_day
from lakeshelf.forecast.inference import use
from lakeshelf.forecast.inference.handover import handed_back
from lakeshelf.forecast.inference.levels import COLUMNS, TOPIC, in_time, messages, valid_until
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.logs import log
from lakeshelf.shop.cutoffs import CUTOFF_DAYS
from lakeshelf.shop.explain import policies_held

ROOM, STORE = Staging.WH_POLICIES, Staging.SHELF_POLICIES


class InferenceService(Component):
    """Predicts each cutoff day once, and tells the levels of the champion."""

    name = "inference-service"
    doc = "Predicts what shelves will sell until the delivery after the next, and up to where to order."
    phase = "discounts"
    follows = ("shelf-daily-features",)
    publishes = (TOPIC,)
    journal = Curated.PREDICTIONS

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The business days that are not done."""
        return days(after, tick)

    def decide(self, due: datetime, tick: Tick) -> Decision:
        """How versions do on the day that begins at `due`, and on a cutoff day what they predict.

        Past the cutoff no level follows from it.
        """
        day = due.date()
        choice = use.chosen(self.context.settings.lake_root, self._models())
        said = cutoff_day.NOTHING
        if choice.all and day.weekday() in CUTOFF_DAYS:
            sent = valid_until(day) if in_time(day, tick.now) else None
            said = cutoff_day.predictions(self._day(day, choice), choice, sent, due)
        problems = {**choice.problems, **said.problems}
        for version, problem in problems.items():
            log.warning("version does not predict", version=version, day=str(day), error=problem)
        health = past_days.health(self.context.lake, day, choice, problems)
        measuring.predictions(said.rows)
        of_day = [row for upsert in health.values() for row in upsert.rows.to_pylist()]
        measuring.health(of_day, choice, self._handed_back(latest_cutoff(day), choice))
        return Decision(str(day), due, table=said.rows, upserts=health)

    def outgoing(self, entry: JournalEntry) -> Sequence[Message]:
        """The levels of the day, from its rows."""
        day = entry.decision.event_time.date()
        where: Where = [("feature_date", "=", day), ("role", "=", "champion")]
        sent = messages(rows(self.context.lake, self.journal, where, COLUMNS))
        return [Message.of(TOPIC, level) for level in sent]

    def _models(self) -> list[dict[str, Any]]:
        return rows(self.context.lake, Ops.MODELS, [("model_name", "=", MODEL)])

    def _day(self, day: date, choice: use.Choice) -> cutoff_day.CutoffDay:
        features = self._table(Curated.FEATURES_STORE, [("feature_date", "=", day)])
        profiles = self._table(Curated.SHELF_PROFILES)
        known = cutoff_day.DayInputs(
            features,
            profiles,
            self._policies(ROOM, profiles),
            self._policies(STORE, profiles),
            self._table(Ops.WH_SUPPLIER_ORDERS, [("status", "=", "issued")]),
        )
        return cutoff_day.of(day, known, of_store(features)).without(self._handed_back(day, choice))

    def _handed_back(self, day: date, choice: use.Choice) -> frozenset[str]:
        if choice.champion is None:
            return frozenset()
        return handed_back(self.context.lake, day, choice.champion.version.card.model_version)

    def _policies(self, table: str, profiles: pa.Table) -> pa.Table:
        topic = table.partition("/")[2]
        return policies_held(topic, self._table(table), profiles["shelf_id"])

    def _table(self, name: str, where: Where = ()) -> pa.Table:
        return self.context.lake.read(name, where=where).read_all()


COMPONENT = InferenceService
