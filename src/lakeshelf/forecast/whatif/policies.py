"""Policies that are replayed: fields of the contract, and who plans orders by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np

from lakeshelf.choices import chosen
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.retail.topics_reference import (
    LEAST_SERVICE,
    MOST_SERVICE,
    PLAN_SOURCES,
)
from lakeshelf.errors import ConfigurationError
from lakeshelf.forecast.frames import Forecast
from lakeshelf.forecast.orders import lots, rule
from lakeshelf.forecast.orders.distribution import Ints
from lakeshelf.forecast.orders.economics import (
    DEFAULTS,
    Economics,
    Outlook,
)
from lakeshelf.forecast.orders.level import levels, position
from lakeshelf.forecast.whatif.errors import OutOfBounds, UnknownField
from lakeshelf.forecast.whatif.history import Goods
from lakeshelf.forecast.whatif.steps import Cutoff

TOPICS = ("shelf_policies", "wh_policies")
FIELDS = {field.name: field for name in TOPICS for field in CATALOG.topics[name].fields}
"""Field → its type, default and bounds."""
OF_MODELS = ("plan_source", "service_level", "allow_zero")
"""Fields that decide about levels of a model alone."""


@dataclass(frozen=True)
class StockPolicy:
    """What decides about refills and orders: a value for all shelves, or an array with one a shelf.

    Args:
        threshold_pct: A shelf is low below this share of `max_stock`, in percent.
        min_qty: A shelf is low below this many units; the floor of levels.
        target_pct: A shelf is refilled to this share, in percent.
        reorder_point_qty: The rule orders for a back room with fewer units.
        batch_multiplier: Batches of a lot.
        plan_source: `rule`, or `ml`: levels from forecasts, where there are any.
        service_level: Share of windows in which a level should suffice; NaN: from the costs.
        allow_zero: Whether levels may be 0.
    """

    threshold_pct: Any = FIELDS["threshold_pct"].default
    min_qty: Any = FIELDS["min_qty"].default
    target_pct: Any = FIELDS["target_pct"].default
    reorder_point_qty: Any = FIELDS["reorder_point_qty"].default
    batch_multiplier: Any = FIELDS["batch_multiplier"].default
    plan_source: Any = PLAN_SOURCES[0]
    service_level: Any = np.nan
    allow_zero: Any = False

    @classmethod
    def names(cls) -> list[str]:
        """Names of its fields."""
        return [field.name for field in fields(cls)]

    @property
    def by_model(self) -> Any:
        """Whether levels from forecasts decide: for all shelves, or one a shelf."""
        return np.asarray(self.plan_source) != PLAN_SOURCES[0]

    def changed(self, values: Mapping[str, Any]) -> StockPolicy:
        """The policy with some fields changed.

        Raises:
            UnknownField: A name that is none of its fields.
            OutOfBounds: A value that its field may not have.
        """
        for name, value in values.items():
            require_known(name)
            _require_bounds(name, value)
        return replace(self, **values)


def require_known(name: str) -> None:
    """Refuse a name that is no field of a policy, or of one that changes no order.

    Raises:
        UnknownField: It is refused; its neighbours are named.
    """
    try:
        chosen("field that changes an order", name, StockPolicy.names())
    except ConfigurationError as error:
        raise UnknownField(error.message, hint=error.hint) from None


def _require_bounds(name: str, value: Any) -> None:
    if name == "plan_source":
        if unknown := sorted({*np.atleast_1d(value).tolist()} - {*PLAN_SOURCES}):
            raise OutOfBounds(f"{name} is {unknown[0]}", hint=f"give {' or '.join(PLAN_SOURCES)}")
    elif name == "service_level":
        asked = np.asarray(value, np.float64)
        _require_between(name, asked[~np.isnan(asked)], LEAST_SERVICE, MOST_SERVICE)
    elif name != "allow_zero":
        field = FIELDS[name]
        _require_between(name, np.asarray(value), field.minimum, field.maximum)


def _require_between(name: str, values: Any, least: float | None, most: float | None) -> None:
    low, high = -np.inf if least is None else least, np.inf if most is None else most
    beyond = values[~((values >= low) & (values <= high))]
    if beyond.size:
        raise OutOfBounds(
            f"{name} is {beyond.flat[0]:g}", hint=f"give a value from {low:g} to {high:g}"
        )


@dataclass(frozen=True)
class StockHeld:
    """What a shelf has at a cutoff, in units, one a shelf.

    Args:
        room: In the back room.
        shelf: On the shelf.
        ordered: Ordered and not delivered.
        expiring: Of those of back room and shelf, what expires before the delivery of the next cutoff.
    """

    room: Ints
    shelf: Ints
    ordered: Ints
    expiring: Ints


class Planner(Protocol):
    """Decides what is ordered at a cutoff."""

    def order(self, cutoff: int, held: StockHeld) -> Ints:
        """Units to order, one a shelf.

        Args:
            cutoff: Number of the cutoff, from 0.
            held: What each shelf has.
        """


@dataclass(frozen=True)
class RulePlanner:
    """Orders by reorder point, as `wh-alert-engine` does."""

    policy: StockPolicy
    batch: Ints

    def order(self, cutoff: int, held: StockHeld) -> Ints:
        """See `Planner`."""
        lot = self.batch * self.policy.batch_multiplier
        return rule.supply(held.room, held.ordered, self.policy.reorder_point_qty, lot)


def outlook(
    goods: Goods, cutoff: Cutoff, forecast: Forecast, economics: Economics = DEFAULTS
) -> Outlook:
    """What a forecast promises of the units that stand ready at a cutoff.

    A unit that is ordered can be sold from the day on which it is delivered to that of its expiry.

    Args:
        goods: The goods.
        cutoff: The cutoff.
        forecast: Demand of its window, an entry a shelf.
        economics: What goods earn and cost.
    """
    horizon = np.full(len(goods.life), float(cutoff.until - cutoff.day))
    life = cutoff.delivery - cutoff.day + goods.life + 1
    return Outlook.of(forecast, horizon, life, goods.price, economics)


@dataclass(frozen=True)
class ForecastPlanner:
    """Orders up to the levels that forecasts are worth, one outlook a cutoff."""

    policy: StockPolicy
    batch: Ints
    outlooks: Sequence[Outlook]

    def order(self, cutoff: int, held: StockHeld) -> Ints:
        """See `Planner`."""
        outlook, policy = self.outlooks[cutoff], self.policy
        service = np.broadcast_to(np.asarray(policy.service_level, np.float64), held.room.shape)
        level = levels(outlook, service, policy.min_qty, policy.allow_zero)
        lot = self.batch * policy.batch_multiplier
        floor = np.where(policy.allow_zero, 0, np.maximum(policy.min_qty, 1))
        return lots.order(position_of(held), level, lot, floor, outlook)


def position_of(held: StockHeld) -> Ints:
    """Units that can serve the window; nothing is between back room and shelf at a cutoff."""
    nothing = np.zeros_like(held.room)
    return position(held.shelf, nothing, held.room, held.ordered, held.expiring)
