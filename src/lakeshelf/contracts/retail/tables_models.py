"""Tables of what was trained: versions of models, and their scores."""

from __future__ import annotations

from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.model import Table
from lakeshelf.contracts.retail import shared as s
from lakeshelf.contracts.types import DATE, DOUBLE, LONG, STRING, TIMESTAMP, Field

TRAINING = "training-service"
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

TABLES = (MODELS, MODEL_SCORES)
