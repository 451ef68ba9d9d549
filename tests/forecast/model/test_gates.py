"""Gates: a good model passes, and each gate stops the model that breaks its rule alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lakeshelf.forecast.frames import LEVELS, Forecast
from lakeshelf.forecast.model import gates
from lakeshelf.forecast.model.bootstrap import cells, gains
from lakeshelf.forecast.model.calibration import quantiles
from lakeshelf.forecast.model.gates import GATES, Evidence, permuted, verdicts
from lakeshelf.forecast.model.scores import JudgedForecasts, judged
from tests.forecast.model import made

ROWS = made.rows(weeks=8, shelves=100)
RANDOM = np.random.default_rng(5)
MEAN = RANDOM.gamma(2.0, 2.0, ROWS.num_rows)
STORES = np.array(ROWS["store_id"].to_pylist())
OFTEN = made.segments(ROWS)["13+ lines"]
LABELLED = ROWS.set_column(
    ROWS.column_names.index("demand"),
    "demand",
    [RANDOM.poisson(MEAN).astype(float)],
)


def forecast(mean: np.ndarray, spread: float = 0.0) -> JudgedForecasts:
    return judged(LABELLED, Forecast(mean, quantiles(mean, spread)))


RIVAL = forecast(MEAN * RANDOM.lognormal(0, 0.8, len(MEAN)))
GOOD = Evidence(
    rows=LABELLED,
    segments={"active": np.ones(len(MEAN), bool), "13+ lines": OFTEN},
    model=forecast(MEAN),
    rivals={"champion": RIVAL, "zero": forecast(np.zeros(len(MEAN)))},
    permuted=forecast(np.full(len(MEAN), MEAN.mean() * 3)),
    stock_ratio=0.9,
)


def moved(level: float, by: float, rows: np.ndarray) -> JudgedForecasts:
    """The good model with a quantile that is off for some rows."""
    values = GOOD.model.quantiles.copy()
    values[rows, LEVELS.index(level)] += by
    return replace(GOOD.model, quantiles=values)


def with_mean(mean: np.ndarray) -> JudgedForecasts:
    return replace(GOOD.model, mean=mean)


RARE = RANDOM.random(len(MEAN)) < 0.5
BROKEN: dict[str, Callable[[], Evidence]] = {
    "pinball": lambda: replace(GOOD, model=replace(GOOD.model, quantiles=RIVAL.quantiles)),
    "deviance": lambda: replace(GOOD, model=with_mean(RIVAL.mean)),
    "bias": lambda: replace(GOOD, model=with_mean(MEAN * 1.08)),
    "bias by store": lambda: replace(
        GOOD, model=with_mean(MEAN * np.where(STORES == "S0", 1.15, 0.96))
    ),
    "coverage 0.9": lambda: replace(GOOD, model=moved(0.9, -2.0, OFTEN & RARE)),
    "coverage 0.95": lambda: replace(GOOD, model=moved(0.95, -2.0, OFTEN & RARE)),
    "stock at equal fill": lambda: replace(GOOD, stock_ratio=1.01),
    "certainty": lambda: replace(GOOD, rivals={**GOOD.rivals, "even": GOOD.model}),
    "permuted labels": lambda: replace(GOOD, permuted=GOOD.model),
}


def test_a_good_model_passes_every_gate() -> None:
    results = verdicts(GOOD)
    assert [r.name for r in results if not r.passed] == []


@pytest.mark.parametrize("name", [gate.name for gate in GATES])
def test_each_gate_stops_who_breaks_its_rule(name: str) -> None:
    results = {r.name: r for r in verdicts(BROKEN[name]())}
    assert not results[name].passed, results[name]


@pytest.mark.parametrize(
    "name", ["bias", "bias by store", "stock at equal fill", "permuted labels"]
)
def test_a_gate_stops_nobody_for_what_others_guard(name: str) -> None:
    assert [r.name for r in verdicts(BROKEN[name]()) if not r.passed] == [name]


def test_quantiles_that_are_too_wide_are_stopped_as_well() -> None:
    wide = {r.name: r for r in verdicts(replace(GOOD, model=moved(0.9, 4.0, OFTEN)))}
    assert not wide["coverage 0.9"].passed


def test_what_nobody_knows_is_not_passed() -> None:
    results = {r.name: r for r in verdicts(replace(GOOD, stock_ratio=None))}
    assert results["stock at equal fill"].value is None
    assert not results["stock at equal fill"].passed


def test_a_model_without_rivals_passes_no_comparison() -> None:
    failed = {r.name for r in verdicts(replace(GOOD, rivals={})) if not r.passed}
    assert {"pinball", "deviance", "certainty"} <= failed


def test_not_a_number_is_not_passed() -> None:
    broken = replace(GOOD, model=with_mean(np.full(len(MEAN), np.nan)))
    failed = {r.name for r in verdicts(broken) if not r.passed}
    assert {"deviance", "bias", "bias by store"} <= failed


def test_the_champion_counts_as_well_as_the_best_baseline() -> None:
    alone = replace(GOOD, rivals={"zero": GOOD.rivals["zero"]})
    assert verdicts(alone)[0].value > verdicts(GOOD)[0].value  # type: ignore[operator]


def test_permuted_labels_are_the_same_ones_elsewhere() -> None:
    table = permuted(LABELLED, 1)
    before, after = (t["demand"].to_numpy() for t in (LABELLED, table))
    assert sorted(before) == sorted(after)
    assert not np.array_equal(before, after)
    assert table.drop_columns(["demand"]).equals(LABELLED.drop_columns(["demand"]))
    assert table.equals(permuted(LABELLED, 1))


def test_the_bootstrap_draws_the_same_again_and_pairs_what_it_draws() -> None:
    losses = RANDOM.uniform(1, 2, len(MEAN))
    mine, theirs = (cells(LABELLED, loss) for loss in (0.9 * losses, losses))
    assert mine.shape == (8, 4)
    assert mine.sum() == pytest.approx(0.9 * losses.sum())
    assert gains(mine, theirs, seed=1) == pytest.approx(0.1)
    assert np.array_equal(gains(mine, theirs, seed=1), gains(mine, theirs, seed=1))


def test_noise_is_neither_a_gain_nor_a_loss() -> None:
    first, second = (cells(LABELLED, RANDOM.uniform(0, 1, len(MEAN))) for _ in range(2))
    low, high = np.quantile(gains(first, second, seed=1), [0.025, 0.975])
    assert low < 0 < high


def test_every_gate_has_a_rule_for_people() -> None:
    assert set(BROKEN) == {gate.name for gate in gates.GATES}
    assert all(gate.rule for gate in gates.GATES)
