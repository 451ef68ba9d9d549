"""A loop of a few shelves, act by act and lot by lot, told as its jobs would have written it."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.lake.rows import tables
from lakeshelf.shop.cutoffs import DAY, delivery_date, is_cutoff, occasions
from lakeshelf.shop.naming import PROFILES
from tests.cli.shop.sold_shop import POLICY, event, profiles, write
from tests.forecast.whatif import shops

SHELVES, DAYS = 6, 15
HOURS = (0, 8, 12, 21)
FIRST = date(2026, 3, 2)
MOMENTS = [
    datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + DAY * n
    for n in range(DAYS)
    for hour in HOURS
]
ROOM = {"reorder_point_qty": 12, "batch_multiplier": 1}
TABLES = ("raw/shelf_events", "raw/wh_events", "raw/lost_sales", "ops/wh_supplier_orders")
PAST = shops.history(SHELVES, 2, 1)
Row = dict[str, Any]


class Told:
    """A shelf and its back room, whose events are kept.

    Args:
        number: Number of the shelf in `PAST`.
    """

    def __init__(self, number: int) -> None:
        goods, self._chance, self._popular = PAST.goods, random.Random(number), number
        assert goods.max_stock is not None
        self.shelf, self.batch = str(goods.shelf_id[number]), int(goods.batch[number])
        self.full, self.life = int(goods.max_stock[number]), goods.life[number]
        self.room: Counter[date] = Counter()
        self.lots: Counter[date] = Counter()
        """Units of each lot that came to the shelf and were not removed."""
        self.sold = 0
        self.coming: list[tuple[date, int]] = []
        self.rows: dict[str, list[Row]] = {name: [] for name in TABLES}
        self._carts: list[tuple[datetime, int]] = []

    @property
    def stock(self) -> int:
        return self.lots.total() - self.sold

    def play(self) -> None:
        """From the opening to the last step."""
        self._open(MOMENTS[0])
        missing = self._missing()
        for after, now in pairwise(MOMENTS):
            came = self._supply(after, now)
            if now.date() != after.date():
                self._remove(now)
            wanted = self._missing() if missing else 0
            late = max(wanted - (self.room.total() - came), 0)
            self._refill(wanted - late)
            visits = self._chance.randrange(self._popular + 1) // 2
            for at in sorted(self._chance.choices(range(1, 180), k=visits)):
                self._reach(after + timedelta(minutes=at), now)
            self._refill(late)
            missing = self._missing()

    def _open(self, now: datetime) -> None:
        """Two lots of some age; the shelf has units of the first, which may be the younger one."""
        ages = self._chance.sample(range(5), 2) if self.life == self.life else (0, 0)
        for n, age in enumerate(ages):
            received = now.date() - DAY * age
            self._told(
                "raw/wh_events", now, "wh_in", 5, f"{self.shelf}-{n}", received_date=received
            )
            self.room[received] += 5
        self.lots[now.date() - DAY * ages[0]] += self.full
        why = {"batch_code": f"{self.shelf}-0", "reason": "opening_balance"}
        self._told("raw/shelf_events", now, "restock", self.full, **why)

    def _supply(self, after: datetime, now: datetime) -> int:
        """Orders and deliveries; units that came when the step ended, so that they reach no shelf in it."""
        came = 0
        for moment in occasions(after, now):
            if is_cutoff(moment):
                self._order(moment)
            for due, units in [one for one in self.coming if one[0] <= moment.date()]:
                self.coming.remove((due, units))
                self.room[now.date()] += units
                came += units
                own = {"order_id": f"o{moment}", "received_date": now.date()}
                self._told("raw/wh_events", now, "wh_in", units, f"{self.shelf}-{moment}", **own)
        return came

    def _order(self, cutoff: datetime) -> None:
        point, ordered = ROOM["reorder_point_qty"], sum(units for _, units in self.coming)
        stock = self.room.total()
        short = max(point - stock - ordered, 0) if stock < point else 0
        if units := -(-short // self.batch) * self.batch:
            self.coming.append((delivery_date(cutoff), units))
            self.rows["ops/wh_supplier_orders"].append(
                {
                    **dict.fromkeys(("order_id", "supplier_plan_id"), f"{self.shelf}-{cutoff}"),
                    **dict.fromkeys(("cutoff_ts", "created_at", "updated_at"), cutoff),
                    "delivery_date": delivery_date(cutoff),
                    "store_id": "store 0",
                    "shelf_id": self.shelf,
                    "total_qty": units,
                    "status": "delivered",
                    "version": 2,
                }
            )

    def _remove(self, now: datetime) -> None:
        """What expired before today leaves; of the shelf what sales have left of its lots."""
        left, sold = Counter(self.lots), self.sold
        for received in sorted(left):
            taken = min(left[received], sold)
            left[received], sold = left[received] - taken, sold - taken
        for received in [one for one in left | self.room if (now.date() - one).days > self.life]:
            code = f"{self.shelf}-{received}"
            if left[received]:
                self._told("raw/shelf_events", now, "removal", left[received], code)
                self.lots[received] -= left[received]
            if units := self.room.pop(received, 0):
                self._told("raw/wh_events", now, "wh_removal", units, code)

    def _missing(self) -> int:
        low = 100 * self.stock < 30 * self.full or self.stock < 1
        return max(-(-self.full * 8 // 10) - self.stock, 0) if low else 0

    def _refill(self, units: int) -> None:
        for received in sorted(self.room):
            taken = min(units, self.room[received])
            self.room[received], units = self.room[received] - taken, units - taken
            self.lots[received] += taken

    def _reach(self, at: datetime, until: datetime) -> None:
        """Somebody takes units or puts one back that was taken before."""
        if self._carts and self._chance.random() < 0.3:
            self._carts.pop()
            self.sold -= 1
            self._told("raw/shelf_events", at, "putback", 1)
            return
        wanted = self._chance.randrange(1, 4)
        if taken := min(wanted, self.stock):
            self.sold += taken
            self._carts.append((until, taken))
            self._told("raw/shelf_events", at, "pickup", taken)
        if taken < wanted:
            self._told("raw/lost_sales", at, "lost_sale", wanted - taken)

    def _told(
        self, table: str, at: datetime, kind: str, units: int, code: str | None = None, **more: Any
    ) -> None:
        number = sum(map(len, self.rows.values()))
        own = {"shelf_id": self.shelf, "quantity": units, "batch_code": code} | more
        goods = {"store_id": "store 0", "item_id": "I", "customer_id": "C"}
        self.rows[table].append(event(f"{self.shelf}-{number}", at, kind) | goods | own)


def make(root: Path) -> Path:
    """The lake that it leaves."""
    for name in (*TABLES, PROFILES, "staging/shelf_policies", "staging/wh_policies"):
        tables.ensure(root, CATALOG.tables[name])
    told = [Told(number) for number in range(SHELVES)]
    for one in told:
        one.play()
    for name in TABLES:
        write(root, name, [row for one in told for row in one.rows[name]])
    write(root, PROFILES, profiles(PAST))
    write(root, "staging/wh_policies", [{**POLICY, **ROOM, "shelf_id": "__GLOBAL__"}])
    return root
