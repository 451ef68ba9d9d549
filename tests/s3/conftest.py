from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lakeshelf.lake import Lake

SECRET = "wJalr-very-secret-of-the-tests"  # pragma: allowlist secret
TOKEN = "FwoG-session-token-of-the-tests"  # pragma: allowlist secret


@dataclass(frozen=True)
class Server:
    """An S3 server on loopback."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def request(self, method: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, headers={"Content-Length": "0"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def bucket(self, prefix: str = "lake") -> str:
        """A new bucket."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        assert self.request("PUT", f"/{name}") == 200
        return name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    found = Server(free_port())
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.s3.server", str(found.port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                found.request("GET", "/")
                break
            except OSError:
                assert process.poll() is None, "the server has ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
        yield found
    finally:
        process.kill()
        process.wait()


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
