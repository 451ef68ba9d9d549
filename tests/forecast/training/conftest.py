from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from lakeshelf.forecast.training import origins, training, trials
from lakeshelf.forecast.training.trials import TrainingOutcome
from lakeshelf.forecast.versions import registered
from lakeshelf.forecast.versions.cards import Origin
from lakeshelf.lake import Lake
from tests.forecast.training import lakes


@dataclass(frozen=True)
class Study:
    """A lake that was read and learned from, of which nothing is kept yet."""

    root: Path
    outcome: TrainingOutcome
    origin: Origin

    def copy(self, target: Path) -> Lake:
        """A lake of its own."""
        return registered.writer(shutil.copytree(self.root, target / "lake"))


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = lakes.written(tmp_path_factory.mktemp("training") / "lake")
    lake = registered.writer(root)
    lesson, run_id = training.studied(lake, training.TrainingRequest(lakes.ACT))
    outcome = trials.outcome(lesson, {}, lakes.WORK)
    pins = origins.pinned(lake.root, run_id)
    origin = origins.origin(outcome, lesson.rows, lesson.trained_until, run_id, pins)
    return Study(root, outcome, origin)
