"""The benchmark of containers works, with the engine that its neighbours have."""

from __future__ import annotations

import pytest

from benchmarks import containers
from tests.containers.engine import Builder, Engine

pytestmark = [pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(1500)]


def test_each_figure_is_measured(docker: Engine) -> None:
    lines: list[str] = []
    built = containers.built_anew(Builder(), lines.append)
    measured = {**built, **containers.measured(docker, lines.append)}
    assert set(measured) == {figure.key for figure in containers.figures({})}
    assert all(value > 0 for value in measured.values())
