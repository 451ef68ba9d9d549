"""Rigs, and the tables of a run that nothing disturbed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.faults.rig import Rig, red
from tests.support import once

SEED = 20170101
Contents = dict[str, list[tuple[Any, ...]]]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "lake", SEED)
    yield made
    made.close()


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """Tables of the first 200 receipts when nothing goes wrong."""

    def make() -> Contents:
        with closing(Rig(tmp_path_factory.mktemp("undisturbed") / "lake")) as made:
            made.send()
            made.start()
            made.await_folded()
            assert made.stop() == 0
            assert red(made.reconcile()) == []
            return made.contents()

    return once(tmp_path_factory, "undisturbed", make)
