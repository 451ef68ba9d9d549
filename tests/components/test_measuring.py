"""What the services of forecasts measure: how the champion does, and what was predicted and trained."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from lakeshelf.contracts.layers import Ops
from lakeshelf.forecast.versions.health import BOUNDS
from lakeshelf.telemetry import metrics
from lakeshelf.telemetry.metrics import Metric
from tests.forecast.inference import shop

from .bench import Tables, Worker
from .test_inference import BEGIN, DAY, champion, lake, worker

pytestmark = pytest.mark.slow  # a model is trained


class Taken:
    """The latest value of each metric and its labels."""

    def __init__(self) -> None:
        self.values: dict[tuple[Metric, tuple[str, ...]], float] = {}

    def take(self, metric: Metric, value: float, labels: tuple[str, ...]) -> None:
        self.values[metric, labels] = value

    def of(self, metric: Metric, *labels: str) -> float | None:
        return self.values.get((metric, labels))


@pytest.fixture
def taken() -> Iterator[Taken]:
    sink = Taken()
    metrics.begin(sink)
    yield sink
    metrics.end(sink)


@pytest.fixture
def made(tmp_path: Path) -> Tables:
    return lake(tmp_path)


@pytest.mark.ml
def test_the_champion_is_measured_each_day(made: Tables, tmp_path: Path, taken: Taken) -> None:
    version = shop.published(tmp_path)
    champion(made, version)
    worker(made).tick(BEGIN)
    age = timedelta(days=(DAY - version.card.trained_until).days).total_seconds()
    assert taken.of(metrics.PREDICTIONS, "champion") == len(shop.SHELVES)
    assert taken.of(metrics.MODEL_AGE) == age
    assert taken.of(metrics.MODEL_FALLBACK) == 0
    assert taken.of(metrics.MODEL_HANDED_BACK) == 0
    assert {m for (metric, m) in taken.values if metric is metrics.MODEL_RED_STORES} == {
        (m,) for m in BOUNDS
    }


@pytest.mark.ml
def test_a_champion_that_cannot_predict_leaves_everything_to_the_rule(
    made: Tables, tmp_path: Path, taken: Taken
) -> None:
    version = shop.published(tmp_path)
    champion(made, version)
    file = tmp_path / "models" / shop.MODEL / version.card.model_version / "q90.txt"
    file.write_text("tree")
    worker(made).tick(BEGIN)
    assert taken.of(metrics.MODEL_FALLBACK) == 1


def test_without_any_champion_nothing_falls_back(made: Tables, taken: Taken) -> None:
    worker(made).tick(BEGIN)
    assert taken.of(metrics.MODEL_FALLBACK) == 0


@pytest.mark.ml
@pytest.mark.parametrize(("days", "stores"), [(7, 1), (6, 0)])
def test_stores_that_were_handed_back_are_counted(
    made: Tables, tmp_path: Path, taken: Taken, days: int, stores: int
) -> None:
    version = shop.published(tmp_path)
    champion(made, version)
    row = {"model_version": version.card.model_version, "store_id": "S1", "metric": "bias_28d"}
    for n in range(days):
        day = DAY - timedelta(days=n + 1)
        made.keep(Ops.MODEL_HEALTH, {**row, "day": day, "bound": 0.1, "verdict": "red"})
    worker(made).tick(BEGIN)
    assert taken.of(metrics.MODEL_HANDED_BACK) == stores


def test_a_training_is_counted_by_what_it_came_to(taken: Taken) -> None:
    Worker("training-service", Tables()).tick(BEGIN)
    assert taken.of(metrics.TRAININGS, "skipped") == 1
