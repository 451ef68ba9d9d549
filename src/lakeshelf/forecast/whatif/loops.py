"""A finished loop, replayed under the policy that was in force (docs/design/forecasting.md#what-if)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.layers import Ops, Raw, Staging
from lakeshelf.contracts.retail.topics_reference import PLAN_SOURCES
from lakeshelf.forecast.demand.engine import BOUNDS, engine
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.whatif.errors import NoReceipts
from lakeshelf.forecast.whatif.history import DemandHistory, Goods
from lakeshelf.forecast.whatif.lakes import policies
from lakeshelf.forecast.whatif.policies import StockPolicy
from lakeshelf.forecast.whatif.replay import WEEK, ReplayOutcome, replay
from lakeshelf.forecast.whatif.steps import ReplaySteps
from lakeshelf.forecast.whatif.stock import Allotted
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.reconcile.checks import SAMPLES, Check
from lakeshelf.shop.explain import policies_held
from lakeshelf.shop.naming import PROFILES

MOVED = ("event_id", "event_type", "event_time", "shelf_id", "quantity")
SOURCES = {
    "store": (Raw.SHELF_EVENTS, (*MOVED, "batch_code", "reason")),
    "room": (Raw.WH_EVENTS, (*MOVED, "batch_code", "order_id", "received_date")),
    "missed": (Raw.LOST_SALES, MOVED),
    "orders": (Ops.WH_SUPPLIER_ORDERS, ("shelf_id", "cutoff_ts", "total_qty")),
}
"""Name in statements → table, and its columns that are read."""
TAKEN = """
WITH acts AS (
    SELECT *, CASE event_type WHEN 'putback' THEN -quantity ELSE quantity END AS units FROM (
        SELECT * EXCLUDE (batch_code, reason) FROM store WHERE event_type IN ('pickup', 'putback')
        UNION ALL SELECT * FROM missed)),
of_steps AS (
    SELECT step, place, units, sum(units) OVER (
        PARTITION BY step, place ORDER BY event_time, event_type, event_id ROWS UNBOUNDED PRECEDING) AS so_far
    FROM acts JOIN goods USING (shelf_id) ASOF JOIN steps ON acts.event_time <= steps.moment)
SELECT step, place, sum(units)::BIGINT AS units, greatest(max(so_far), 0)::BIGINT AS peak
FROM of_steps GROUP BY step, place
"""
OPENED = """
WITH lots AS (
    SELECT shelf_id, batch_code, received_date, quantity FROM room WHERE event_type = 'wh_in' AND order_id IS NULL)
SELECT 'room' AS location, place, received_date - $first AS day, quantity FROM lots JOIN goods USING (shelf_id)
UNION ALL SELECT 'shelf', place, received_date - $first, store.quantity
FROM store JOIN lots USING (shelf_id, batch_code) JOIN goods USING (shelf_id) WHERE reason = 'opening_balance'
"""
DECIDED = """
WITH acts AS (
    SELECT 'lost' AS what, shelf_id, event_time, quantity FROM missed
    UNION ALL SELECT 'removed', shelf_id, event_time, quantity FROM store WHERE event_type = 'removal'
    UNION ALL SELECT 'removed', shelf_id, event_time, quantity FROM room WHERE event_type = 'wh_removal'),
told AS (
    SELECT what, shelf_id, (moment::DATE - $first) // $week AS number, quantity
    FROM acts ASOF JOIN steps ON acts.event_time <= steps.moment
    UNION ALL SELECT 'ordered', shelf_id, cutoff_ts::DATE - $first, total_qty FROM orders)
SELECT what, shelf_id, number, sum(quantity)::BIGINT AS units FROM told SEMI JOIN goods USING (shelf_id) GROUP BY ALL
"""
Key = tuple[str, str, int]
"""`ordered`, `lost` or `removed`; the shelf; number of the cutoff's day, or of the week."""


@dataclass(frozen=True)
class Loop:
    """A loop that has ended, of the shelves for which the rule orders.

    Args:
        history: What customers wanted and put back, step by step.
        policy: What was in force, an entry a shelf.
        opening: Lots with which the stores opened.
        decided: Units that were ordered, lost and removed.
    """

    history: DemandHistory
    policy: StockPolicy
    opening: Allotted
    decided: Mapping[Key, int]

    def foretold(self) -> dict[Key, int]:
        """The same units, as a replay says; its lots are moved by it."""
        outcome = replay(self.history, self.policy, opening=self.opening)
        return {key: units for key, units in _units(outcome, self.history.steps) if units}


def loop_check(root: Place, moments: Sequence[datetime]) -> Check:
    """M7: what-if of the policy in force gives the orders, lost units and removals of a finished loop.

    Shelves for which a model orders are left out: their levels are told, and follow from no policy. Where nobody
    wanted anything there is nothing to compare.

    Args:
        root: Lake root.
        moments: Business times of the loop's steps, since when no person changed a policy or counted goods.

    Raises:
        LakeError: A table is missing or cannot be read.
    """
    foretold, expected = _both(root, moments)
    every = foretold.keys() | expected.keys()
    off = sorted(key for key in every if foretold.get(key, 0) != expected.get(key, 0))
    return Check(
        "M7 what-if",
        "what-if of the policy in force gives the loop's orders, lost units and removals",
        sum(expected.values()),
        sum(foretold.values()),
        len(off),
        tuple(_difference(key, expected, foretold) for key in off[:SAMPLES]),
    )


def _both(root: Place, moments: Sequence[datetime]) -> tuple[Mapping[Key, int], Mapping[Key, int]]:
    """What the replay says, and what the loop did."""
    try:
        loop = read(root, moments)
    except NoReceipts:
        return {}, {}
    return loop.foretold(), loop.decided


def _difference(key: Key, expected: Mapping[Key, int], foretold: Mapping[Key, int]) -> str:
    what, shelf, number = key
    span = "day" if what == "ordered" else "week"
    return f"{what} {shelf}, {span} {number}: {expected.get(key, 0)}, and {foretold.get(key, 0)}"


def read(root: Place, moments: Sequence[datetime]) -> Loop:
    """What a lake knows of a loop.

    Args:
        root: Lake root.
        moments: Business times of its steps.

    Raises:
        NoReceipts: Nobody wanted anything.
        LakeError: A table is missing or cannot be read.
    """
    goods, steps = Goods.of(_ruled(root)), ReplaySteps.of_moments(moments)
    known = {name: tables.rows(root, *of) for name, of in SOURCES.items()}
    known["goods"] = pa.table({"shelf_id": goods.shelf_id, "place": range(len(goods.shelf_id))})
    known["steps"] = pa.table({"step": range(len(moments)), "moment": list(moments)})
    with engine(known, BOUNDS) as connection:
        taken = connection.execute(TAKEN).to_arrow_table()
        opened = connection.execute(OPENED, {"first": steps.first}).to_arrow_table()
        decided = connection.execute(DECIDED, {"first": steps.first, "week": WEEK}).fetchall()
    return Loop(
        _history(goods, steps, taken),
        StockPolicy(**policies(root, list(goods.shelf_id))),
        _opening(goods, steps, opened),
        {(what, shelf, number): units for what, shelf, number, units in decided},
    )


def _ruled(root: Place) -> pa.Table:
    """Profiles of shelves for which the rule orders."""
    profiles = tables.whole_rows(root, PROFILES).sort_by("shelf_id")
    rows = tables.whole_rows(root, Staging.WH_POLICIES)
    held = policies_held("wh_policies", rows, profiles["shelf_id"])
    ruled = held.filter(pc.equal(held["plan_source"], PLAN_SOURCES[0]))["shelf_id"]
    return profiles.filter(pc.is_in(profiles["shelf_id"], ruled.combine_chunks()))


def _history(goods: Goods, steps: ReplaySteps, taken: pa.Table) -> DemandHistory:
    size = len(steps.steps), len(goods.shelf_id)
    units, peaks = (_filled(size, taken, "step", name) for name in ("units", "peak"))
    return DemandHistory(goods, steps, units, np.zeros(size[1], np.int64), peaks)


def _opening(goods: Goods, steps: ReplaySteps, opened: pa.Table) -> Allotted:
    before = -min(0, pc.min(opened["day"]).as_py() or 0)
    opened = opened.append_column("row", pc.add(opened["day"], before))
    size = before + 1, len(goods.shelf_id)
    room, shelf = (
        _filled(size, opened.filter(pc.equal(opened["location"], name)), "row", "quantity")
        for name in ("room", "shelf")
    )
    return Allotted(goods.life, steps.days, room, shelf)


def _filled(size: tuple[int, int], rows: pa.Table, row: str, value: str) -> Ints:
    """Sums of values, by row and shelf."""
    sums = np.zeros(size, np.int64)
    np.add.at(sums, (rows[row].to_numpy(), rows["place"].to_numpy()), rows[value].to_numpy())
    return sums


def _units(outcome: ReplayOutcome, steps: ReplaySteps) -> Iterator[tuple[Key, int]]:
    lost = outcome.sums["demand"] - outcome.sums["sold"]
    cutoffs = [cutoff.day for cutoff in steps.cutoffs]
    parts = {
        "ordered": (cutoffs, outcome.placed),
        "lost": (range(len(lost)), lost),
        "removed": (range(len(lost)), outcome.sums["wasted"]),
    }
    for what, (numbers, units) in parts.items():
        for number, row in zip(numbers, units.tolist(), strict=True):
            for shelf, each in zip(outcome.goods.shelf_id, row, strict=True):
                yield (what, str(shelf), number), each
