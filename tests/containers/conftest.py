from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.containers import engine
from tests.containers.project import Project


@pytest.fixture(scope="session")
def docker() -> Iterator[engine.Engine]:
    """An engine that has the product's image, built by the product's own file."""
    if reason := engine.lacking():
        pytest.skip(f"containers cannot be run here: {reason}")
    engine.install()
    archive = engine.Builder().build()
    with (
        TemporaryDirectory(prefix="lakeshelf-engine-") as folder,
        engine.started(Path(folder)) as one,
    ):
        engine.load(one, archive)
        yield one


@pytest.fixture(scope="module")
def project(docker: engine.Engine) -> Iterator[Project]:
    """The product's own Compose file, with nothing up and no data."""
    one = Project(docker, engine.compose())
    one.down("--volumes")
    yield one
    one.down("--volumes")
