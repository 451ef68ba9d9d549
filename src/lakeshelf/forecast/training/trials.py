"""A trial of the model on the rows of a lake: contenders, folds, gates, and the model of all rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from lakeshelf.contracts.retail.features import LONGEST
from lakeshelf.forecast.demand.features import admitted, columns, is_young
from lakeshelf.forecast.demand.segments import SEGMENTS, segment
from lakeshelf.forecast.frames import DEMAND, WEIGHT, Trained
from lakeshelf.forecast.model.baselines import LAST_WINDOW, SEASONAL_NAIVE
from lakeshelf.forecast.model.boosted import Boosted, BoostingSettings
from lakeshelf.forecast.model.contenders import Contender, Forecaster
from lakeshelf.forecast.model.folds import PLAN, EvaluationFold, FoldPlan, rolling, usable
from lakeshelf.forecast.model.gates import Evidence, GateVerdict, permuted, verdicts
from lakeshelf.forecast.model.registry import contenders
from lakeshelf.forecast.model.rows import STORE, matrix, texts
from lakeshelf.forecast.model.scores import JudgedForecasts, Segments, judged, store_segments
from lakeshelf.forecast.model.trial import Trial, tried
from lakeshelf.forecast.training import stock
from lakeshelf.forecast.training.lessons import Lesson
from lakeshelf.forecast.versions.cards import FeatureReference
from lakeshelf.forecast.versions.drift import reference

NAME = Boosted.name
"""Name of the model in tables of scores."""
CHAMPION = "champion"
"""Name of the champion among the rivals of a model."""
BLIND = 50_000
"""Rows that a model of permuted labels learns from."""
BESIDE = (LAST_WINDOW, SEASONAL_NAIVE, DEMAND, WEIGHT)
"""Columns of rows that are no features."""
Progress = Callable[[str, int, int], None]
"""Is told a step, how much of it is done, and how much there is."""


def silent(step: str, done: int, of: int) -> None:
    """Progress that nobody looks at."""


@dataclass(frozen=True)
class Work:
    """How a model is trained.

    Args:
        settings: Of its heads.
        plan: How rows are cut into folds.
        progress: Is told how far it is.
    """

    settings: BoostingSettings = field(default_factory=BoostingSettings)
    plan: FoldPlan = PLAN
    progress: Progress = silent


@dataclass(frozen=True)
class TrainingOutcome:
    """What a training came to.

    Args:
        trained: The model of all rows.
        reference: How the features of all shelves were distributed.
        trial: Its trial beside the baselines.
        gates: What each gate says.
    """

    trained: Trained
    reference: FeatureReference
    trial: Trial
    gates: tuple[GateVerdict, ...]


@dataclass
class CountedContender:
    """A contender whose trainings are counted."""

    contender: Contender
    count: Callable[[], None]

    @property
    def name(self) -> str:
        """Its name."""
        return self.contender.name

    def fit(self, rows: pa.Table) -> Forecaster:
        """Learn as it does."""
        self.count()
        return self.contender.fit(rows)


def outcome(lesson: Lesson, rivals: Mapping[str, Forecaster], work: Work) -> TrainingOutcome:
    """Try a model on rolling origins, ask the gates, and train it on all rows.

    Args:
        lesson: What a lake teaches.
        rivals: Who has to be beaten beside the baselines, by name.
        work: How it is trained.

    Raises:
        TooLittleHistory: Not even the newest fold can be trained.
        MissingExtra: LightGBM is not installed.
    """
    rows = usable(admitted(lesson.rows, also=BESIDE))
    model = boosted(rows, work.settings, lesson.age)
    trial = _tried(rows, model, work)
    work.progress("gates", 0, 1)
    results = asked(lesson, trial, model, trial.judged[model.name], rivals)
    trained = fitted(rows, model, work.progress)
    return TrainingOutcome(trained, usual(lesson.recent, trained), trial, results)


def boosted(rows: pa.Table, settings: BoostingSettings, age: int = LONGEST) -> Boosted:
    """The model, with every feature that a forecast may read; of a young shop it learns otherwise, and from fewer.

    Args:
        rows: Rows to learn from.
        settings: How it is trained.
        age: Days of receipts.
    """
    allowed = columns(rows, age)
    own = replace(settings, relative=settings.relative or is_young(age))
    return Boosted(allowed.numeric, tuple(allowed.categories), own)


def newest(rows: pa.Table, plan: FoldPlan) -> EvaluationFold:
    """The fold that the gates look at.

    Raises:
        TooLittleHistory: It cannot be trained.
    """
    return rolling(rows, plan)[0][-1]


def cut(rows: pa.Table) -> Segments:
    """The segments that are scored apart, and the active shelves of each store."""
    segments = {name: segment(rows, name) for name in SEGMENTS}
    stores = store_segments(rows).items()
    return segments | {f"active {name}": mask & segments["active"] for name, mask in stores}


def asked(
    lesson: Lesson,
    trial: Trial,
    model: Boosted,
    own: JudgedForecasts,
    rivals: Mapping[str, Forecaster],
) -> tuple[GateVerdict, ...]:
    """What the gates say of forecasts of the newest fold.

    Args:
        lesson: What was tried.
        trial: The trial, whose baselines are the rivals.
        model: How a model is trained that learns from permuted labels.
        own: Forecasts that stand before the gates.
        rivals: Further rivals.
    """
    last, settings = trial.folds[-1], model.settings
    blind = replace(model, settings=replace(settings, sample=min(BLIND, settings.sample)))
    rows = usable(admitted(lesson.rows, also=BESIDE))
    train = permuted(last.train(rows), settings.seed)
    baselines = {name: one for name, one in trial.judged.items() if name != model.name}
    others = {name: judged(trial.newest, rival(trial.newest)) for name, rival in rivals.items()}
    every = baselines | others
    evidence = Evidence(
        rows=trial.newest,
        segments=cut(trial.newest),
        model=own,
        rivals=every,
        permuted=judged(trial.newest, blind.fit(train)(trial.newest)),
        stock_ratio=stock.ratio(trial.newest, last, lesson.demand, own, every),
        seed=settings.seed,
    )
    return tuple(verdicts(evidence))


def fitted(rows: pa.Table, model: Boosted, progress: Progress = silent) -> Trained:
    """The model of all rows."""
    progress("fit", 0, 1)
    return model.train(rows)


def usual(recent: pa.Table, trained: Trained) -> FeatureReference:
    """How the features of rows are distributed."""
    values = matrix(recent, trained.columns).astype(np.float64)
    return reference(values, texts(recent, STORE).astype(str).tolist(), trained.columns)


def _tried(rows: pa.Table, model: Boosted, work: Work) -> Trial:
    every = contenders(model)
    done = iter(range(len(every) * work.plan.folds + 1))

    def count() -> None:
        work.progress("trial", next(done, 0), len(every) * work.plan.folds)

    watched = [CountedContender(one, count) for one in every]
    return tried(rows, watched, cut, version="", plan=work.plan)
