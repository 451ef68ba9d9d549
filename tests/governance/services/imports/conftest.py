"""Files know nothing of databases, so one kind is enough here."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Path:
    """A database of the test's own, with its schema and without rows."""
    return Path(shutil.copy(sqlite_template, tmp_path / "metadata.db"))
