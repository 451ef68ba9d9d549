"""The broker of the tests of the runtime, and one that asks for passwords and certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.settings import load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.embedded.secured import Secured
from tests.kafka.certificates import Authority
from tests.kafka.secured import PASSWORDS, Place
from tests.kafka.tokens import Provider
from tests.streams.conftest import client, own_settings, spark  # noqa: F401 - fixtures
from tests.support import make_topics


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A secured broker with all topics, started once."""
    folder = tmp_path_factory.mktemp("secured")
    authority = Authority(folder, "authority")
    certificate = authority.issue("the-broker", ip="127.0.0.1")
    provider = Provider(folder)
    known = Secured("the-broker", certificate, authority.file, PASSWORDS, provider.keys)
    broker = Broker(load_settings(lake_root=folder / "lake"), known)
    broker.start(die_with_parent=True)
    broker.wait_healthy()
    place = Place(folder, authority, provider, broker)
    make_topics(place.master)
    yield place
    broker.kill()


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    """A file for a password, which nobody else may read."""
    file = tmp_path / "password"
    file.touch(0o600)
    return file
