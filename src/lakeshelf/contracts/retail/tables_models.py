"""Tables of what was trained, and of what it says: versions of models, scores, predictions, health."""

from __future__ import annotations

from lakeshelf.contracts.layers import Curated, Ops
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.retail.tables_curated import FEATURE_DATE
from lakeshelf.contracts.types import DATE, DOUBLE, LONG, STRING, TIMESTAMP, Field

TRAINING, INFERENCE = "training-service", "inference-service"
MODEL_NAME = Field("model_name", STRING, "The model.")
MODEL_VERSION = Field("model_version", STRING, "Version of the model.")

MODELS = Table(
    name=Ops.MODELS,
    key=("model_name", "model_version"),
    owner=TRAINING,
    doc="Registry of the versions of models: one row a version, of which one champion at most decides.",
    profile="shared",
    columns=(
        MODEL_NAME,
        MODEL_VERSION,
        Field(
            "status",
            STRING,
            "What the version is.",
            enum=("candidate", "challenger", "champion", "retired", "refused"),
        ),
        Field("trained_until", DATE, "Last day whose labels its training read."),
        Field("run_id", STRING, "The run that trained it."),
        Field("card_sha256", STRING, "SHA-256 of its `card.json`, which has those of its files."),
        Field("gates", STRING, "JSON: each gate, what was measured, its bound, whether it passed."),
        Field(
            "replaced",
            STRING,
            "Version that was champion before it; null: the rule decided.",
            required=False,
        ),
        Field("reason", STRING, "Why it has its status."),
        Field("actor", STRING, "Who gave it that, a person or a service."),
        Field("created_at", TIMESTAMP, "When it was registered."),
        Field("updated_at", TIMESTAMP, "Since when it has its status."),
        s.VERSION,
    ),
)

MODEL_SCORES = Table(
    name=Ops.MODEL_SCORES,
    key=("model_version", "fold", "segment", "metric", "contender"),
    owner=TRAINING,
    doc="What a version and every baseline beside it scored on the folds of its training.",
    profile="shared",
    columns=(
        MODEL_VERSION,
        Field("fold", DATE, "First day of the fold's test."),
        Field("segment", STRING, "Rows that it is a score of."),
        Field("metric", STRING, "What was measured."),
        Field("contender", STRING, "The model, or the baseline."),
        Field("value", DOUBLE, "What came out; null: it is not defined there.", required=False),
        Field("rows", LONG, "Rows that were scored.", minimum=0, unit="rows"),
    ),
)

PREDICTIONS = Table(
    name=Curated.PREDICTIONS,
    key=("model_name", "model_version", "feature_date", "shelf_id"),
    owner=INFERENCE,
    doc="Lots to order for a shelf as a model predicts them.",
    profile="shared",
    columns=(
        MODEL_NAME,
        MODEL_VERSION,
        FEATURE_DATE,
        s.SHELF_ID,
        Field("predicted_batches", LONG, "Supplier's lots to order.", minimum=0),
        s.units("suggested_qty", "Units in those lots."),
        s.CREATED_AT,
        s.optional(s.STORE_ID),
        s.optional(s.ITEM_ID),
        s.day_count("horizon_days", "Days that the forecast is of.", required=False),
        Field(
            "mean_units",
            DOUBLE,
            "Expected demand of these days.",
            required=False,
            minimum=0,
            unit="units",
        ),
        Field(
            "quantiles",
            STRING,
            "JSON: level → units that suffice with that probability.",
            required=False,
        ),
        s.units("level_qty", "Units that the next order should reach.", required=False),
        Field(
            "service_level",
            DOUBLE,
            "Service level that the policy asks for; null: the level follows from costs.",
            required=False,
            minimum=0,
            maximum=1,
        ),
        Field(
            "role",
            STRING,
            "What the version was that day.",
            required=False,
            enum=("champion", "challenger"),
        ),
        Field(
            "segment", STRING, "How often the shelf sells, in words of the scores.", required=False
        ),
        Field(
            "top_reasons",
            STRING,
            "JSON: the features that say most, with value and factor; null: no order, or the floor is it.",
            required=False,
        ),
        s.units(
            "lot_level_qty",
            "Position below which one more lot earns at least what it costs; null: the level was not sent.",
            required=False,
        ),
        Field(
            "valid_until",
            TIMESTAMP,
            "Until when the level decides, as `order_levels` has it; null: it was not sent.",
            required=False,
        ),
    ),
)

MODEL_HEALTH = Table(
    name=Ops.MODEL_HEALTH,
    key=("model_version", "day", "store_id", "metric"),
    owner=INFERENCE,
    doc="How a version does, by day and store, with what is red and why.",
    profile="shared",
    columns=(
        MODEL_VERSION,
        Field("day", DATE, "The business day."),
        s.described(s.STORE_ID, "The shop; empty: all of them together."),
        Field("metric", STRING, "What was measured."),
        Field("value", DOUBLE, "What came out; null: too little is known.", required=False),
        Field("bound", DOUBLE, "Beyond it the verdict is red."),
        Field("verdict", STRING, "Whether it is.", enum=("green", "red", "unknown")),
        Field("reason", STRING, "Why, where a number does not tell.", required=False),
    ),
)

TABLES = (MODELS, MODEL_SCORES, PREDICTIONS, MODEL_HEALTH)
