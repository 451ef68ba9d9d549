"""Drivers elsewhere: how they are asked, and a lake that they run is not removed."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.errors import ConfigurationError, LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.place import folders, leases
from lakeshelf.lake.place.leases import LEASES, QueryLease
from lakeshelf.settings import load_settings
from lakeshelf.stack.observing import processes
from lakeshelf.stack.supervision import destroying
from lakeshelf.telemetry.serving import served


def hold(root: str, **entries: Any) -> None:
    """A lease of a driver on another host."""
    held = {"term": 4, "owner": "one", "host": "elsewhere", "seconds": 20.0} | entries
    folders.write(folders.at(root) / LEASES / "query.json", json.dumps(held).encode())


def test_nobody_here_answers_for_a_driver_that_listens_on_its_own_host_alone(root: str) -> None:
    settings = load_settings(lake_root=root, telemetry_port=None)
    members = [{"query": "query", "state": "waiting"}]
    with served(settings, "streams", lambda: [], lambda: members) as telemetry:
        hold(root, tells_at=telemetry.address)
        asked = processes.led(settings)
    assert asked["query"]["state"] == "down"
    assert "of its own host alone" in asked["query"]["error"]


def test_what_does_not_speak_http_is_no_driver(root: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def greet() -> None:
            caller, _ = other.accept()
            with caller:
                caller.sendall(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
                caller.recv(1024)

        threading.Thread(target=greet, daemon=True).start()
        here = {"host": socket.gethostname()}
        hold(root, tells_at=f"http://127.0.0.1:{other.getsockname()[1]}", **here)
        asked = processes.led(load_settings(lake_root=root))
    assert "does not answer" in asked["query"]["error"]


def test_a_lake_that_a_driver_elsewhere_runs_is_not_removed(root: str, tmp_path: Path) -> None:
    settings = load_settings(lake_root=root, state_dir=tmp_path)
    Lake(root).append("curated/counts", pa.table({"n": [1]}))
    lease = QueryLease(
        root, "query", "one", 3.0
    )  # longer than a busy machine keeps a thread waiting
    lease.try_to_take()
    assert leases.living(root) == {}, "it is not renewed any more"
    stopping = threading.Event()

    def renew() -> None:
        while not stopping.wait(0.1):
            lease.renew_if_due()

    renewing = threading.Thread(target=renew)
    renewing.start()
    try:
        with pytest.raises(LakeError, match=r"query query of .* is run by a driver on"):
            destroying.doomed(settings)
    finally:
        stopping.set()
        renewing.join()
    lease.release()
    destroying.destroy(settings, destroying.doomed(settings))
    assert leases.holders(root) == {}
    assert Lake(root).names() == []


@pytest.mark.parametrize("prefix", ["a#b", "a?b", "a%41b"])
def test_a_prefix_that_engines_take_for_another_is_refused(prefix: str) -> None:
    """Of `a#b` the tables would all be the one table `a`, and leases of `a%41b` lie beside the lake."""
    with pytest.raises(ConfigurationError, match="no lake can be at"):
        Lake(f"s3://bucket/{prefix}")
