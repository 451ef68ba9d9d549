"""Lakes that older code made, as `make_lake` packed them; each archive has the name of its commit."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

LAKES = sorted(Path(__file__).parent.glob("*.tar.xz"))


@pytest.fixture(scope="module", params=LAKES, ids=lambda file: file.name.partition(".")[0])
def old_lake(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake just as older code left it, in another folder than it was made in."""
    folder = tmp_path_factory.mktemp("before")
    with tarfile.open(request.param) as archive:
        archive.extractall(folder, filter="data")
    return folder / "lake"
