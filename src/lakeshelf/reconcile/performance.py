# ruff: noqa: S608 - the SQL is put together from constants of this module
"""What a shop achieved in a number of business days, added up from raw events and decisions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Analytics, Cleansed, Curated, Ops, Raw, Staging
from lakeshelf.reconcile.books import Books, empty

if TYPE_CHECKING:
    from pathlib import Path

GLOBAL = "__GLOBAL__"
POLICY = CATALOG.topics["shelf_policies"]

MOVES = """
SELECT event_time::DATE AS day, shelf_id,
       sum(CASE WHEN event_type IN ('pickup', 'removal') THEN -quantity ELSE quantity END)::BIGINT
           AS change,
       sum(quantity) FILTER (event_type = 'restock' AND reason IS DISTINCT FROM 'opening_balance')
           ::BIGINT AS restocked
FROM source WHERE event_type <> 'weight_change' GROUP BY ALL
"""

WH_MOVES = """
SELECT event_time::DATE AS day, shelf_id,
       sum(CASE WHEN event_type IN ('wh_out', 'wh_removal') THEN -quantity ELSE quantity END)
           ::BIGINT AS change,
       sum(quantity) FILTER (event_type = 'wh_in')::BIGINT AS received
FROM source GROUP BY ALL
"""

REFILLS = """
SELECT event_time::DATE AS day,
       count(DISTINCT coalesce(nullif(plan_id, ''), cause_event_id, event_id)) AS refills
FROM source
WHERE event_type = 'restock' AND reason IS DISTINCT FROM 'opening_balance' GROUP BY ALL
"""

REMOVALS = """
SELECT event_time::DATE AS day, shelf_id, batch_code, sum(quantity)::BIGINT AS units
FROM source WHERE event_type IN ('removal', 'wh_removal') GROUP BY ALL
"""

SALES = """
SELECT day, sum(item.quantity)::BIGINT AS sold,
       sum(item.total_price)::DECIMAL(18, 2) AS sales
FROM (SELECT event_time::DATE AS day, unnest(items) AS item FROM source) GROUP BY day
"""

LOST = """
SELECT event_time::DATE AS day, sum(quantity)::BIGINT AS lost FROM source GROUP BY day
"""

EXPIRIES = "SELECT shelf_id, batch_code, expiry_date FROM source WHERE expiry_date IS NOT NULL"

LIMITS = """
SELECT shelf_id, max_stock, coalesce(own.threshold_pct, everyone.threshold_pct, $threshold_pct)
           AS threshold_pct, coalesce(own.min_qty, everyone.min_qty, $min_qty) AS min_qty
FROM profile LEFT JOIN policy AS own USING (shelf_id)
LEFT JOIN policy AS everyone ON everyone.shelf_id = $everyone
WHERE max_stock > 0
"""

STOCK_STEPS = """
CREATE TEMP TABLE stock_step AS
WITH ending AS (
    SELECT location, shelf_id, day, greatest(sum(change) OVER shelf, 0) AS stock
    FROM (SELECT 'shelf' AS location, * FROM move
          UNION ALL BY NAME SELECT 'warehouse' AS location, * FROM wh_move)
    WINDOW shelf AS (PARTITION BY location, shelf_id ORDER BY day)
),
judged AS (
    SELECT ending.*, location = 'shelf' AND coalesce(
        100 * stock < threshold_pct * max_stock OR stock < min_qty, false) AS low
    FROM ending LEFT JOIN limits USING (shelf_id)
)
SELECT location, day, stock - lag(stock, 1, 0) OVER shelf AS step,
       low::INT - lag(low::INT, 1, 0) OVER shelf AS low_step
FROM judged WINDOW shelf AS (PARTITION BY location, shelf_id ORDER BY day)
"""
"""By how much each day changed the stock of a shelf at its end, and whether it is low then."""

DAYS = """
WITH calendar AS (
    SELECT unnest(generate_series($since::DATE, $until::DATE, INTERVAL 1 DAY))::DATE AS day
),
ending AS (
    SELECT calendar.day, sum(step) FILTER (location = 'shelf') AS shelf_stock,
           sum(step) FILTER (location = 'warehouse') AS warehouse_stock, sum(low_step) AS low_shelves
    FROM calendar JOIN (
        SELECT location, day, sum(step) AS step, sum(low_step) AS low_step
        FROM stock_step GROUP BY location, day
    ) AS steps ON steps.day <= calendar.day GROUP BY calendar.day
),
flow AS (
    SELECT day, sum(sold) AS sold, sum(sales) AS sales, sum(lost) AS lost,
           sum(removed) AS removed, sum(expired) AS expired, sum(received) AS received,
           sum(restocked) AS restocked, sum(refills) AS refills, sum(orders) AS orders,
           sum(discounts) AS discounts
    FROM (
        FROM sale UNION ALL BY NAME FROM lost UNION ALL BY NAME FROM refill
        UNION ALL BY NAME SELECT day, restocked FROM move
        UNION ALL BY NAME SELECT day, received FROM wh_move
        UNION ALL BY NAME
        SELECT day, units AS removed, CASE WHEN expiry_date < day THEN units END AS expired
        FROM (FROM removal UNION ALL FROM wh_removal) AS r
        LEFT JOIN (SELECT shelf_id, batch_code, min(expiry_date) AS expiry_date
                   FROM (FROM store_expiry UNION ALL FROM wh_expiry) GROUP BY ALL)
            USING (shelf_id, batch_code)
        UNION ALL BY NAME FROM placed UNION ALL BY NAME FROM discounted
    ) GROUP BY day
)
SELECT day, coalesce(COLUMNS(* EXCLUDE day), 0)
FROM (FROM calendar LEFT JOIN flow USING (day) LEFT JOIN ending USING (day)) ORDER BY day
"""


@dataclass(frozen=True)
class BusinessDay:
    """One business day, in units unless something else is said.

    Attributes:
        day: The day, UTC.
        sold: On receipts.
        lost: Wanted by customers who found the shelf empty.
        sales: Money on receipts, in currency.
        removed: Taken off shelves and out of back rooms.
        expired: Those of them whose lot's expiry date had passed.
        received: Deliveries to the back room (`wh_in`).
        restocked: Brought from the back room to the shelf; opening stock apart.
        refills: Number of plans, and of wh_out without one, whose goods reached a shelf.
        orders: Number of supplier orders placed.
        discounts: Number of shelves that had a discount.
        shelf_stock: On shelves when the day ended.
        warehouse_stock: In back rooms when the day ended.
        low_shelves: Number of shelves that were low when the day ended, by the profiles and
            policies of today; of shelves that nothing had moved on yet, none.
    """

    day: date
    sold: int
    lost: int
    sales: Decimal
    removed: int
    expired: int
    received: int
    restocked: int
    refills: int
    orders: int
    discounts: int
    shelf_stock: int
    warehouse_stock: int
    low_shelves: int

    @property
    def stock(self) -> int:
        """Units on shelves and in back rooms when the day ended; what was on the way is neither."""
        return self.shelf_stock + self.warehouse_stock

    def as_json(self) -> dict[str, object]:
        """The day as plain values; money as a number."""
        return {
            **asdict(self),
            "day": self.day.isoformat(),
            "sales": float(self.sales),
            "stock": self.stock,
        }


TOTALS = (
    "sold",
    "lost",
    "removed",
    "expired",
    "received",
    "restocked",
    "refills",
    "orders",
    "discounts",
)
"""Figures of a day that add up."""


@dataclass(frozen=True)
class Achieved:
    """What a shop achieved.

    Attributes:
        days: Its business days, in order, without a gap.
    """

    days: tuple[BusinessDay, ...]

    def total(self, figure: str) -> int:
        """Sum of one of `TOTALS` over all days."""
        return sum(getattr(day, figure) for day in self.days)

    @property
    def sales(self) -> Decimal:
        """Money on receipts, in currency."""
        return sum((day.sales for day in self.days), Decimal(0))

    @property
    def service_level(self) -> float | None:
        """Units sold, as a share of those that customers wanted; None if they wanted none."""
        return _share(self.total("sold"), self.total("sold") + self.total("lost"))

    @property
    def waste(self) -> float | None:
        """Units removed expired, as a share of those received; None if none were."""
        return _share(self.total("expired"), self.total("received"))

    @property
    def average_stock(self) -> float | None:
        """Units in the shop at the end of a day, on average; None without days."""
        return _share(sum(day.stock for day in self.days), len(self.days))

    @property
    def turns(self) -> float | None:
        """How often the average stock was sold in these days; None without stock."""
        return _share(self.total("sold"), self.average_stock or 0)

    def as_json(self) -> dict[str, object]:
        """All figures as plain values, with those of each day; shares between 0 and 1."""
        return {
            "since": self.days[0].day.isoformat() if self.days else None,
            "until": self.days[-1].day.isoformat() if self.days else None,
            "service_level": self.service_level,
            "waste": self.waste,
            "average_stock": self.average_stock,
            "turns": self.turns,
            "sales": float(self.sales),
            **{figure: self.total(figure) for figure in TOTALS},
            "days": [day.as_json() for day in self.days],
        }


def achieved(lake_root: str | Path, since: date, until: date) -> Achieved:
    """What the shop of a lake achieved from the day `since` to the day `until`, both included.

    Args:
        lake_root: Folder or URL of the lake.
        since: First business day.
        until: Last business day; no days if it is before `since`.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    with empty(lake_root) as books:
        _load(books)
        books.db.execute(STOCK_STEPS)
        rows = books.db.execute(DAYS, {"since": since, "until": until}).fetchall()
        names = [column[0] for column in books.db.description or ()]
    return Achieved(tuple(_day(dict(zip(names, row, strict=True))) for row in rows))


def _day(row: dict[str, object]) -> BusinessDay:
    day, sales = row.pop("day"), row.pop("sales")
    figures = {name: int(str(value)) for name, value in row.items()}
    return BusinessDay(day=date.fromisoformat(str(day)), sales=Decimal(str(sales)), **figures)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _load(books: Books) -> None:
    moved = ("event_time", "shelf_id", "event_type", "quantity")
    refilled = ("event_time", "event_type", "reason", "plan_id", "cause_event_id", "event_id")
    expiring = ("shelf_id", "batch_code", "expiry_date")
    for view, name, columns, sql in (
        ("move", Raw.SHELF_EVENTS, (*moved, "reason"), MOVES),
        ("wh_move", Raw.WH_EVENTS, moved, WH_MOVES),
        ("refill", Raw.SHELF_EVENTS, refilled, REFILLS),
        ("removal", Raw.SHELF_EVENTS, (*moved, "batch_code"), REMOVALS),
        ("wh_removal", Raw.WH_EVENTS, (*moved, "batch_code"), REMOVALS),
        ("sale", Raw.POS_TRANSACTIONS, ("event_time", "items"), SALES),
        ("lost", Raw.LOST_SALES, ("event_time", "quantity"), LOST),
        ("store_expiry", Cleansed.SHELF_BATCH_STATE, expiring, EXPIRIES),
        ("wh_expiry", Cleansed.WH_BATCH_STATE, expiring, EXPIRIES),
        (
            "placed",
            Ops.WH_SUPPLIER_ORDERS,
            ("cutoff_ts",),
            "SELECT cutoff_ts::DATE AS day, count(*) AS orders FROM source GROUP BY day",
        ),
        (
            "discounted",
            Analytics.DAILY_DISCOUNTS,
            ("discount_date",),
            "SELECT discount_date AS day, count(*) AS discounts FROM source GROUP BY day",
        ),
    ):
        books.load(view, name, columns, sql)
    _load_limits(books)


def _load_limits(books: Books) -> None:
    policy = ("shelf_id", "threshold_pct", "min_qty")
    books.load("profile", Curated.SHELF_PROFILES, ("shelf_id", "max_stock"))
    books.load(
        "policy",
        Staging.SHELF_POLICIES,
        (*policy, "active", "deleted"),
        f"SELECT {', '.join(policy)} FROM source WHERE active AND NOT deleted",
    )
    defaults = {name: POLICY.field(name).default for name in policy[1:]}
    books.db.execute(f"CREATE TEMP TABLE limits AS {LIMITS}", {**defaults, "everyone": GLOBAL})
