"""One broker for all tests of publication; each test makes the topic anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker
from tests.governance.publication.bench import Bench


@pytest.fixture(scope="session")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Librdkafka settings that reach a broker."""
    broker = Broker(load_settings(lake_root=tmp_path_factory.mktemp("broker") / "lake"))
    broker.start(die_with_parent=True)
    try:
        broker.wait_healthy()
        yield {"bootstrap.servers": broker.bootstrap_servers, "log_level": "0"}
    finally:
        broker.kill()


@pytest.fixture
def bench(tmp_path: Path, client: Mapping[str, str]) -> Bench:
    """A dataset that is bound to a topic without messages."""
    made = Bench(tmp_path / "lake", client)
    made.make_topic()
    made.make()
    return made
