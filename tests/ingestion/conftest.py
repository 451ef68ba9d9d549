from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingestion.rig import Clock, Rig

DECLARED = """
[columns]
store_id = "string"
event_time = "timestamp"
qty = "bigint"
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rig(tmp_path: Path, clock: Clock) -> Rig:
    """A lake whose `bronze/pos` declares its columns."""
    made = Rig(tmp_path / "lake", clock)
    made.drop("pos/_dataset.toml", DECLARED)
    return made
