"""Forecasts of a year of real receipts: the model against its baselines on rolling origins, and what training costs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import ml_commands, ml_peers, receipts
from benchmarks.governed import forget_peak, peak_mb
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, text
from benchmarks.ways import noted
from benchmarks.whatif_known import BY_CHANCE
from lakeshelf.forecast.demand.segments import SEGMENTS, segment
from lakeshelf.forecast.model.boosted import Boosted, BoostingSettings
from lakeshelf.forecast.model.contenders import Contender, Forecaster
from lakeshelf.forecast.model.folds import PLAN, usable
from lakeshelf.forecast.model.gates import Evidence, GateVerdict, permuted, verdicts
from lakeshelf.forecast.model.naive import with_naive
from lakeshelf.forecast.model.registry import contenders
from lakeshelf.forecast.model.rows import Mask, days, kept
from lakeshelf.forecast.model.scores import DEVIANCE, METRICS, PINBALL, JudgedForecasts, judged
from lakeshelf.forecast.model.trial import Trial, tried
from lakeshelf.forecast.training.origins import fold
from lakeshelf.forecast.training.trials import BLIND, boosted, cut
from lakeshelf.settings import load_settings

MODEL, TAIL_RATES = "lightgbm", "item_category"
STORE_BIAS = 0.10
CHANCE: Mapping[str, tuple[str, str, Sequence[str]]] = {
    "active": (DEVIANCE, "active shelves", ()),
    "often": (DEVIANCE, "13+ lines", ()),
    "pinball": (PINBALL, "active shelves", ()),
    "tail": (PINBALL, "tail", [TAIL_RATES]),
}
"""Key of a figure → metric, shelves, and rivals; all of them where none is named."""
SHARES = {"quarter": 0.25, "half": 0.5, "most": 0.75}
"""Key of a figure → share of the days before the newest fold, its last ones, that a model learns from."""
THE_BEST = "the best baseline's"
KNOWS = "of a forecast that knows the rates, if demand came by chance at those of the model"
FEW = 5_000
"""Rows of quantile heads that nobody asks."""
SHOWN = ("deviance", "pinball", "bias", "rmse", "coverage_q90", "coverage_q95", "wape", "mase", "wrmsse")  # fmt: skip
"""Metrics of the notes."""


def figures(parameters: Parameters) -> list[Figure]:
    """Gains over the best baseline on all folds, for the stores looked at and for others; then costs."""
    return [
        *_quality("", "ten busiest stores"),
        *_quality("others_", "stores ranked 11 to 20"),
        *_newest(),
        Figure("gates", "gates passed on the newest fold, of those that need no replay", "", 8, higher=True),
        Figure("training", "training of all heads, all folds, CPU", "s", 300),
        Figure("trial", "the whole trial with baselines and scores, CPU", "s"),
        Figure("memory", "most memory of the trial", "MB", 2_048),
        *ml_commands.figures(parameters),
        *ml_peers.figures(parameters["peers"]),
    ]  # fmt: skip


def _quality(prefix: str, stores: str) -> Iterator[Figure]:
    declared: list[tuple[str, str, str, float, bool]] = [
        ("deviance_active", "deviance below the best baseline's, active shelves", "%", 12, True),
        ("deviance_often", "deviance below the best baseline's, 13+ lines", "%", 9, True),
        ("pinball_active", "pinball 0.9 to 0.98 below the best baseline's, active shelves", "%", 8, True),
        ("pinball_often", "pinball 0.9 to 0.98 below the best baseline's, 13+ lines", "%", 10, True),
        ("pinball_tail", "pinball 0.9 to 0.98 below rates by item and category, tail", "%", 5, True),
        ("bias", "size of the bias, active shelves", "%", 3, False),
        ("stores", "stores within 10 %", "", 8, True),
        ("coverage_q90", "coverage of 0.9 off, 13+ lines", "points", 3, False),
        ("coverage_q95", "coverage of 0.95 off, 13+ lines", "points", 3, False),
    ]  # fmt: skip
    for key, title, unit, goal, higher in declared:
        yield Figure(prefix + key, f"{stores}: {title}", unit, goal, higher)


def _newest() -> Iterator[Figure]:
    """What the goals above leave to be gained."""
    for key, (metric, lines, rivals) in CHANCE.items():
        below = f"newest fold: {metric} below {'rates by item and category' if rivals else THE_BEST}, {lines}"
        yield Figure(f"newest_{key}", below, "%", higher=True)
        yield Figure(f"chance_{key}", f"{below}: {KNOWS}", "%", higher=True)
    yield Figure("chance_q90", f"newest fold: coverage of 0.9 off, 13+ lines: {KNOWS}", "points")
    for key in ("first", "newest"):
        yield Figure(f"{key}_bias", f"{key} fold: bias, active shelves", "%")
    below = f"newest fold: deviance below {THE_BEST}, active shelves"
    for key, share in SHARES.items():
        learned = f"{below}, learned from the last {share:.0%} of the days"
        yield Figure(f"learned_{key}", learned, "%", higher=True)


@dataclass
class Timed:
    """A contender that notes the processor time of its training."""

    contender: Contender
    spent: float = 0.0

    @property
    def name(self) -> str:
        return self.contender.name

    def fit(self, rows: pa.Table) -> Forecaster:
        began = time.process_time()
        predictor = self.contender.fit(rows)
        self.spent += time.process_time() - began
        return predictor


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """The trial of the busiest stores with gates and other libraries, then that of stores nobody has looked at."""
    plan = replace(PLAN, folds=parameters["folds"])
    settings = replace(
        BoostingSettings(), seed=seed, trees=parameters["trees"], sample=parameters["sample"]
    )
    count = parameters["stores"]
    rows = labelled(range(count))
    say(f"{rows.num_rows:,} rows of {count} stores")
    forget_peak(os.getpid())
    began = time.process_time()
    model = Timed(boosted(rows, settings))
    trial = tried(rows, contenders(model), cut, version="trial", plan=plan)
    spent = {"training": model.spent, "trial": time.process_time() - began}
    measured = {**quality(trial), **spent, "memory": peak_mb(os.getpid())}
    say(", ".join(f"{key} {value:.1f}" for key, value in measured.items()))
    results = gates(trial, rows, boosted(rows, settings))
    measured |= chance(trial, seed) | biases(trial) | learned(trial, rows, boosted(rows, settings))
    measured["gates"] = sum(verdict.passed for verdict in results)
    match = ml_peers.Match.of(
        trial, MODEL, usable(rows), receipts.year(range(count)).demand, settings.sample, seed
    )
    beside = ml_peers.played(match, parameters["peers"], folder, say)
    measured |= beside.figures
    others = labelled(range(count, 2 * count))
    unseen = tried(others, contenders(boosted(others, settings)), cut, version="trial", plan=plan)
    measured |= {f"others_{key}": value for key, value in quality(unseen).items()}
    say(", ".join(f"{key} {value:.1f}" for key, value in quality(unseen).items()))
    measured |= ml_commands.measured(parameters, folder, say)
    return {
        "figures": rounded(measured),
        "notes": [*notes(trial), "", *map(noted, beside.ways.values())],
        "ways": beside.ways,
        "gates": [asdict(verdict) for verdict in results],
        "folds": [fold(span, usable(rows)).model_dump(mode="json") for span in trial.folds],
        "scores": of_segments(trial.scores),
        "newest_scores": of_segments(
            trial.scores.filter(pc.field("fold") == trial.folds[-1].first)
        ),
        "others_scores": of_segments(unseen.scores),
    }


def labelled(stores: Sequence[int]) -> pa.Table:
    """Rows of stores by their ranks, with the columns of all baselines; kept for the next run."""
    file = receipts.trial(load_settings().cache_dir / "receipts", stores=stores)
    return with_naive(pq.read_table(file), receipts.year(stores).demand)


def pooled(scores: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """Segment → metric → contender → mean of the folds where it is a number, weighted by their rows.

    Without demand there is no bias: not of a store in a fold for which it was closed.
    """
    sums: dict[tuple[str, str, str], tuple[float, int]] = {}
    for row in scores.filter(pc.is_finite(scores["value"])).to_pylist():
        key = (row["segment"], row["metric"], row["contender"])
        total, count = sums.get(key, (0.0, 0))
        sums[key] = (total + row["value"] * row["rows"], count + row["rows"])
    table: dict[str, dict[str, dict[str, float]]] = {}
    for (part, metric, contender), (total, count) in sums.items():
        table.setdefault(part, {}).setdefault(metric, {})[contender] = round(total / count, 5)
    return table


def of_segments(scores: pa.Table) -> dict[str, dict[str, dict[str, float]]]:
    """What a result file holds of `pooled`: not each store of each segment."""
    return {part: metrics for part, metrics in pooled(scores).items() if part in SEGMENTS}


def quality(trial: Trial) -> dict[str, float]:
    """The figures of a trial, in percent and points."""
    scores = pooled(trial.scores)
    often, bias = scores["13+ lines"], scores["active"]["bias"][MODEL]
    stores = [
        part["bias"][MODEL]
        for name, part in scores.items()
        if name.startswith("active store:") and "bias" in part
    ]
    return {
        "deviance_active": _gain(scores["active"]["deviance"]),
        "deviance_often": _gain(often["deviance"]),
        "pinball_active": _gain(scores["active"]["pinball"]),
        "pinball_often": _gain(often["pinball"]),
        "pinball_tail": _gain(scores["tail"]["pinball"], [TAIL_RATES]),
        "bias": 100 * abs(bias),
        "stores": float(sum(abs(its) <= STORE_BIAS for its in stores)),
        "coverage_q90": 100 * abs(often["coverage_q90"][MODEL] - 0.9),
        "coverage_q95": 100 * abs(often["coverage_q95"][MODEL] - 0.95),
    }


def biases(trial: Trial) -> dict[str, float]:
    """Bias of the first fold and of the newest, in percent: a year has no season twice, so none could be learned."""
    ends = {"first": trial.folds[0], "newest": trial.folds[-1]}
    return {
        f"{key}_bias": 100
        * pooled(trial.scores.filter(pc.field("fold") == its.first))["active"]["bias"][MODEL]
        for key, its in ends.items()
    }


def learned(trial: Trial, rows: pa.Table, model: Boosted) -> dict[str, float]:
    """How much better the model is on the newest fold where it has learned from the last days before it alone."""
    train = trial.folds[-1].train(usable(rows))
    at, mask = days(train), segment(trial.newest, "active")
    mean = replace(model, settings=replace(model.settings, sample_of_quantiles=FEW))
    measured = {}
    for key, share in SHARES.items():
        taught = mean.fit(kept(train, at > at.max() - share * (at.max() - at.min())))
        own = judged(trial.newest, taught(trial.newest))
        measured[f"learned_{key}"] = _newest_gain(trial, own, mask, DEVIANCE)
    return measured


def chance(trial: Trial, seed: int) -> dict[str, float]:
    """How much better the model is on the newest fold, and how much better any forecast could be.

    Were demand Poisson at the rates that the model forecasts, no forecast would be better than the one that knows
    these: what is left of its loss is chance.
    """
    own, measured = trial.judged[MODEL], {}
    drawn = np.random.default_rng(seed).poisson(own.mean).astype(np.float64)
    knows = replace(own, demand=drawn, quantiles=BY_CHANCE.quantiles(own.mean))
    for key, (metric, lines, rivals) in CHANCE.items():
        mask = segment(trial.newest, lines.removesuffix(" shelves"))
        for side, its in {"newest": own, "chance": knows}.items():
            measured[f"{side}_{key}"] = _newest_gain(trial, its, mask, metric, rivals)
    often = knows.of(segment(trial.newest, "13+ lines"))
    return measured | {"chance_q90": 100 * abs(METRICS["coverage_q90"](often) - 0.9)}


def _newest_gain(
    trial: Trial, own: JudgedForecasts, mask: Mask, metric: str, rivals: Sequence[str] = ()
) -> float:
    """Percent by which a loss on some rows of the newest fold is below that of the best of its rivals."""
    sides = {**trial.judged, MODEL: own}
    return _gain({name: METRICS[metric](one.of(mask)) for name, one in sides.items()}, rivals)


def _gain(values: Mapping[str, float], rivals: Sequence[str] = ()) -> float:
    """Percent by which the model is below the best of its rivals; of all others where none is named."""
    best = min(values[name] for name in rivals or values if name != MODEL)
    return 100 * (1 - values[MODEL] / best)


def gates(trial: Trial, rows: pa.Table, model: Boosted) -> list[GateVerdict]:
    """What the gates say of the newest fold; stock at equal fill is for a replay to say."""
    newest, blind = trial.folds[-1], replace(model, settings=replace(model.settings, sample=BLIND))
    train = permuted(newest.train(rows), model.settings.seed)
    rivals = {name: result for name, result in trial.judged.items() if name != MODEL}
    evidence = Evidence(
        rows=trial.newest,
        segments=cut(trial.newest),
        model=trial.judged[MODEL],
        rivals=rivals,
        permuted=judged(trial.newest, blind.fit(train)(trial.newest)),
        stock_ratio=None,
    )
    return verdicts(evidence)


def notes(trial: Trial) -> list[str]:
    """Contenders beside each other, a table a segment."""
    scores, lines = pooled(trial.scores), []
    for part in ("active", "13+ lines", "tail"):
        table = scores[part]
        lines += ["", f"| {part} | {' | '.join(SHOWN)} |", f"|---|{'---:|' * len(SHOWN)}"]
        for contender in table["deviance"]:
            values = (table[metric].get(contender) for metric in SHOWN)
            lines.append(f"| {contender} | {' | '.join(map(text, values))} |")
    return lines[1:]


BENCHMARK = Benchmark(
    name="ml",
    title="Forecasts of a year of real receipts, on rolling origins",
    defaults={
        "stores": 10,
        "folds": 6,
        "trees": BoostingSettings().trees,
        "sample": BoostingSettings().sample,
        "peers": list(ml_peers.PEERS),
        "fills": list(ml_commands.FILLS),
        "lake_stores": 10,
        "lake_days": 365,
    },
    quick={
        "stores": 1,
        "folds": 1,
        "trees": 10,
        "sample": 5_000,
        "fills": [1],
        "lake_stores": 1,
        "lake_days": 110,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
