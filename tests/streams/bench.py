"""A bench on which the jobs that decide and the rules in plain Python work side by side."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.commit.committers.driver import DriverCommitter

from . import harness
from .rules import Shop
from .strategies import Record, event

START = datetime(2026, 3, 1, 9, tzinfo=UTC)
DECIDED = {
    "ops/shelf_alerts": ("shelf", "alerts"),
    "ops/wh_alerts": ("wh", "alerts"),
    "ops/shelf_restock_plan": ("shelf", "plans"),
    "ops/wh_supplier_plan": ("wh", "plans"),
}
OUTSIDE = ("version", "updated_at", "decided_at")
QUARANTINE = "raw/quarantine"


def message(topic: str, **values: Any) -> Record:
    """A message of a compacted topic, with every field of it."""
    fields = (*CATALOG.topics[topic].key_only, *CATALOG.topics[topic].fields)
    return topic, {
        **dict.fromkeys(f.name for f in fields),
        "deleted": False,
        "updated_at": START,
        **values,
    }


@cache
def template() -> Path:
    """A lake with empty tables, to be copied."""
    root = harness.make(Path(tempfile.mkdtemp(prefix="decisions")) / "lake", harness.deciding())
    for name in (QUARANTINE, ledger.LEDGER):
        tables.ensure(root, CATALOG.tables[name])
    return root


@contextmanager
def lake() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Path(shutil.copytree(template(), Path(folder) / "lake"))


class Bench:
    """Jobs and rules side by side.

    Args:
        root: A lake with empty tables.
        ledger: Whether batches end with their ledger row.
        committer: Makes the committer of the jobs.
    """

    def __init__(
        self,
        root: Path,
        *,
        ledger: bool = False,
        committer: type[DriverCommitter] = DriverCommitter,
    ) -> None:
        self.shop = Shop()
        self.now = START
        plan = harness.deciding()
        self.runner = harness.Runner(root, plan, ledger=ledger, committer=committer)
        self.root = root
        self.batches = 0
        self._numbers = 0
        self.versions: dict[str, int] = {}
        self.coming: list[Record] = []

    def number(self) -> int:
        """A new number for an event."""
        self._numbers += 1
        return self._numbers

    def version(self, key: str) -> int:
        """The next version of a key."""
        self.versions[key] = self.versions.get(key, 0) + 1
        return self.versions[key]

    def send(self, topic: str, **values: Any) -> None:
        """An event now."""
        store = {"store_id": "S1"} if topic != "commands" else {}
        self.coming.append((topic, event(topic, self.number(), self.now, **{**store, **values})))

    def tell(self, topic: str, key: str, **values: Any) -> None:
        """A message of a compacted topic."""
        named = {CATALOG.topics[topic].key[0]: key} if CATALOG.topics[topic].key else {}
        self.coming.append(message(topic, **named, version=self.version(topic + key), **values))

    def tick(self, later: timedelta) -> None:
        """Move business time."""
        self.now += later
        told = {"now": self.now, "today": self.now.date(), "kind": "stepped", "speed": 1.0}
        self.tell("clock", "", seq=self.version("seq"), **told)

    def process(self, crash_after: int | None = None) -> list[Record]:
        """One batch of what is coming; jobs and rules must agree. The events that followed come next."""
        batch, self.coming = self.coming, []
        emitted = self.runner.run(self.batches, batch, crash_after)
        self.batches += 1
        expected = self.shop.step(batch)
        moved = [(topic, row) for topic, row in emitted if topic != "alerts"]
        order = lambda record: record[1]["event_id"]  # noqa: E731
        assert sorted(moved, key=order) == sorted(expected, key=order)
        self.compare()
        self.coming = expected
        return expected

    def compare(self) -> None:
        """Every decided table is what the rules say."""
        for name, (place, kind) in DECIDED.items():
            rows = harness.keyed(self.root, name)
            key = CATALOG.tables[name].key[0]
            found = {
                k[0]: {key: k[0], **{c: v for c, v in r.items() if c not in OUTSIDE}}
                for k, r in rows.items()
            }
            assert found == getattr(self.shop, kind)[place], name
        assert sorted(self.refused()) == sorted(self.shop.refused)

    def refused(self) -> list[tuple[str, ...]]:
        """Topic, id, reason and detail of what stands in quarantine."""
        rows = harness.keyed(self.root, QUARANTINE)
        return [
            (topic, _named(topic, row), row["reason"], row["detail"])
            for (topic, *_), row in rows.items()
        ]


def _named(topic: str, row: dict[str, Any]) -> str:
    value = orjson.loads(row["value"])
    return value["event_id"] if topic == "commands" else f"{row['key'].decode()}:{value['version']}"


SHELF = "S1-I1"


def stocked(bench: Bench, stock: int, back_room: int = 0, **profile: Any) -> None:
    """A shelf with a profile, opening stock and a lot in the back room; then the first tick."""
    values = {"store_id": "S1", "item_id": "I1", "name": "milk", "max_stock": 10, "unit_price": 1}
    bench.tell("shelf_profiles", SHELF, **{**values, "standard_batch_size": 6, **profile})
    bench.tell(
        "wh_policies",
        SHELF,
        reorder_point_qty=0,
        batch_multiplier=1,
        near_expiry_days=4,
        active=True,
    )
    if stock:
        opening = {"event_type": "restock", "reason": "opening_balance", "quantity": stock}
        bench.send("shelf_events", shelf_id=SHELF, item_id="I1", batch_code="L1", **opening)
    if back_room:
        arrive(bench, "L1", back_room)
    bench.tick(timedelta(0))
    bench.process()


def midnight(day: date) -> datetime:
    """When a day begins."""
    return datetime.combine(day, datetime.min.time(), UTC)


def level(bench: Bench, units: int, shelf: str = SHELF, days: int = 1, **values: Any) -> None:
    """Up to where a model would order, of the coming batch; it holds so many days, today included."""
    today = bench.now.date()
    names = {"store_id": "S1", "item_id": "I1", "model_name": "M", "model_version": "V1"}
    dates = {"feature_date": today, "valid_until": midnight(today + timedelta(days=days))}
    bench.tell("order_levels", shelf, level_qty=units, **{**names, **dates, **values})


def arrive(bench: Bench, lot: str, quantity: int, **values: Any) -> None:
    """Goods for the back room."""
    names = {"event_type": "wh_in", "shelf_id": SHELF, "item_id": "I1", "batch_code": lot}
    bench.send("wh_events", **names, quantity=quantity, **values)


def policy(bench: Bench, shelf: str = SHELF, **values: Any) -> None:
    """A shelf's policy, in force unless told otherwise."""
    limits = {"threshold_pct": 30.0, "min_qty": 1, "target_pct": 80.0, "near_expiry_days": 3}
    bench.tell("shelf_policies", shelf, **{**limits, "active": True, **values})
    bench.process()


def opened(bench: Bench, place: str = "shelf") -> set[tuple[str, str]]:
    """Type and status of the alerts of a place."""
    return {(a["event_type"], a["status"]) for a in bench.shop.alerts[place].values()}


def planned(bench: Bench, place: str = "shelf") -> list[tuple[str, int]]:
    """Status and units of the plans of a place, in the order in which they were made."""
    return [(p["status"], p["suggested_qty"]) for p in bench.shop.plans[place].values()]
