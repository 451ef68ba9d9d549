"""The steps of a replay: the days of receipts, or the business times of a loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from lakeshelf.shop.cutoffs import DAY, delivery_date, is_cutoff, is_delivery, occasions

INSTANT = timedelta(microseconds=1)
ON_THE_WAY = timedelta(minutes=3)
"""How long goods are on their way from the back room to the shelf (docs/design/retail.md#arrivals)."""


@dataclass(frozen=True)
class Cutoff:
    """A cutoff, in days since the first day of the steps.

    Args:
        day: When it is.
        delivery: When its goods come.
        until: When those of the next cutoff come: the end of the window that a forecast is of.
    """

    day: int
    delivery: int
    until: int


@dataclass(frozen=True)
class Step:
    """What is due in a step, in this order: deliveries, cutoff, removals, refills, sales.

    Args:
        day: Days since the first day.
        begins: Whether it is the first of its day.
        ends: Whether it is the last of its day.
        delivers: Whether orders of that day or an earlier one are delivered.
        late: Whether what is delivered reaches no shelf in the step.
        cutoff: The cutoff, if there is one.
    """

    day: int
    begins: bool
    ends: bool
    delivers: bool
    late: bool
    cutoff: Cutoff | None


@dataclass(frozen=True)
class ReplaySteps:
    """The steps of a replay, in order.

    Args:
        first: The first day.
        steps: The steps.
        refilled: Whether a shelf is refilled within a step, as soon as it is low; else only between steps.
    """

    first: date
    steps: tuple[Step, ...]
    refilled: bool

    @classmethod
    def of_days(cls, first: date, days: int) -> ReplaySteps:
        """A step a day: a shelf is refilled within minutes, as often as the day needs it."""
        spans = [(begin - INSTANT, begin + DAY - INSTANT) for begin in _midnights(first, days)]
        return cls(first, tuple(_steps(first, spans)), True)

    @classmethod
    def of_moments(cls, moments: Sequence[datetime]) -> ReplaySteps:
        """A step a business time of a stepped clock; what was planned at the first one missed a cutoff at it."""
        first = moments[0].date()
        spans = list(zip([moments[0], *moments], moments, strict=False))
        return cls(first, tuple(_steps(first, spans)), False)

    @property
    def days(self) -> int:
        """Days that they cover."""
        return self.steps[-1].day + 1

    @property
    def cutoffs(self) -> list[Cutoff]:
        """All cutoffs, in order."""
        return [step.cutoff for step in self.steps if step.cutoff]


def _midnights(first: date, days: int) -> list[datetime]:
    return [datetime.combine(first, time.min, UTC) + n * DAY for n in range(days)]


def _steps(first: date, spans: Sequence[tuple[datetime, datetime]]) -> Iterable[Step]:
    days = [(until.date() - first).days for _, until in spans]
    for n, ((after, until), day) in enumerate(zip(spans, days, strict=True)):
        due = list(occasions(after, until))
        cutoffs = [moment for moment in due if is_cutoff(moment)]
        deliveries = [moment for moment in due if is_delivery(moment)]
        yield Step(
            day,
            begins=n == 0 or days[n - 1] != day,
            ends=n == len(days) - 1 or days[n + 1] != day,
            delivers=bool(deliveries),
            late=bool(deliveries) and deliveries[-1] + ON_THE_WAY > until,
            cutoff=_cutoff(first, cutoffs[-1]) if cutoffs else None,
        )


def _cutoff(first: date, moment: datetime) -> Cutoff:
    following = next(m for m in occasions(moment, moment + 7 * DAY) if is_cutoff(m))
    days = (moment.date(), delivery_date(moment), delivery_date(following))
    return Cutoff(*((day - first).days for day in days))
