"""What a model has to show on the newest fold before it may decide: each gate is a name, a rule and a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from lakeshelf.forecast.frames import DEMAND, Floats, head
from lakeshelf.forecast.model.bootstrap import cells, gains
from lakeshelf.forecast.model.rows import demand
from lakeshelf.forecast.model.scores import (
    BIAS,
    DEVIANCE,
    METRICS,
    PINBALL,
    JudgedForecasts,
    Segments,
    losses,
    store_segments,
)

ACTIVE, OFTEN = "active", "13+ lines"
"""Segments that gates look at."""
STORE_BIAS = 0.10
"""Bias up to which a store counts as right."""


@dataclass(frozen=True)
class Evidence:
    """What is known of a model when it stands before the gates.

    Args:
        rows: Rows of the newest fold's test.
        segments: How they are cut.
        model: Forecasts of the model with what came.
        rivals: The same of the champion, where there is one, and of all baselines; the best of them counts.
        permuted: Forecasts of a model that learned from permuted labels.
        stock_ratio: Stock that the model needs in a replay ÷ what the best rival needs at the same fill rate; None:
            nobody knows.
        seed: Of the bootstrap.
    """

    rows: pa.Table
    segments: Segments
    model: JudgedForecasts
    rivals: Mapping[str, JudgedForecasts]
    permuted: JudgedForecasts
    stock_ratio: float | None
    seed: int = 1

    def gain(self, metric: str, model: JudgedForecasts) -> float:
        """How much lower a metric is on active shelves than that of the best rival; -1 without one."""
        mask, measure = self.segments[ACTIVE], METRICS[metric]
        best = min((measure(rival.of(mask)) for rival in self.rivals.values()), default=0.0)
        return 1 - measure(model.of(mask)) / best if best > 0 else -1.0


@dataclass(frozen=True)
class Gate:
    """A bound that a value has to keep.

    Args:
        name: Its name.
        rule: What is measured, for people.
        bound: What the value may just be.
        value: How it is measured; None: it is unknown.
        least: Whether the bound is the least that passes; else the most.
    """

    name: str
    rule: str
    bound: float
    value: Callable[[Evidence], float | None]
    least: bool = False


@dataclass(frozen=True)
class GateVerdict:
    """What a gate says of a model.

    Args:
        name: Name of the gate.
        rule: What was measured.
        bound: Its bound.
        value: What was measured; None: unknown.
        passed: Whether the bound is kept; what is unknown keeps none.
    """

    name: str
    rule: str
    bound: float
    value: float | None
    passed: bool


def verdicts(evidence: Evidence) -> list[GateVerdict]:
    """What each gate says."""
    return [_verdict(gate, gate.value(evidence)) for gate in GATES]


def permuted(rows: pa.Table, seed: int) -> pa.Table:
    """Rows with the labels of others: whoever still forecasts well from them has seen the future."""
    labels = np.random.default_rng(seed).permutation(demand(rows))
    return rows.set_column(rows.column_names.index(DEMAND), DEMAND, pa.array(labels))


def _verdict(gate: Gate, value: float | None) -> GateVerdict:
    kept = value is not None and (value >= gate.bound if gate.least else value <= gate.bound)
    return GateVerdict(gate.name, gate.rule, gate.bound, value, kept)


def _bias(evidence: Evidence) -> float:
    return abs(METRICS[BIAS](evidence.model.of(evidence.segments[ACTIVE])))


def _right_stores(evidence: Evidence) -> float:
    active = evidence.segments[ACTIVE]
    masks = (mask & active for mask in store_segments(evidence.rows).values())
    biases = [METRICS[BIAS](evidence.model.of(mask)) for mask in masks if mask.any()]
    return float(np.mean(np.abs(biases) <= STORE_BIAS)) if biases else 0.0


def _off(level: float) -> Callable[[Evidence], float]:
    def value(evidence: Evidence) -> float:
        often = evidence.model.of(evidence.segments[OFTEN])
        below, up_to = (METRICS[f"{x}_{head(level)}"](often) for x in ("below", "coverage"))
        return max(0.0, level - up_to, below - level)

    return value


def _certainty(evidence: Evidence) -> float:
    """Share of draws in which the pinball loss is lower than that of the rival that comes closest."""
    active = evidence.segments[ACTIVE]
    rows = evidence.rows.filter(pa.array(active))

    def summed(judged: JudgedForecasts) -> Floats:
        part = judged.of(active)
        return cells(rows, losses(part) * part.weight)

    model = summed(evidence.model)
    drawn = (gains(model, summed(r), seed=evidence.seed) for r in evidence.rivals.values())
    return min((float(np.mean(gain > 0)) for gain in drawn), default=0.0)


GATES = (
    Gate(
        "pinball",
        "share by which the pinball loss of 0.9 to 0.98 is lower than the best rival's, active shelves",
        0.05,
        lambda e: e.gain(PINBALL, e.model),
        least=True,
    ),
    Gate(
        "deviance",
        "share by which the deviance is lower than the best rival's, active shelves",
        0.05,
        lambda e: e.gain(DEVIANCE, e.model),
        least=True,
    ),
    Gate("bias", "size of the bias, active shelves", 0.05, _bias),
    Gate(
        "bias by store",
        "share of stores with a bias of at most 10 %",
        0.8,
        _right_stores,
        least=True,
    ),
    Gate(
        "coverage 0.9",
        "how far 0.9 is from the shares of demand below and up to its quantile, 13+ lines",
        0.03,
        _off(0.9),
    ),
    Gate(
        "coverage 0.95",
        "how far 0.95 is from the shares of demand below and up to its quantile, 13+ lines",
        0.03,
        _off(0.95),
    ),
    Gate(
        "stock at equal fill",
        "replayed stock ÷ that of the best rival at the same fill rate",
        1.0,
        lambda e: e.stock_ratio,
    ),
    Gate(
        "certainty",
        "share of draws of weeks and stores in which the pinball loss is lower than each rival's",
        0.95,
        _certainty,
        least=True,
    ),
    Gate(
        "permuted labels",
        "share by which a model of permuted labels has a lower deviance than the best rival",
        0.0,
        lambda e: e.gain(DEVIANCE, e.permuted),
    ),
)
"""All gates."""
