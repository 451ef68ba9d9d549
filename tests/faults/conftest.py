"""Rigs, and the tables of a run that nothing disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rig import Rig, red

SEED = 20170101


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "lake", SEED)
    yield made
    made.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """Tables of the first 200 receipts when nothing goes wrong."""
    with closing(Rig(tmp_path_factory.mktemp("undisturbed") / "lake")) as made:
        made.send()
        made.start()
        made.await_folded()
        assert made.stop() == 0
        assert red(made.reconcile()) == []
        return made.contents()
