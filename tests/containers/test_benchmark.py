"""The benchmark of containers works, with the engine that its neighbours have."""

from __future__ import annotations

import pytest

from benchmarks import containers
from tests.containers.engine import Engine

pytestmark = [pytest.mark.slow, pytest.mark.nightly, pytest.mark.timeout(1500)]


def test_each_figure_is_measured(docker: Engine) -> None:
    measured = containers.measured(docker, lambda line: None)
    assert set(measured) == {figure.key for figure in containers.figures({})}
    assert all(value > 0 for value in measured.values())
