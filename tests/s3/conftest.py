from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from lakeshelf.lake import Lake

from .serving import Server, serving

SECRET = "wJalr-very-secret-of-the-tests"  # pragma: allowlist secret
TOKEN = "FwoG-session-token-of-the-tests"  # pragma: allowlist secret


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def environment(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Variables as a user sets them, and no profile of who runs the tests."""
    for name in [n for n in os.environ if n.startswith(("LAKESHELF_", "DELTA_", "AWS_"))]:
        monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    given = {
        "AWS_ACCESS_KEY_ID": "AKIATESTS",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "LAKESHELF_CACHE_DIR": str(home / "cache"),
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def root(server: Server) -> str:
    """Address of a new lake."""
    return f"s3://{server.bucket()}/some/lake"


@pytest.fixture
def lake(root: str) -> Lake:
    return Lake(root)
