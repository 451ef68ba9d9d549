"""A standalone cluster, and a lake with a broker whose driver runs on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from lakeshelf.settings import load_settings
from lakeshelf.stack.toolchain import java
from tests.standalone.cluster import NEEDED, Cluster
from tests.standalone.driving import Driving


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers of two cores, started once."""
    if missing := [tool for tool in NEEDED if shutil.which(tool) is None]:
        pytest.skip(f"the scripts of Spark need {missing[0]}, which is not there")
    folder = tmp_path_factory.mktemp("cluster")
    made = Cluster(folder, java.java_home(load_settings(lake_root=folder)))
    yield made
    made.close()


@pytest.fixture(scope="session")
def driving(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driving]:
    """A lake with its broker; drivers of it run on the cluster."""
    made = Driving(tmp_path_factory.mktemp("driving"), cluster)
    yield made
    made.close()
