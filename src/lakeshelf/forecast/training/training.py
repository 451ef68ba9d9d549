"""A training of a lake, from what it read to a candidate (docs/design/forecasting.md#training).

What it reads is published as a run before anything is trained. A version becomes one when its card is there, and is
known once `ops/models` has its row, which comes last: a training that is killed leaves no half version, and the next
one of the same versions of the inputs makes the same again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from lakeshelf import crash
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Ops
from lakeshelf.extras import require
from lakeshelf.forecast.demand.engine import BOUNDS, MODULES, EngineBounds
from lakeshelf.forecast.model.boosted import Predictor, library
from lakeshelf.forecast.model.contenders import Forecaster
from lakeshelf.forecast.training import lessons, origins, trials
from lakeshelf.forecast.training.lessons import Lesson
from lakeshelf.forecast.training.memory import give_back
from lakeshelf.forecast.training.trials import CHAMPION, TrainingOutcome, Work
from lakeshelf.forecast.versions import folders, places, registered
from lakeshelf.forecast.versions.cards import Origin
from lakeshelf.forecast.versions.errors import VersionDamaged
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.forecast.versions.registered import MODEL
from lakeshelf.forecast.versions.registry import Attribution, register
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables

STEPS = {
    "read": "read demand, make features",
    "trial": "try contenders on rolling origins",
    "gates": "ask the gates",
    "fit": "train on all rows",
    "write": "write the version",
}
WHY = f"training of {MODEL}"


@dataclass(frozen=True)
class TrainingRequest:
    """What is to be trained.

    Args:
        act: Who asks for it, when and why.
        today: The day that begins, from which on nothing is read; None: that of the latest receipt.
        work: How.
        bounds: Memory and threads of what is read.
    """

    act: Attribution
    today: date | None = None
    work: Work = field(default_factory=Work)
    bounds: EngineBounds = BOUNDS


def train(lake: Lake, request: TrainingRequest) -> Version:
    """Train a version on a lake and register it as candidate.

    Args:
        lake: As `registered.writer` gives it.
        request: What is to be trained.

    Raises:
        TooLittleHistory: There are too few weeks or rows.
        MissingExtra: LightGBM cannot be used.
        VersionDamaged: It comes to a version that is registered and whose folder was changed since.
        Conflict: Another has changed the registry meanwhile; the version stands there, and is registered next time.
    """
    ready()
    progress = request.work.progress
    progress("read", 0, 1)
    lesson, run_id = studied(lake, request)
    outcome = trials.outcome(lesson, champion(lake), request.work)
    progress("write", 0, 1)
    origin = origins.origin(
        outcome, lesson.rows, lesson.trained_until, run_id, origins.pinned(lake.root, run_id)
    )
    return keep(lake, outcome, origin, request.act)


def ready() -> None:
    """See to it that LightGBM can be loaded, before anything is read.

    Raises:
        MissingExtra: An extra, or a library of the system, is not there.
    """
    require("query", *MODULES)
    library()


def studied(lake: Lake, request: TrainingRequest) -> tuple[Lesson, str]:
    """What the lake teaches, and the run that read it, which is published."""
    with lake.run(why=WHY) as run:
        lesson = lessons.lesson(run, request.today, bounds=request.bounds)
    give_back()
    return lesson, run.run_id


def champion(lake: Lake) -> dict[str, Forecaster]:
    """The champion as a rival; none where the rule decides, or its files are damaged."""
    model = registered.read(lake).registry.champion
    if model is None:
        return {}
    try:
        return {CHAMPION: Predictor(registered.version(lake, model.model_version).trained)}
    except VersionDamaged:
        return {}


def keep(lake: Lake, outcome: TrainingOutcome, origin: Origin, act: Attribution) -> Version:
    """Write a version, its scores, and then its row as candidate.

    Raises:
        VersionDamaged: It is registered, and what lies in its folder is not what was registered.
    """
    name = folders.model_version(outcome.trained, origin.trained_until)
    folder = places.at(lake.root, MODEL, name)
    former = registered.read(lake).registry.models.get(name)
    if former is not None and folder.names():
        registered.opened(lake.root, former)
    version = folders.write(folder, outcome.trained, outcome.reference, origin)
    crash.point("after_version", 1)
    tables.ensure(lake.root, CATALOG.tables[Ops.MODEL_SCORES])
    rows = [row | {"model_version": name} for row in origins.finite_rows(outcome.trial.scores)]
    lake.merge(Ops.MODEL_SCORES, pa.Table.from_pylist(rows, outcome.trial.scores.schema))
    crash.point("after_scores", 1)
    card, sha256 = version.card, version.card_sha256
    registered.change(lake, lambda known: register(known, card, sha256, act), attempts=3)
    return version
