"""What the tests of the runtime share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lakeshelf.settings import Settings, load_settings
from tests.support import make_topics

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def own_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The checkout with its filled cache, and a lake for what the tests share."""
    return load_settings(lake_root=tmp_path_factory.mktemp("shared") / "lake", driver_memory="1g")


@pytest.fixture(scope="session")
def spark(own_settings: Settings) -> Iterator[SparkSession]:
    """The session of the runtime, started once."""
    from lakeshelf.stack.toolchain import class_data, jars, java
    from lakeshelf.streams.run import session

    before = os.environ.get("JAVA_HOME")
    os.environ["JAVA_HOME"] = str(java.java_home(own_settings))
    in_bucket = own_settings.model_copy(update={"lake_root": "s3://bucket/lake"})
    class_path = jars.spark_class_path(in_bucket)
    kept = class_data.used(own_settings, class_path)
    made = session.build(own_settings, class_path, master="local[2]", java_options=kept)
    yield made
    made.stop()
    if before is None:
        del os.environ["JAVA_HOME"]
    else:
        os.environ["JAVA_HOME"] = before


@pytest.fixture(scope="session")
def client(own_settings: Settings) -> Iterator[dict[str, str]]:
    """A broker with all topics, started once; settings that reach it."""
    from lakeshelf.stack.embedded.broker import Broker

    broker = Broker(own_settings)
    broker.start(die_with_parent=True)
    broker.wait_healthy()
    reached = {"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"}
    make_topics(reached)
    yield reached
    broker.kill()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake of the test's own."""
    return load_settings(lake_root=tmp_path / "lake")
