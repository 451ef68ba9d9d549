"""A model of demand, trained every few weeks of business time (docs/design/forecasting.md#training)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta

import pyarrow.compute as pc

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
from lakeshelf.errors import MissingExtra
from lakeshelf.extras import require
from lakeshelf.forecast.demand.engine import MODULES
from lakeshelf.forecast.training.apart import Apart, Ended
from lakeshelf.forecast.training.lessons import LEAST_DAYS
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.logs import log

READ = (Curated.FEATURES_STORE, Curated.DAILY_DEMAND)
"""Tables that a training reads."""
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


class TrainingService(Component):
    """Trains a version on its day, beside the shop, which waits for nothing."""

    name = "training-service"
    doc = "Trains a model of demand every few weeks of business time, beside the shop."
    phase = "discounts"
    journal = "ops/journal_training_service"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._running: Apart | None = None
        self._wait = timedelta(0)

    def restore(self, last: JournalEntry | None) -> None:
        """How long to wait after the latest one."""
        memory = {} if last is None else last.decision.memory
        again = FAILED_DAYS if memory.get("kind") == "failed" else memory.get("again_days")
        self._wait = (again or self.context.settings.train_every_days) * DAY

    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """The latest day of a training; of several that were missed there is one."""
        if after is None:
            return [midnight(tick.today)]
        times = (tick.now - after) // self._wait
        return [after + times * self._wait] if times else []

    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """Begin a training; once it has ended, what it came to."""
        if self._running is None:
            skipped = lacking(self.context.lake, due.date())
            if skipped is not None:
                return self._ended(due, skipped)
            log.info("training begins", today=str(due.date()))
            self._running = Apart(self.context.settings.lake_root, due)
        result = self._running.result()
        if result is None:
            return None
        self._running = None
        return self._ended(due, result)

    def close(self) -> None:
        """End a training that goes on; it begins anew next time."""
        if self._running is not None:
            self._running.close()

    def _ended(self, due: datetime, result: Ended) -> Decision:
        log.info("training ended", **asdict(result))
        return Decision(f"training:{due.isoformat()}", due, memory=asdict(result))


COMPONENT = TrainingService
