"""A small real model, and ways to damage what was written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lakeshelf.forecast.frames import HEADS, LEVELS, MEAN, Columns, Floats, Trained, head
from lakeshelf.forecast.versions import drift, folders
from lakeshelf.forecast.versions.cards import (
    CardFold,
    CardGate,
    FeatureReference,
    Origin,
    Pinned,
    Score,
)
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.places import LocalVersion
from lakeshelf.forecast.versions.registry import Model, Registry

COLUMNS = Columns(
    numeric=("units_7d", "units_28d"),
    categories=MappingProxyType({"category": ("dairy", "fruit", "tea"), "store_id": ("S1", "S2")}),
)
SETTINGS = MappingProxyType(
    {"seed": 1, "trees": 4, "learning_rate": 0.1, "factors": {"S1": 1.0, "": 0.97}, "of": [1, 2.5]}
)
HOW = MappingProxyType(
    {
        "num_leaves": 5,
        "num_threads": 1,
        "seed": 1,
        "deterministic": True,
        "verbosity": -1,
        "min_data_in_leaf": 5,
        "min_data_per_group": 5,
        "max_cat_to_onehot": 1,
    }
)


def rows(count: int = 300) -> Floats:
    """Rows as a model sees them: some unknown, categories by their codes."""
    random = np.random.default_rng(1)
    codes = [random.integers(0, len(values), count) for values in COLUMNS.categories.values()]
    found = np.column_stack([random.normal(size=(count, 2)), *codes])
    found[::7, 0] = np.nan
    return found


@cache
def trained() -> Trained:
    """A model of four trees a head."""
    label = np.random.default_rng(2).poisson(np.exp(rows()[:, 1] / 3 + (rows()[:, 2] == 1)))
    objectives: dict[str, dict[str, Any]] = {
        MEAN: {"objective": "tweedie", "tweedie_variance_power": 1.3},
        **{head(level): {"objective": "quantile", "alpha": level} for level in LEVELS},
    }
    return Trained(COLUMNS, {name: _text(label, objectives[name]) for name in HEADS}, SETTINGS)


def _text(label: Any, how: dict[str, Any]) -> str:
    import lightgbm

    known = list(COLUMNS.categories)
    names = list(COLUMNS.names)
    data = lightgbm.Dataset(rows(), label, feature_name=names, categorical_feature=known)
    return str(lightgbm.train({**HOW, **how}, data, num_boost_round=4).model_to_string())


ODD = ("nan", "inf", "-1", "0", "1", "2147483648", "99999999999999999999", "1e999", "", "0x1", "3")
_NUMBER = re.compile(r"-?\d[\d.e+-]*")


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """A text that was cut, grew, or has other bytes, lines or numbers."""
    way = draw(st.sampled_from(["byte", "cut", "grown", "lines", "number", "number", "number"]))
    at = draw(st.integers(0, len(text) - 1))
    if way == "byte":
        return text[:at] + draw(st.characters(max_codepoint=255)) + text[at + 1 :]
    if way == "cut":
        return text[:at] + text[at + draw(st.integers(1, 2000)) :]
    if way == "grown":
        return text[:at] + text[at : at + draw(st.integers(1, 2000))] + text[at:]
    if way == "number":
        number = _NUMBER.search(text, at) or _NUMBER.search(text)
        assert number is not None
        return text[: number.start()] + draw(st.sampled_from(ODD)) + text[number.end() :]
    lines = text.split("\n")
    one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


ORIGIN = Origin(
    model_name="warehouse_optimizer",
    trained_until=date(2026, 9, 30),
    run_id="run-1",
    inputs=(Pinned(dataset="curated/features_store", version=3, fingerprint="ab"),),
    code_sha256="0" * 64,
    folds=(
        CardFold(
            first_label_day=date(2026, 1, 1),
            last_label_day=date(2026, 8, 31),
            first_test_day=date(2026, 9, 1),
            last_test_day=date(2026, 9, 28),
            rows=100,
        ),
    ),
    scores=(
        Score(
            fold=date(2026, 9, 1),
            segment="all",
            metric="deviance",
            contender="model",
            value=0.5,
            rows=100,
        ),
    ),
    gates=(CardGate(name="deviance", value=0.06, bound=0.05, passed=True),),
)


@cache
def reference() -> FeatureReference:
    """Distribution of the rows, of two stores."""
    return drift.reference(rows(), ["S1", "S2"] * (len(rows()) // 2), COLUMNS)


def published(above: Path, **changed: object) -> tuple[LocalVersion, Version]:
    """A version below a folder."""
    origin = ORIGIN.model_copy(update=changed)
    folder = LocalVersion(above / folders.model_version(trained(), origin.trained_until))
    return folder, folders.write(folder, trained(), reference(), origin)


def applied(registry: Registry, changed: Iterable[Model]) -> Registry:
    """The registry after the rows of an act were merged."""
    return Registry(
        MappingProxyType({**registry.models, **{one.model_version: one for one in changed}})
    )
