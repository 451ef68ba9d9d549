"""Why so much is ordered for a shelf: who decides, by what figures, and what the forecast is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.forecast.demand.rows import of_store
from lakeshelf.forecast.demand.windows import latest_cutoff
from lakeshelf.forecast.inference import reasons
from lakeshelf.forecast.inference.handover import handed_back
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.errors import NotExplained
from lakeshelf.forecast.versions.standing import standing
from lakeshelf.lake import Lake
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import tables
from lakeshelf.lake.rows.conditions import Where
from lakeshelf.shop import shortage
from lakeshelf.shop.books import DecisionBooks
from lakeshelf.shop.explain import policy
from lakeshelf.shop.history import History
from lakeshelf.shop.naming import PROFILES, require_known
from lakeshelf.streams.declare.job import Job, relation

CLOSE = 1e-6
"""Share by which a forecast that is made again may differ from the one that was kept."""
PLACE = ("shelf_id", "name", "store_id", "item_id")
PLAN = (
    *("supplier_plan_id", "status", "suggested_qty", "source", "model_version", "level_qty"),
    *("order_id", "created_at"),
)
FORECAST = (
    *("model_name", "model_version", "feature_date", "horizon_days", "segment", "mean_units"),
    *("level_qty", "service_level", "valid_until"),
)


@dataclass(frozen=True)
class Units:
    """Units to order, in whole lots.

    Attributes:
        units: The units.
        lots: The lots.
        lot_qty: Units of a lot.
    """

    units: int
    lots: int
    lot_qty: int


@dataclass(frozen=True)
class Explanation:
    """Why so much is ordered for a shelf.

    Attributes:
        shelf: `shelf_id`, `name`, `store_id`, `item_id`.
        day: The latest business day that is known; None: none is, and a level that is there holds.
        source: Who decides.
        why_rule: Why the rule does, a sentence each; none where a model does.
        order: What is asked for. The order of an issued plan is not counted as coming: it is what is explained.
        position_qty: Units that can serve the window; None: the rule decides.
        rule: What the rule asks for, from the same books.
        rule_why: Why, a sentence for each limit that is broken; none: nothing is low.
        stock: Units in the back room.
        ordered: Units that are ordered and not delivered.
        policy: As `lakeshelf.shop.explain.policy` gives it.
        plan: The latest plan: columns of `PLAN`; None: there is none.
        forecast: Columns of `FORECAST`, with `quantiles`, and `parts` of `reasons.Parts`; None: the rule decides.
    """

    shelf: Mapping[str, Any]
    day: date | None
    source: Literal["rule", "ml"]
    why_rule: list[str]
    order: Units
    position_qty: int | None
    rule: Units
    rule_why: list[str]
    stock: int
    ordered: int
    policy: Mapping[str, Any]
    plan: Mapping[str, Any] | None
    forecast: Mapping[str, Any] | None

    def as_json(self) -> dict[str, Any]:
        """It as plain values."""
        return asdict(self)


def explained(root: Place, engine: Job, shelf: str) -> Explanation:
    """Why so much is ordered for a shelf.

    Args:
        root: Lake root.
        engine: The job `wh-alert-engine`.
        shelf: The shelf.

    Raises:
        ConfigurationError: There is no such shelf.
        NotExplained: A level decides whose forecast is not in the lake, or not as it was.
        VersionDamaged: The files of its version are gone, or not what they were.
        MissingExtra: LightGBM cannot be used.
    """
    require_known(root, shelf=shelf)
    (profile,) = tables.whole_rows(root, PROFILES, [("shelf_id", "=", shelf)]).to_pylist()
    day, plan = business_day(root), _plan(root, shelf)
    row = _judged(DecisionBooks.of(root, engine, lots=True), shelf, day, plan)
    by_model = row["source"] == "ml"
    held = policy(History(root), "wh_policies", shelf)
    lot = int(row["lot"])
    return Explanation(
        shelf={name: profile[name] for name in PLACE},
        day=day,
        source=row["source"],
        why_rule=[] if by_model else list(_why_rule(root, profile, day, held["fields"])),
        order=_units(row["wanted"], lot),
        position_qty=row["position_qty"],
        rule=_units(row["rule_qty"], lot),
        rule_why=shortage.why(row, "warehouse"),
        stock=row["stock"],
        ordered=int(row["ordered"]),
        policy=held,
        plan=plan,
        forecast=_forecast(root, shelf) if by_model else None,
    )


def business_day(root: Place) -> date | None:
    """The latest business day whose features were made, or that was predicted."""
    seconds = [
        tables.open_table(root, name, to_read=True).transaction_version(CATALOG.tables[name].owner)
        for name in (Curated.FEATURES_STORE, Curated.PREDICTIONS)
        if tables.exists(root, name)
    ]
    latest = max((one for one in seconds if one is not None), default=None)
    return None if latest is None else datetime.fromtimestamp(latest, UTC).date()


def _units(units: int, lot: int) -> Units:
    return Units(int(units), -(-int(units) // lot), lot)


def _plan(root: Place, shelf: str) -> dict[str, Any] | None:
    """The latest plan of a shelf."""
    rows = tables.whole_rows(root, Ops.WH_SUPPLIER_PLAN, [("shelf_id", "=", shelf)]).to_pylist()
    latest = max(rows, key=lambda row: (row["created_at"], row["supplier_plan_id"]), default=None)
    return None if latest is None else {name: latest[name] for name in PLAN}


def _judged(
    books: DecisionBooks, shelf: str, day: date | None, plan: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What the engine makes of the shelf, without the order that an issued plan became."""
    profiles, orders = (relation(name) for name in (PROFILES, Staging.SUPPLIER_ORDERS))
    own = books.rows[profiles].filter(pc.equal(books.rows[profiles]["shelf_id"], shelf))
    coming = books.rows[orders]
    if plan is not None and plan["status"] == "issued":
        coming = coming.filter(pc.not_equal(coming["order_id"], pa.scalar(plan["order_id"])))
    (row,) = books.judged(day, **{profiles: own, orders: coming}).to_pylist()
    return dict(row)


def _why_rule(
    root: Place, profile: Mapping[str, Any], day: date | None, fields: Mapping[str, Any]
) -> Iterator[str]:
    """Why the rule decides, a sentence each."""
    source = fields["plan_source"]
    if source["value"] != "ml":
        yield f"the policy has plan_source {source['value']} (from {source['from']})"
        return
    level = _level(root, profile["shelf_id"])
    if level is None:
        yield "no level of a model is there for it"
    elif day is not None and level["valid_until"].date() <= day:
        yield f"the level of {level['feature_date']} held until {level['valid_until'].date()}"
    yield from _without_model(root, profile["store_id"], day)


def _without_model(root: Place, store: str, day: date | None) -> Iterator[str]:
    """What keeps the champion from deciding."""
    known = standing(root)
    if known is None or known["champion"] is None:
        yield "no version is champion"
        return
    yield from known["problems"]
    version = known["champion"]["model_version"]
    if day is not None and {store, ""} & handed_back(Lake(root), latest_cutoff(day), version):
        yield f"model {version} did badly in store {store} for seven days, so the rule decides there"


def _level(root: Place, shelf: str) -> dict[str, Any] | None:
    if not tables.exists(root, Staging.ORDER_LEVELS):
        return None
    where: Where = [("shelf_id", "=", shelf), ("deleted", "=", False)]
    rows = tables.rows(root, Staging.ORDER_LEVELS, where=where).to_pylist()
    return next(iter(rows), None)


def _forecast(root: Place, shelf: str) -> dict[str, Any]:
    """The forecast behind the level of a shelf, and what it is made of."""
    level = _level(root, shelf)
    assert level is not None
    names = ("model_name", "model_version", "feature_date")
    key: Where = [("shelf_id", "=", shelf), *((name, "=", level[name]) for name in names)]
    made = f"of {level['feature_date']} by {level['model_version']}"
    row = _only(root, Curated.PREDICTIONS, key, f"the forecast {made} is not in the lake")
    version = registered.version(Lake(root), level["model_version"], level["model_name"])
    parts = reasons.parts(version.trained, _features(root, shelf, level["feature_date"]))
    if abs(parts.mean - row["mean_units"]) > CLOSE * max(1.0, row["mean_units"]):
        raise NotExplained(
            f"{shelf}: the forecast {made} is {row['mean_units']:g}, and its features say {parts.mean:g}",
            hint=f"they were changed since; see `lakeshelf lake history {Curated.FEATURES_STORE}`",
        )
    quantiles = orjson.loads(row["quantiles"])
    return {name: row[name] for name in FORECAST} | {"quantiles": quantiles, **asdict(parts)}


def _features(root: Place, shelf: str, day: date) -> pa.Table:
    """What the forecast of a day was made from."""
    where: Where = [("shelf_id", "=", shelf), ("feature_date", "=", day)]
    rows = of_store(tables.whole_rows(root, Curated.FEATURES_STORE, where))
    if rows.num_rows != 1:
        raise _gone(f"the features of {shelf} of {day} are not in the lake")
    return rows


def _only(root: Place, name: str, where: Where, missing: str) -> dict[str, Any]:
    rows = tables.whole_rows(root, name, where).to_pylist()
    if len(rows) != 1:
        raise _gone(missing)
    return dict(rows[0])


def _gone(what: str) -> NotExplained:
    return NotExplained(what, hint="the next cutoff day's can be explained; the order stands")
