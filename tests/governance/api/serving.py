"""The API on a port of this machine, for clients that need one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from fastapi import FastAPI

from lakeshelf.governance.api.app import ended
from tests.support import eventually


@contextmanager
def listening(app: FastAPI, port: int = 0) -> Iterator[str]:
    """An application that listens, and where."""
    place = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]})
    thread.start()
    try:
        eventually(lambda: server.started, "the API listens")
        yield f"http://127.0.0.1:{place.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(app: FastAPI) -> Iterator[str]:
    """Where the API listens."""
    with listening(app) as place:
        yield place
    ended(app)
