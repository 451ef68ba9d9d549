"""Rolling origins: what is known when a span of test days begins, and the span (docs/design/forecasting.md#model)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from lakeshelf.counts import count_of
from lakeshelf.errors import LakeshelfError
from lakeshelf.forecast.frames import DEMAND
from lakeshelf.forecast.model.rows import Mask, days, kept, last_label_days, weights

WEEK = np.timedelta64(7, "D")
HALF = 2
"""A fold learns from at least one part in so many of what is needed in all."""


class TooLittleHistory(LakeshelfError):  # noqa: N818 - says why nothing is trained
    """Rows of too few weeks, or too few rows, to train and judge a model."""


@dataclass(frozen=True)
class FoldPlan:
    """How rows are cut into folds.

    Args:
        folds: How many, at most.
        weeks: Length of the test of each, at most.
        parts: A test is at most so many-th part of the weeks that there are.
        settle_days: Days that a label waits for late receipts before anybody may learn from it.
        least_weeks: Weeks of cutoff days without which nothing is trained; a fold learns from half as many at least.
        least_rows: Rows without which nothing is trained; a fold learns from half as many at least.
    """

    folds: int = 6
    weeks: int = 4
    parts: int = 4
    settle_days: int = 7
    least_weeks: int = 8
    least_rows: int = 5_000

    @property
    def full_weeks(self) -> int:
        """Weeks of rows from which on a test has its full length."""
        return self.weeks * self.parts

    def test_weeks(self, span: float) -> int:
        """Length of a test where rows span so many weeks."""
        return max(1, min(self.weeks, int(span // self.parts)))


PLAN = FoldPlan()
"""Six folds of four weeks, where there is that much."""


@dataclass(frozen=True)
class EvaluationFold:
    """A span of test days, and how late labels before it may end.

    Args:
        first: First test day.
        end: Day after the last test day.
        settle_days: Days between the end of a label and the day from which it is known.
    """

    first: date
    end: date
    settle_days: int

    @property
    def name(self) -> str:
        """Its first test day."""
        return self.first.isoformat()

    def train(self, rows: pa.Table) -> pa.Table:
        """Rows whose labels were known when the first test day began."""
        return kept(rows, self._known(rows))

    def test(self, rows: pa.Table) -> pa.Table:
        """Rows of its days."""
        at = days(rows)
        of_test = (at >= np.datetime64(self.first)) & (at < np.datetime64(self.end))
        return kept(rows, of_test)

    def _known(self, rows: pa.Table) -> Mask:
        known = last_label_days(rows) + np.timedelta64(self.settle_days, "D")
        return np.asarray(known < np.datetime64(self.first))


@dataclass(frozen=True)
class Skipped:
    """A fold that is left out.

    Args:
        fold: Its name.
        reason: What it lacks.
    """

    fold: str
    reason: str


def usable(rows: pa.Table) -> pa.Table:
    """Rows with a label that counts: a stock-out hides none of it, and its window is over."""
    return kept(rows, (weights(rows) > 0) & ~rows[DEMAND].is_null().to_numpy())


def rolling(rows: pa.Table, plan: FoldPlan = PLAN) -> tuple[list[EvaluationFold], list[Skipped]]:
    """Folds whose tests end one another, the newest last, and those that have too little before them.

    A short history has fewer folds with shorter tests.

    Args:
        rows: Rows with labels and weights, as `usable` leaves them.
        plan: How to cut.

    Raises:
        TooLittleHistory: Not even the newest fold can be trained.
    """
    if reason := _lack(rows, plan.least_rows, plan.least_weeks):
        raise _too_little(reason)
    kept: list[EvaluationFold] = []
    skipped: list[Skipped] = []
    for fold in _spans(rows, plan):
        reason = _lack(fold.train(rows), plan.least_rows // HALF, plan.least_weeks // HALF)
        if reason:
            skipped.append(Skipped(fold.name, reason))
        else:
            kept.append(fold)
    if not kept:
        raise _too_little(f"before the newest fold {skipped[-1].reason}")
    return kept, skipped


def weeks(rows: pa.Table) -> float:
    """Weeks from the first cutoff day to the last."""
    at = days(rows)
    return float((at.max() - at.min() + np.timedelta64(1, "D")) / WEEK)


def _spans(rows: pa.Table, plan: FoldPlan) -> Iterator[EvaluationFold]:
    end = days(rows).max() + np.timedelta64(1, "D")
    length = plan.test_weeks(weeks(rows)) * WEEK
    for back in range(plan.folds, 0, -1):
        first = end - back * length
        yield EvaluationFold(first.item(), (first + length).item(), plan.settle_days)


def _lack(rows: pa.Table, least_rows: int, least_weeks: int) -> str:
    """What rows lack to be learned from; empty where they are enough."""
    if not rows.num_rows:
        return "no rows with labels"
    if rows.num_rows < least_rows:
        return f"{count_of(rows.num_rows, 'row')}, of at least {least_rows:,}"
    if (span := weeks(rows)) < least_weeks:
        return f"{span:.1f} weeks of cutoff days, of at least {least_weeks}"
    return ""


def _too_little(reason: str) -> TooLittleHistory:
    return TooLittleHistory(
        f"nothing is trained: {reason}",
        hint="wait for more days, or fill in past ones with `lakeshelf features backfill`",
    )
