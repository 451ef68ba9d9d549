"""Is the model worth it? Versions beside every simple method, how they do, and which one decides about orders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from markupsafe import Markup

from lakeshelf.ui.asking import Answer, Api
from lakeshelf.ui.page import Ask, Form, Page, Where
from lakeshelf.ui.pictures.calibration import Span, drawn
from lakeshelf.ui.pictures.drawing import written
from lakeshelf.ui.rendering import NOTHING

AT_ONCE = 20
"""Versions of a page of the list."""
FIRST, OFTEN = "active", "13+ lines"
"""Segments that gates look at: of the means, and of the quantiles."""
LOWER = ("deviance", "pinball", "rmse")
"""Metrics of which the lowest is the best."""
METRICS: Mapping[str, str] = {
    "deviance": "Deviance",
    "pinball": "Pinball loss",
    "bias": "Bias",
    "coverage_q90": "Up to 90 %",
    "coverage_q95": "Up to 95 %",
    "rmse": "RMSE",
}
"""Metric → what it is called; the others stand in `ops/model_scores`."""
HEALTH: Mapping[str, str] = {
    "bias_28d": "bias, 28 days",
    "coverage_q90_28d": "points off 90 %",
    "coverage_q95_28d": "points off 95 %",
    "pinball_28d": "pinball over the best simple method",
    "psi": "drift of a feature",
    "age_days": "days since its last day of training",
    "fallback_share": "shelves on the rule",
}
_SHARES = ("bias", "coverage", "fallback", "pinball_28d")
_LEVEL = re.compile(r"coverage_q(\d\d)")
Means = Mapping[str, Mapping[str, float]]


async def _models(_api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    data = answers["models"].data or {}
    health = data.get("health", ())
    return {
        "standings": [_standing(one, where.query) for one in data.get("scores", ())],
        "health": [row for row in health if not row["store_id"]],
        "red": [row for row in health if row["store_id"] and row["verdict"] == "red"],
        "stores": len({row["store_id"] for row in health} - {""}),
        **_shown(),
    }


async def _model(_api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    data = answers["model"].data
    standing = _standing(data["scores"], where.query) if data else None
    return {"standing": standing, **_shown()}


def _shown() -> dict[str, Any]:
    return {"metrics": METRICS, "measures": HEALTH, "figure": figure, "at_once": AT_ONCE}


def figure(metric: str, value: float | None) -> str:
    """A value of a metric or gate, with four digits that mean something; shares in percent."""
    if value is None:
        return NOTHING
    return f"{100 * value:.2f} %" if metric.startswith(_SHARES) else f"{value:.4g}"


def _standing(scores: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """What a version is worth in a segment of shelves, beside everybody else who was tried on the same days."""
    segments = list(scores["means"])
    segment = query.get("segment", FIRST)
    means = _known(scores["means"].get(segment, {}))
    own = scores["contender"]
    sure = OFTEN if "segment" not in query and OFTEN in segments else segment
    spans = list(_spans(_known(scores["means"].get(sure, {})), own))
    return {
        "version": scores["model_version"],
        "folds": scores["folds"],
        "segments": segments,
        "segment": segment,
        "of_spans": sure,
        "own": own,
        "rows": _rows(means, own),
        "gains": [gain for metric in LOWER if (gain := _gain(metric, means, own))],
        "spans": spans,
        "picture": written(drawn(spans)) if spans else Markup(),
    }


def _known(means: Mapping[str, Mapping[str, float | None]]) -> Means:
    """Figures without those that are no number."""
    return {
        metric: {name: value for name, value in figures.items() if value is not None}
        for metric, figures in means.items()
    }


def _rows(means: Means, own: str) -> list[dict[str, Any]]:
    """A row a contender, the version itself first, then by pinball loss."""
    names = {name for metric in METRICS for name in means.get(metric, {})}
    best = {metric: _best(means.get(metric, {}), abs) for metric in (*LOWER, "bias")}
    order = means.get("pinball") or means.get("deviance") or {}

    def cells(name: str) -> Iterator[tuple[str, str, bool]]:
        for metric in METRICS:
            value = means.get(metric, {}).get(name)
            yield metric, figure(metric, value), name == best.get(metric)

    ranked = sorted(names, key=lambda name: (name != own, order.get(name, float("inf")), name))
    return [{"name": name, "is_own": name == own, "cells": list(cells(name))} for name in ranked]


def _best(values: Mapping[str, float], size: Callable[[float], float]) -> str | None:
    return min(values, key=lambda name: size(values[name]), default=None)


def _gain(metric: str, means: Means, own: str) -> dict[str, Any] | None:
    """How much lower a loss of the version is than that of the best of the others; None: there are none."""
    rivals = {name: value for name, value in means.get(metric, {}).items() if name != own}
    value, rival = means.get(metric, {}).get(own), _best(rivals, abs)
    if value is None or rival is None or not rivals[rival]:
        return None
    share = 1 - value / rivals[rival]
    return {"metric": METRICS[metric], "share": 100 * share, "rival": rival, "others": len(rivals)}


def _spans(means: Means, own: str) -> Iterator[Span]:
    """What lay below and up to each quantile, beside the rival with the least pinball loss."""
    rivals = {name: value for name, value in means.get("pinball", {}).items() if name != own}
    rival = _best(rivals, abs)
    for metric, up_to in means.items():
        level = _LEVEL.fullmatch(metric)
        below = means.get(f"below_q{level[1]}", {}) if level else {}
        if level and own in up_to and own in below:
            both = rival in up_to and rival in below
            beside = (below[str(rival)], up_to[str(rival)]) if both else None
            yield Span(int(level[1]) / 100, below[own], up_to[own], beside)


PAGES = (
    Page(
        "/models",
        "Is the model worth it?",
        "models.html",
        asks={"models": Ask("/models", ("offset",), {"limit": str(AT_ONCE)})},
        command="lakeshelf models list",
        menu="Models",
        prepare=_models,
        numbers=("offset",),
    ),
    Page(
        "/models/{version}",
        "Version {version}",
        "model.html",
        asks={"model": Ask("/models/{version}")},
        command="lakeshelf models show {version}",
        section="/models",
        prepare=_model,
    ),
)
FORMS = (
    Form(
        "promote-model",
        "POST",
        "/models/{version}/promotion",
        {"to": "text", "reason": "text"},
        "Promoted. Services follow at their next tick.",
    ),
    Form(
        "roll-back-model",
        "POST",
        "/models/{version}/rollback",
        {"reason": "text"},
        "Rolled back. Services follow at their next tick.",
    ),
)
