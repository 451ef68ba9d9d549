from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The checkout with its filled cache, and a lake of the test's own."""
    return load_settings(lake_root=tmp_path / "lake")


@pytest.fixture
def broker(settings: Settings) -> Iterator[Broker]:
    broker = Broker(settings)
    yield broker
    broker.kill()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the sources, as a fresh clone would hold them."""
    source, copy = load_settings().home, tmp_path / "checkout"
    copy.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy2(source / name, copy)
    for name in ("src", "infra", "spark-apps", "kafka-components", "ml-model"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source / name, copy / name, ignore=ignore)
    return copy
