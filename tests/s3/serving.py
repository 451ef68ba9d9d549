"""The S3 server of the tests, for as long as somebody needs it."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

PATIENCE_S = 180.0
"""A process that imports a whole library answers late on a busy machine."""


@dataclass(frozen=True)
class Server:
    """An S3 server on loopback."""

    port: int

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def options(self) -> dict[str, str]:
        """How a lake in one of its buckets is reached."""
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def request(self, method: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
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


@contextmanager
def serving() -> Iterator[Server]:
    """A server, in a process of its own, that is given the socket on which it listens: nobody else takes its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.s3.server", str(listening.fileno())],
            pass_fds=[listening.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        made = Server(listening.getsockname()[1])
    try:
        made.request("GET", "/")
        yield made
    finally:
        process.kill()
        process.wait()
