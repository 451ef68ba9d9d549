"""What is replayed, and what it came to: the values that go into and come out of a replay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from lakeshelf.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

FOOT_TRAFFIC = "foot_traffic"
SHELF_EVENTS = "shelf_events"
POS_TRANSACTIONS = "pos_transactions"
WH_EVENTS = "wh_events"
SHELF_PROFILES = "shelf_profiles"
PROMOTIONS = "promotions"

EVENT_TOPICS = (FOOT_TRAFFIC, SHELF_EVENTS, POS_TRANSACTIONS, WH_EVENTS)
"""Topics that carry events; faults are injected into these alone."""


@dataclass(frozen=True)
class ReplayPlan:
    """Which receipts are replayed, how fast, with which faults; the same plan, the same records.

    Attributes:
        stores: The so many stores with most receipt lines; None: all 457.
        seed: Chooses where faults fall and how events are shuffled; nothing else.
        malformed: Broken records that are added, as a share of the events, 0 to 1.
        duplicates: Exact repeats that are added, as a share of the events, 0 to 1.
        reorder_minutes: Events are shuffled within so many minutes of event time; 0: in order.
        late: Share of the events that are delivered after everything else, 0 to 1.
        speed: Business seconds a second; None: as fast as the broker takes them.
        since: First day of receipts; None: from the beginning.
        until: Day after the last one; None: to the end.
        baskets: Only the so many earliest baskets; None: all.
        profiles: Whether the profiles of the shelves are published first.
        promotions: Whether their displays and mailers are published then.

    Raises:
        ConfigurationError: A value that cannot be.
    """

    stores: int | None = 10
    seed: int = 0
    malformed: float = 0.0
    duplicates: float = 0.0
    reorder_minutes: int = 0
    late: float = 0.0
    speed: float | None = None
    since: date | None = None
    until: date | None = None
    baskets: int | None = None
    profiles: bool = True
    promotions: bool = False

    def __post_init__(self) -> None:
        for name in ("malformed", "duplicates", "late"):
            _require(
                0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share from 0 to 1"
            )
        for name in ("stores", "baskets", "speed"):
            value = getattr(self, name)
            _require(value is None or value > 0, name, value, "a number above 0")
        _require(
            0 <= self.reorder_minutes <= 10_080,
            "reorder",
            self.reorder_minutes,
            "0 to 10080 minutes (a week)",
        )
        if self.since and self.until:
            _require(self.since < self.until, "until", self.until, f"a day after {self.since}")

    @property
    def since_ms(self) -> int:
        """First instant of the receipts, in milliseconds since 1970."""
        return _milliseconds(self.since or date(2000, 1, 1))

    @property
    def until_ms(self) -> int:
        """First instant after the receipts, in milliseconds since 1970."""
        return _milliseconds(self.until or date(2100, 1, 1))

    @property
    def reorder(self) -> timedelta:
        """Window of event time within which the order is shuffled."""
        return timedelta(minutes=self.reorder_minutes)


@dataclass(frozen=True)
class Totals:
    """Exact number of records of a plan.

    Attributes:
        topics: Records a topic, faults included: what the topic's offsets grow by.
        clean: Records a topic without the injected ones.
        malformed: Injected malformed records by topic, then by the reason they must be refused for.
        duplicates: Injected repeats by topic.
        late: Events that are delivered after everything else, by topic.
    """

    topics: Mapping[str, int]
    clean: Mapping[str, int]
    malformed: Mapping[str, Mapping[str, int]]
    duplicates: Mapping[str, int]
    late: Mapping[str, int]

    @property
    def records(self) -> int:
        """Records of all topics together."""
        return sum(self.topics.values())

    @property
    def reasons(self) -> Mapping[str, int]:
        """Malformed records by reason, all topics together."""
        counts: dict[str, int] = {}
        for by_reason in self.malformed.values():
            for reason, count in by_reason.items():
                counts[reason] = counts.get(reason, 0) + count
        return MappingProxyType(counts)


@dataclass(frozen=True)
class ReplayReport:
    """What a replay sent and the broker acknowledged.

    Attributes:
        topics: Acknowledged records a topic, faults included.
        malformed: Malformed records by the reason they must be refused for.
        duplicates: Exact repeats of earlier records.
        reordered: Events that were sent after one with a later event time, late ones apart.
        late: Events that were held back until everything else was sent.
        seconds: Wall time from the first record to the last acknowledgement.
    """

    topics: Mapping[str, int]
    malformed: Mapping[str, int]
    duplicates: int
    reordered: int
    late: int
    seconds: float

    @property
    def records(self) -> int:
        """Records of all topics together."""
        return sum(self.topics.values())

    def as_json(self) -> dict[str, object]:
        """The report as plain values."""
        return {
            "topics": dict(self.topics),
            "records": self.records,
            "malformed": dict(self.malformed),
            "duplicates": self.duplicates,
            "reordered": self.reordered,
            "late": self.late,
            "seconds": round(self.seconds, 3),
            "records_per_second": round(self.records / self.seconds) if self.seconds else None,
        }


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ConfigurationError(f"replay: {name} is {value}", hint=f"give {allowed}")


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
