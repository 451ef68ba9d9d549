"""What a lake knows of its shop, as a replay needs it: goods, policies in force, and units that were wanted."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.choices import chosen
from lakeshelf.contracts.layers import Raw
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.demand.daily import daily_demand
from lakeshelf.forecast.whatif import forecasts
from lakeshelf.forecast.whatif.errors import NoReceipts, OutOfBounds
from lakeshelf.forecast.whatif.forecasts import Forecasts, ModelPlanner, Progress
from lakeshelf.forecast.whatif.history import UNKNOWN, DemandHistory, Goods
from lakeshelf.forecast.whatif.policies import TOPICS, StockPolicy
from lakeshelf.forecast.whatif.steps import ReplaySteps
from lakeshelf.forecast.whatif.wishes import Cell, patched
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Condition
from lakeshelf.shop.cutoffs import DAY
from lakeshelf.shop.explain import policies_held
from lakeshelf.shop.naming import PROFILES

NOTHING: Mapping[str, Sequence[Cell]] = MappingProxyType({})
QUARTER = 91
"""Days up to the last one, where no first one is named."""
MOST_DAYS = 3 * 366
RECEIPTS = ("event_time", "store_id", "items")
LOST = ("event_time", "store_id", "shelf_id", "item_id", "quantity")


@dataclass(frozen=True)
class ReplayScope:
    """Days and shelves that are looked at.

    Args:
        since: First day; None: a quarter before the last one.
        until: Last day; None: that of the last receipt.
        chosen: Column of a profile (`store_id`, `category`, `item_id`) → its values that are meant; none: all.
    """

    since: date | None
    until: date | None
    chosen: Mapping[str, Collection[str]]


@dataclass(frozen=True)
class ReplayedShop:
    """A shop as it was, and as it is run.

    Args:
        names: Name of what stands on each shelf of the history.
        history: Units that were wanted, of shelves that had sold something by the last day.
        policy: What is in force, an entry a shelf.
        lost_units: Units of lost sales among those that were wanted; None: nobody observes any.
        nameless: Shelves with receipts in these days that have no profile, and are left out.
        forecasts: What versions of the model say of the cutoff days; None: nothing, so the rule orders.
    """

    names: tuple[str, ...]
    history: DemandHistory
    policy: StockPolicy
    lost_units: int | None
    nameless: int
    forecasts: Forecasts | None = None

    @property
    def first(self) -> date:
        """First day."""
        return self.history.steps.first

    @property
    def last(self) -> date:
        """Last day."""
        return self.first + timedelta(days=self.history.steps.days - 1)

    def planner(self, policy: StockPolicy) -> ModelPlanner:
        """Who orders under a policy."""
        days = () if self.forecasts is None else self.forecasts.days
        return ModelPlanner(policy, self.history.goods, days)


def read(root: Place, scope: ReplayScope) -> ReplayedShop:
    """The shop of a lake.

    Args:
        root: Lake root.
        scope: Days and shelves.

    Raises:
        NoReceipts: Nothing was sold there, or then.
        ConfigurationError: No such store, category or item; days in the wrong order, or too many.
        SchemaError: A table lacks columns of its contract.
    """
    _require_order(scope)
    everything = tables.whole_rows(root, PROFILES).sort_by("shelf_id")
    profiles = _chosen(everything, scope.chosen)
    demand = _demand(root, scope)
    steps = _steps(demand, scope)
    units = pc.add(demand["units"], pc.fill_null(demand["lost_units"], 0))
    history = DemandHistory.of_days(
        Goods.of(profiles), demand.select(["shelf_id", "day"]).append_column("units", units), steps
    )
    sold = np.flatnonzero(history.begins < steps.days)
    profiles = profiles.take(pa.array(sold))
    shelves = profiles["shelf_id"].to_pylist()
    within = demand.filter(pc.greater_equal(demand["day"], steps.first))
    return ReplayedShop(
        tuple(profiles["name"].to_pylist()),
        history.take(sold),
        StockPolicy(**policies(root, shelves)),
        pc.sum(_of(within, profiles)["lost_units"]).as_py(),
        len(within["shelf_id"].unique()) - len(_of(within, everything)["shelf_id"].unique()),
    )


def foretold(
    root: Place, shop: ReplayedShop, changed: StockPolicy, progress: Progress
) -> ReplayedShop:
    """The shop, with what versions of the model say, as far as the policy in force or a changed one obeys it.

    Args:
        root: Lake root.
        shop: The shop.
        changed: The changed policy.
        progress: Is told how far it is.

    Raises:
        ConfigurationError: The change lets a model decide, and there is no version, or no features.
        VersionDamaged: The files of a version are not those that were registered.
        MissingExtra: LightGBM cannot be used.
    """
    said = forecasts.read(root, shop.history, (shop.policy, changed), progress)
    forecasts.require(said, shop.policy, changed)
    return replace(shop, forecasts=said)


def _require_order(scope: ReplayScope) -> None:
    if scope.since and scope.until and scope.since > scope.until:
        raise ConfigurationError(
            f"the first day {scope.since} is after the last one {scope.until}",
            hint="give days in their order",
        )


def _chosen(profiles: pa.Table, meant: Mapping[str, Collection[str]]) -> pa.Table:
    place = profiles.column_names.index("category")
    profiles = profiles.set_column(place, "category", profiles["category"].fill_null(UNKNOWN))
    for column, values in meant.items():
        known = profiles[column].unique().to_pylist()
        for value in values:
            chosen(column.removesuffix("_id"), value, known)
        if values:
            profiles = profiles.filter(pc.is_in(profiles[column], pa.array(values, pa.string())))
    return profiles


def _demand(root: Place, scope: ReplayScope) -> pa.Table:
    """Daily demand up to the last day, from the first receipt on: what sold before the first day counts from it."""
    where: list[Condition] = [("event_date", "<=", scope.until)] if scope.until else []
    if stores := scope.chosen.get("store_id"):
        where.append(("store_id", "in", tuple(stores)))
    receipts = tables.rows(root, Raw.POS_TRANSACTIONS, RECEIPTS, where)
    observed = tables.row_count(root, Raw.LOST_SALES) > 0
    lost = tables.rows(root, Raw.LOST_SALES, LOST, where) if observed else None
    return daily_demand(receipts, lost, None, date.min, (scope.until or date.max - DAY) + DAY)


def _steps(demand: pa.Table, scope: ReplayScope) -> ReplaySteps:
    """A step for each day, from the first receipt to the last at most."""
    if not demand.num_rows:
        until = f" up to {scope.until}" if scope.until else ""
        is_chosen = scope.until or scope.chosen.get("store_id")
        hint = "name other days or stores" if is_chosen else "`lakeshelf up` starts a shop"
        raise NoReceipts(f"there are no receipts{until}", hint=hint)
    days = pc.min_max(demand["day"]).as_py()
    last = min(scope.until or days["max"], days["max"])
    first = max(scope.since or last - (QUARTER - 1) * DAY, days["min"])
    if first > last:
        raise NoReceipts(
            f"there are no receipts from {first} on", hint=f"the last ones are of {last}"
        )
    number = (last - first).days + 1
    if number > MOST_DAYS:
        raise OutOfBounds(
            f"{number:,} days from {first} to {last}", hint=f"give at most {MOST_DAYS:,}"
        )
    return ReplaySteps.of_days(first, number)


def _of(demand: pa.Table, profiles: pa.Table) -> pa.Table:
    """Rows of shelves that have one of the profiles."""
    return demand.filter(pc.is_in(demand["shelf_id"], profiles["shelf_id"].combine_chunks()))


def policies(
    root: Place, shelves: Sequence[str], changes: Mapping[str, Sequence[Cell]] = NOTHING
) -> dict[str, Any]:
    """What holds for shelves.

    Args:
        root: Lake root.
        shelves: The shelves, in the order of their ids.
        changes: Topic → changes of its policies that are not in force yet.

    Returns:
        Field → its value for each shelf.
    """
    asked = pa.array(shelves, pa.string())
    fields: dict[str, Any] = {}
    for topic in TOPICS:
        rows = tables.whole_rows(root, f"staging/{topic}")
        rows = patched(topic, rows, changes.get(topic, ()))
        held = policies_held(topic, rows, asked).sort_by("shelf_id")
        fields |= {n: held[n].to_numpy() for n in StockPolicy.names() if n in held.schema.names}
    return fields
