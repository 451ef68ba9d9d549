from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.told_shop import write_all


@pytest.fixture(scope="session")
def told_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a shelf that ran low, was refilled and had been delivered to; it is only read."""
    root = tmp_path_factory.mktemp("told") / "lake"
    write_all(root)
    return root
