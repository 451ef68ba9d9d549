from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.shop.told_shop import write_all


@pytest.fixture(scope="session")
def told_lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a shelf that ran low, was refilled and had been delivered to; it is only read."""
    root = tmp_path_factory.mktemp("told") / "lake"
    write_all(root)
    return root


@pytest.fixture
def project(lakeshelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new project, in whose folder commands run."""
    folder = tmp_path / "shop"
    made = lakeshelf("init", folder)
    assert made.code == 0
    assert f"`cd {folder}`" in made.out
    assert "`lakeshelf up`" in made.out
    monkeypatch.chdir(folder)
    monkeypatch.delenv("LAKESHELF_LAKE_ROOT")
    return folder
