"""Compacted topics that the pipeline is steered by: clock, profiles, policies, lots."""

from __future__ import annotations

from lakeshelf.contracts.model import Topic
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.types import BOOLEAN, DATE, DOUBLE, LONG, STRING, TIMESTAMP, Field

SHELF_OR_GLOBAL = s.described(s.SHELF_ID, "The shelf, or `__GLOBAL__` for all without their own.")
PLAN_SOURCES = ("rule", "ml")
"""Who may decide how much is ordered: the reorder point, or levels of a model."""
LEAST_SERVICE, MOST_SERVICE = 0.50, 0.995
"""Bounds of a service level; beyond the upper one a forecast whose last quantile is 0.99 says nothing."""
SERVICE_LEVEL = Field(
    "service_level",
    DOUBLE,
    "Share of windows in which a level suffices; null: it follows from costs.",
    required=False,
    minimum=LEAST_SERVICE,
    maximum=MOST_SERVICE,
)
MODEL_VERSION = Field("model_version", STRING, "Version of the model.")
MOST_VALID_DAYS = 8
"""Days from the beginning of a level's cutoff day to its end at most."""
ACTIVE = Field("active", BOOLEAN, "Whether the policy is in force.", default=True)
SET_BY = s.described(s.ACTOR, "Who set it, a person or a service.")

CLOCK = Topic(
    name="clock",
    key=(),
    fixed_key="clock",
    cleanup="compact",
    owner="clock",
    doc="Business time, the only time that decisions follow; it never goes back.",
    fields=(
        Field("now", TIMESTAMP, "Business time of the tick."),
        Field("today", DATE, "Business day of the tick."),
        Field("kind", STRING, "How time advances.", enum=("system", "scaled", "stepped")),
        Field("speed", DOUBLE, "Business seconds a second; 1 is real time.", minimum=0),
        Field("seq", LONG, "Number of the tick.", minimum=0),
        Field("phase", STRING, "Part of a step; null outside stepped mode.", required=False),
        *s.VERSIONED,
    ),
)

SHELF_PROFILES = Topic(
    name="shelf_profiles",
    key=("shelf_id",),
    key_only=(s.SHELF_ID,),
    cleanup="compact",
    owner=s.REFERENCE,
    doc="What stands on a shelf and how much fits; a tombstone takes the shelf away.",
    fields=(
        s.STORE_ID,
        s.ITEM_ID,
        Field("name", STRING, "Name of the item."),
        Field("category", STRING, "Department of the item.", required=False),
        Field("subcategory", STRING, "Kind of item in its department.", required=False),
        s.MAX_STOCK,
        Field("unit_weight", DOUBLE, "Weight of one unit.", required=False, minimum=0, unit="g"),
        Field("unit_price", s.MONEY, "List price of one unit.", minimum=0, unit="currency"),
        s.STANDARD_BATCH_SIZE,
        s.day_count(
            "shelf_life_days", "Days from receipt to expiry; null: it keeps.", required=False
        ),
        s.limit(
            "warehouse_capacity",
            "Units of the shelf that fit in the warehouse; does not limit orders.",
            required=False,
        ),
        *s.VERSIONED,
    ),
)

SHELF_POLICIES = Topic(
    name="shelf_policies",
    key=("shelf_id",),
    key_only=(SHELF_OR_GLOBAL,),
    cleanup="compact",
    owner=s.REFERENCE,
    doc="When a shelf is refilled and how far; falls back to `__GLOBAL__`, then to the defaults.",
    fields=(
        s.percent("threshold_pct", "Low below this share of `max_stock`.", default=30),
        s.limit("min_qty", "Low below this many units.", default=1),
        s.percent("target_pct", "Refilled to this share.", default=80),
        s.day_count(
            "near_expiry_days",
            "Days before expiry at which a lot on the shelf is reported.",
            default=5,
        ),
        ACTIVE,
        SET_BY,
        *s.VERSIONED,
    ),
)

WH_POLICIES = Topic(
    name="wh_policies",
    key=("shelf_id",),
    key_only=(SHELF_OR_GLOBAL,),
    cleanup="compact",
    owner=s.REFERENCE,
    doc="When the warehouse orders for a shelf; falls back as `shelf_policies` does.",
    fields=(
        s.limit("reorder_point_qty", "Ordered below this many units.", default=10),
        Field(
            "batch_multiplier",
            LONG,
            "Supplier's lots an order is a multiple of.",
            default=1,
            minimum=1,
            maximum=s.MAX_MULTIPLIER,
        ),
        s.day_count(
            "near_expiry_days",
            "Days before expiry at which a lot in the warehouse is reported.",
            default=10,
        ),
        Field(
            "plan_source",
            STRING,
            "Who decides how much is ordered; without a level in force the rule does.",
            required=False,
            enum=PLAN_SOURCES,
            default=PLAN_SOURCES[0],
        ),
        SERVICE_LEVEL,
        Field(
            "allow_zero",
            BOOLEAN,
            "Whether a model may leave the shelf without stock.",
            required=False,
            default=False,
        ),
        ACTIVE,
        SET_BY,
        *s.VERSIONED,
    ),
)

BATCH_CATALOG = Topic(
    name="batch_catalog",
    key=("batch_code",),
    key_only=(s.BATCH_CODE,),
    cleanup="compact",
    owner=s.REFERENCE,
    doc="Lots as their supplier describes them; dates of movements come before the catalogue's.",
    fields=(s.ITEM_ID, s.EXPIRY_DATE, s.STANDARD_BATCH_SIZE, *s.VERSIONED),
)

ORDER_LEVELS = Topic(
    name="order_levels",
    key=("shelf_id",),
    key_only=(s.SHELF_ID,),
    cleanup="compact",
    owner="inference-service",
    doc="Up to which position a model would order for a shelf, and until when that holds.",
    fields=(
        s.STORE_ID,
        s.ITEM_ID,
        s.limit("level_qty", "Position that an order should reach."),
        s.limit(
            "lot_level_qty",
            "Position below which one more whole lot earns at least what it costs; null: unknown.",
            required=False,
        ),
        s.described(SERVICE_LEVEL, "Share of windows in which it suffices; null: from costs."),
        Field("feature_date", DATE, "The cutoff day whose features it follows from."),
        Field("valid_until", TIMESTAMP, "When it ends: with the next cutoff day."),
        Field("model_name", STRING, "The model."),
        MODEL_VERSION,
        *s.VERSIONED,
    ),
    within=(("valid_until", "feature_date", MOST_VALID_DAYS),),
)

_STAMPS = frozenset(field.name for field in (ACTIVE, SET_BY, *s.VERSIONED))


def limits(policies: Topic) -> tuple[Field, ...]:
    """Fields of a topic of policies that people choose; what a policy leaves out another one or the default says."""
    return tuple(field for field in policies.fields if field.name not in _STAMPS)


PROMOTIONS = Topic(
    name="promotions",
    key=("shelf_id", "week"),
    cleanup="compact",
    owner=s.REFERENCE,
    doc="Displays and mailers that are planned for a shelf and week; a tombstone takes the plan back.",
    fields=(
        s.SHELF_ID,
        Field("week", DATE, "Monday of the week."),
        Field("display", STRING, "Place of the display; null: none.", required=False),
        Field("mailer", STRING, "Place in the mailer; null: none.", required=False),
        Field("known_at", TIMESTAMP, "When it was known; no earlier day may count on it."),
        *s.VERSIONED,
    ),
)

TOPICS = (
    CLOCK,
    SHELF_PROFILES,
    SHELF_POLICIES,
    WH_POLICIES,
    BATCH_CATALOG,
    PROMOTIONS,
    ORDER_LEVELS,
)
