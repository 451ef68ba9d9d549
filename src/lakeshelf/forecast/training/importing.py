"""A version from elsewhere, judged on the rows of this lake (docs/design/forecasting.md#versions)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from lakeshelf.forecast.demand.features import SCHEMA, admitted
from lakeshelf.forecast.frames import Forecast, Trained
from lakeshelf.forecast.model.boosted import BoostingSettings, Predictor
from lakeshelf.forecast.model.contenders import Forecaster
from lakeshelf.forecast.model.folds import usable
from lakeshelf.forecast.model.registry import contenders
from lakeshelf.forecast.model.trial import Trial, tried
from lakeshelf.forecast.training import origins, training, trials
from lakeshelf.forecast.training.lessons import Lesson
from lakeshelf.forecast.training.training import TrainingRequest
from lakeshelf.forecast.training.trials import BESIDE, NAME, TrainingOutcome
from lakeshelf.forecast.versions import errors, folders, sandbox
from lakeshelf.forecast.versions.errors import ActRefused, VersionDamaged
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.places import LocalVersion
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.lake import Lake

STEPS = {name: training.STEPS[name] for name in ("read", "trial", "gates", "write")}
WAY = "name the folder of a whole version, as `models train` left it on the other machine"
"""What to do about a folder from elsewhere; it is its owner's, so nobody is told to remove it."""


@dataclass(frozen=True)
class ForeignModel:
    """A model from elsewhere, which learns nothing here and forecasts in a process of its own.

    Args:
        trained: The model, whose texts were looked through.
        name: Its name in tables of scores.
    """

    trained: Trained
    name: str = NAME

    def fit(self, rows: pa.Table) -> Forecaster:
        """It is what it is."""
        return self._forecast

    def _forecast(self, rows: pa.Table) -> Forecast:
        return sandbox.forecast(self.trained, rows, Predictor)


def imported(lake: Lake, source: Path, request: TrainingRequest) -> Version:
    """Take a version from a folder into a lake, as candidate, with the gates that it passed here.

    Args:
        lake: As `registered.writer` gives it.
        source: The folder, as it was handed over.
        request: Who asks for it, and the rows that it is judged on.

    Raises:
        VersionDamaged: It is no version of ours, or not whole.
        ActRefused: It is of another model, reads what no forecast may, or has learned from the days it is judged on.
        TrialRefused: It died, took too long, or forecast what cannot be.
        TooLittleHistory: There are too few weeks or rows to judge it.
    """
    training.ready()
    version = _handed_over(source)
    _hold_kind(version)
    request.work.progress("read", 0, 1)
    lesson, run_id = training.studied(lake, request)
    request.work.progress("trial", 0, 1)
    trial = _tried(version, lesson, request)
    request.work.progress("gates", 0, 1)
    outcome = _judged(lake, version, lesson, trial)
    request.work.progress("write", 0, 1)
    pins = origins.pinned(lake.root, run_id)
    origin = origins.origin(outcome, lesson.rows, version.card.trained_until, run_id, pins)
    made = {name: getattr(version.card, name) for name in ("code_sha256", "lock_sha256")}
    return training.keep(lake, outcome, origin.model_copy(update=made), request.act)


def _handed_over(source: Path) -> Version:
    try:
        return folders.read(LocalVersion(source))
    except VersionDamaged as damaged:
        hint = WAY if damaged.hint == errors.WAY else damaged.hint
        raise VersionDamaged(damaged.message, hint=hint) from damaged


def _hold_kind(version: Version) -> None:
    if version.card.model_name != MODEL:
        raise ActRefused(
            f"it is a version of {version.card.model_name}", hint=f"import one of {MODEL}"
        )
    foreign = [name for name in version.trained.columns.names if name not in SCHEMA.names]
    if foreign:
        raise ActRefused(
            f"it reads {', '.join(foreign)}, which no forecast here may",
            hint="train one with the features of this lake",
        )


def _tried(version: Version, lesson: Lesson, request: TrainingRequest) -> Trial:
    """The newest fold, on which it stands beside the baselines."""
    rows = usable(admitted(lesson.rows, also=BESIDE))
    plan = replace(request.work.plan, folds=1)
    newest = trials.newest(rows, plan)
    if version.card.trained_until >= newest.first:
        raise ActRefused(
            f"it has learned until {version.card.trained_until}, and would be judged on days from {newest.first} on",
            hint="import it once the newest weeks begin behind that day",
        )
    return tried(rows, contenders(ForeignModel(version.trained)), trials.cut, version="", plan=plan)


def _judged(lake: Lake, version: Version, lesson: Lesson, trial: Trial) -> TrainingOutcome:
    model = trials.boosted(
        usable(admitted(lesson.rows, also=BESIDE)), BoostingSettings(), lesson.age
    )
    gates = trials.asked(lesson, trial, model, trial.judged[NAME], training.champion(lake))
    usual = trials.usual(lesson.recent, version.trained)
    return TrainingOutcome(version.trained, usual, trial, gates)
