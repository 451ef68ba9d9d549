"""When suppliers take orders and when they deliver (docs/design/retail.md#orders)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

DAY = timedelta(days=1)
CUTOFF, CUTOFF_DAYS = time(12), frozenset({1, 3, 6})
"""Tuesday, Thursday, Sunday at noon."""
DELIVERY, DELIVERY_DAYS = time(8), frozenset({0, 2, 4})
"""Monday, Wednesday, Friday at eight."""


def is_cutoff(moment: datetime) -> bool:
    """Whether pending plans become orders at that time."""
    return moment.weekday() in CUTOFF_DAYS and moment.time() == CUTOFF


def is_delivery(moment: datetime) -> bool:
    """Whether goods are delivered at that time."""
    return moment.weekday() in DELIVERY_DAYS and moment.time() == DELIVERY


def occasions(after: datetime, until: datetime) -> Iterator[datetime]:
    """Cutoffs and deliveries in (after, until], oldest first."""
    for n in range((until.date() - after.date()).days + 1):
        day = datetime.combine(after.date() + DAY * n, time.min, UTC)
        for at in (DELIVERY, CUTOFF):
            moment = day + timedelta(hours=at.hour)
            if after < moment <= until and (is_cutoff(moment) or is_delivery(moment)):
                yield moment


def delivery_date(cutoff: datetime) -> date:
    """The day of the first delivery after a cutoff."""
    return next(m for m in occasions(cutoff, cutoff + 7 * DAY) if is_delivery(m)).date()
