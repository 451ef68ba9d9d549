"""A model of demand, trained every few weeks of business time (docs/design/forecasting.md#training)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pyarrow.compute as pc

import versions_in_use
from lakeshelf.components.component import (
    DAY,
    Component,
    Context,
    Decision,
    JournalEntry,
    Tick,
    midnight,
)
from lakeshelf.contracts.layers import Curated
from lakeshelf.contracts.retail.tables_models import TRAINING
from lakeshelf.errors import MissingExtra
from lakeshelf.extras import require
from lakeshelf.forecast.demand.engine import MODULES
from lakeshelf.forecast.training.apart import Apart, Ended
from lakeshelf.forecast.training.lessons import LEAST_DAYS
from lakeshelf.forecast.versions.health import TO_TRAIN_DAYS
from lakeshelf.forecast.versions.registered import promote
from lakeshelf.forecast.versions.registry import Attribution
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.logs import log
from lakeshelf.telemetry import metrics
from versions_in_use import BESIDE

READ = (Curated.FEATURES_STORE, Curated.DAILY_DEMAND)
"""Tables that a training reads."""
NAME = TRAINING
TRAINED_AT = "trained_at"
ON_ITS_DAY, RED = "trained on its day", f"red for {TO_TRAIN_DAYS} days"
"""Why a version was trained."""
FAILED_DAYS = 1
"""Days of business time after which a training that failed is tried again."""


def lacking(lake: ReadTables, today: date) -> Ended | None:
    """Why no process is started for a training; None: nothing speaks against it."""
    try:
        require("query", *MODULES)
        require("ml")
    except MissingExtra as error:
        return Ended("skipped", str(error))
    span = _span(lake, today)
    if span < LEAST_DAYS:
        reason = f"{span} days since the first receipt, of at least {LEAST_DAYS}"
        return Ended("skipped", reason, again_days=LEAST_DAYS - span)
    return None


def _span(lake: ReadTables, today: date) -> int:
    """Days of demand before a day."""
    batches = lake.read(Curated.DAILY_DEMAND, columns=["day"], where=[("day", "<", today)])
    firsts = [pc.min(batch["day"]).as_py() for batch in batches if batch.num_rows]
    return (today - min(firsts)).days if firsts else 0


@dataclass(frozen=True)
class LatestTraining:
    """The latest training.

    Attributes:
        due: When it was due; None: there was none.
        wait: How long the next one waits after it.
        memory: What is remembered of it.
    """

    due: datetime | None
    wait: timedelta
    memory: Mapping[str, Any]

    @classmethod
    def of(cls, last: JournalEntry | None, every_days: int) -> LatestTraining:
        """That which an entry remembers, its own or one before it."""
        if last is None:
            return cls(None, every_days * DAY, {})
        memory = last.decision.memory
        due = memory.get(TRAINED_AT, last.decision.event_time.isoformat())
        again = FAILED_DAYS if memory.get("kind") == "failed" else memory.get("again_days")
        at = None if due is None else datetime.fromisoformat(due)
        return cls(at, (again or every_days) * DAY, memory)

    @property
    def day(self) -> date | None:
        """The day of it."""
        return None if self.due is None else self.due.date()

    def dues(self, tick: Tick) -> list[datetime]:
        """The latest day of a training; of several that were missed there is one."""
        if self.due is None:
            return [midnight(tick.today)]
        times = (tick.now - self.due) // self.wait
        return [self.due + times * self.wait] if times > 0 else []

    def remembered(self, version: str) -> dict[str, Any]:
        """What an entry remembers of it that promotes a version."""
        due = None if self.due is None else self.due.isoformat()
        return {**self.memory, TRAINED_AT: due, "promoted": version}


class TrainingService(Component):
    """Trains a version on its day, beside the shop, which waits for nothing; a challenger decides after two weeks."""

    name = NAME
    doc = "Trains a model of demand every few weeks of business time, beside the shop, and promotes it after two more."
    phase = "discounts"
    journal = "ops/journal_training_service"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._running: tuple[datetime, Apart] | None = None
        self._latest = LatestTraining.of(None, context.settings.train_every_days)
        self._looked: date | None = None

    def restore(self, last: JournalEntry | None) -> None:
        """When the latest training was, and how long to wait after it."""
        self._latest = LatestTraining.of(last, self.context.settings.train_every_days)

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The day of the training that goes on, or of one missed since; else today, if the versions call for it."""
        if self._running is not None:
            return [max([self._running[0], *self._latest.dues(tick)])]
        if self._looked != tick.today and self._is_called_for(tick.today):
            return [midnight(tick.today)]
        self._looked = tick.today
        return self._latest.dues(tick)

    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """Promote a version, or begin a training; once it has ended, what it came to."""
        if self._running is None:
            version = versions_in_use.promotable(self.context.lake, tick.today)
            if version is not None:
                return self._promoted(due, version)
            skipped = lacking(self.context.lake, due.date())
            if skipped is not None:
                return self._ended(due, skipped)
            self._running = due, self._begun(due)
        result = self._running[1].result()
        if result is None:
            return None
        self._running = None
        return self._ended(due, result)

    def close(self) -> None:
        """End a training that goes on; it begins anew next time."""
        if self._running is not None:
            self._running[1].close()

    def _is_called_for(self, today: date) -> bool:
        lake, trained = self.context.lake, self._latest.day
        return versions_in_use.promotable(lake, today) is not None or versions_in_use.is_red(
            lake, trained, today
        )

    def _begun(self, due: datetime) -> Apart:
        is_red = versions_in_use.is_red(self.context.lake, self._latest.day, due.date())
        reason = RED if is_red else ON_ITS_DAY
        log.info("training begins", today=str(due.date()), why=reason)
        return Apart(self.context.settings.lake_root, due, reason)

    def _promoted(self, due: datetime, version: str) -> Decision:
        act = Attribution(NAME, due, f"{BESIDE.days} days as challenger")
        changed = promote(self.context.settings.lake_root, version, act)
        log.info("challenger promoted" if changed else "another has promoted", version=version)
        memory = self._latest.remembered(version)
        return Decision(f"promotion:{version}:{due.isoformat()}", due, memory=memory)

    def _ended(self, due: datetime, result: Ended) -> Decision:
        log.info("training ended", **asdict(result))
        metrics.TRAININGS.add(outcome=result.kind)
        memory = {**asdict(result), TRAINED_AT: due.isoformat()}
        return Decision(f"training:{due.isoformat()}", due, memory=memory)


COMPONENT = TrainingService
