"""A process is as it says itself, wherever it runs; one that does not answer is down, and its address is named."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.files import write_atomically
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.observing import live, processes, rebuilding
from lakeshelf.stack.observing.processes import STALE_S, fresh, heard
from lakeshelf.stack.observing.status import collect
from lakeshelf.status_files import COMPONENTS, STREAMS
from lakeshelf.telemetry.serving import Telemetry, served
from tests.conftest import Run

QUERY = "shelf-aggregator"
ELSEWHERE = {"host": "a1b2c3", "pid": 7}
"""A process of another container, in which processes are counted from 1."""


@pytest.fixture
def settings(lake: Path) -> Settings:
    """A lake of the test's own, whose processes are reached from elsewhere, as in containers."""
    return load_settings(telemetry_host="0.0.0.0")


def query(state: str = "running", error: str = "") -> dict[str, Any]:
    """What a driver says of a query."""
    return {"query": QUERY, "state": state, "error": error, "restarts": 0}


def wrote(
    settings: Settings, address: str, members: Sequence[Mapping[str, Any]], **more: Any
) -> None:
    """A status file as a driver has left it."""
    STREAMS.write(settings.stack_dir, members, telemetry=address)
    file = settings.stack_dir / STREAMS.name
    file.write_text(json.dumps(json.loads(file.read_text()) | more))


def put_there(settings: Settings, ago: float) -> None:
    """Have the status file come so many seconds ago."""
    then = time.time() - ago
    os.utime(settings.stack_dir / STREAMS.name, (then, then))


@contextmanager
def driver(settings: Settings, *members: dict[str, Any]) -> Iterator[Telemetry]:
    """A driver that answers."""
    problems = [f"query {QUERY} is {m['state']}" for m in members if m["state"] != "running"]
    lines = problems if members else ["the queries do not run yet"]
    with served(settings, "streams", lambda: lines, lambda: members) as telemetry:
        yield telemetry


def nobody() -> str:
    """An address at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def state_of(status: Mapping[str, Any]) -> str:
    """What `status` says of the query."""
    (told,) = [q["state"] for q in status["queries"] if q["query"] == QUERY]
    return str(told)


def test_a_process_of_another_container_is_as_it_says(settings: Settings) -> None:
    """Its number is nobody's here, its clock is an hour behind, and its file is of before it failed."""
    with driver(settings, query("failed", "no broker")) as telemetry:
        long_ago = {"written_at": 1_000_000.0}
        wrote(settings, telemetry.address, [query()], **ELSEWHERE, **long_ago)
        put_there(settings, 3600.0)
        assert fresh(settings, STREAMS) == {}
        told = collect(settings)
    assert told["state"] == "running"
    assert state_of(told) == "failed"
    assert told["problems"] == [f"query {QUERY} is failed: no broker"]
    assert told["telemetry"] == {"streams": telemetry.address}


def test_a_process_that_does_not_answer_is_down_though_its_number_is_somebodys(
    settings: Settings,
) -> None:
    """What its file alone would say is that it runs: the number is this test's."""
    address = nobody()
    wrote(settings, address, [query()])
    assert fresh(settings, STREAMS)
    told = collect(settings)
    assert (told["state"], state_of(told)) == ("down", "down")
    assert f"streams does not answer at {address}: Connection refused" in told["problems"]
    assert (
        f"streams does not answer at {address}: Connection refused"
        in live.collect(settings)["problems"]
    )


def test_a_process_that_ended_in_order_is_not_asked(settings: Settings) -> None:
    """Nothing runs, and nothing is wrong with it."""
    wrote(settings, nobody(), [query("stopped")])
    assert heard(settings, "streams").problem == ""
    assert collect(settings)["problems"] == ["nothing runs; start it with `lakeshelf up`"]


def test_the_loopback_of_another_host_is_not_asked(settings: Settings) -> None:
    """Whatever listens there is somebody else's; its file and the time have to do."""
    wrote(settings, nobody(), [query()], **ELSEWHERE)
    assert heard(settings, "streams").status
    assert state_of(collect(settings)) == "running"


def test_a_name_that_nobody_knows_here_is_not_asked(settings: Settings) -> None:
    """A host of another network: its file has to do."""
    wrote(settings, "http://jobs.invalid:9400", [query()], **ELSEWHERE)
    assert heard(settings, "streams").status
    put_there(settings, STALE_S)
    assert not heard(settings, "streams").status


@pytest.mark.parametrize("off", [-3600.0, 3600.0])
def test_the_clock_of_another_host_may_be_an_hour_off(settings: Settings, off: float) -> None:
    """By its clock a driver that lives would be long silent, or one that died would live for an hour more."""
    clock = {"written_at": time.time() + off}
    wrote(settings, "http://jobs.invalid:9400", [query()], **ELSEWHERE, **clock)
    assert heard(settings, "streams").status
    put_there(settings, STALE_S)
    assert not heard(settings, "streams").status


def test_another_process_at_the_port_is_not_taken_for_it(
    settings: Settings, tmp_path: Path
) -> None:
    """The port was taken by the driver of another lake."""
    other = load_settings(lake_root=tmp_path / "other", telemetry_host="0.0.0.0")
    with driver(other, query()) as telemetry:
        wrote(settings, telemetry.address, [query()], **ELSEWHERE)
        assert "another process" in heard(settings, "streams").problem
        assert heard(settings, "streams").status == {}


def test_a_successor_at_the_same_port_is_taken_for_it(settings: Settings) -> None:
    """It has not written its file yet, and says that it only begins."""
    with driver(settings) as telemetry:
        wrote(settings, telemetry.address, [query()], **ELSEWHERE)
        told = collect(settings)
    assert told["problems"] == [f"streams says at {telemetry.address}: the queries do not run yet"]


def test_a_process_that_stands_still_is_silent(settings: Settings) -> None:
    """Its threads answer, its work does not come round."""
    with driver(settings, query()) as telemetry:
        wrote(settings, telemetry.address, [query()])
        telemetry._beaten -= 60
        (problem,) = collect(settings)["problems"]
    assert (
        problem == f"streams says at {telemetry.address}: the streams did not come round for 30 s"
    )


def test_a_part_that_the_supervisor_thinks_running_and_that_does_not_answer_is_silent(
    settings: Settings,
) -> None:
    """It is told once, with the address."""
    address = nobody()
    process = vars(identify(os.getpid()))
    part = {**process, "state": "running", "restarts": 0, "error": "", "ended": ""}
    content = {**process, "state": "running", "parts": {"components": part}}
    write_atomically(settings.stack_dir / "stack.json", json.dumps(content).encode())
    member = {"component": "clock", "state": "running", "error": "", "restarts": 0}
    COMPONENTS.write(settings.stack_dir, [member], telemetry=address)
    with driver(settings, query()) as telemetry:
        wrote(settings, telemetry.address, [query()])
        told = collect(settings)
    assert told["parts"]["components"]["state"] == "silent"
    assert told["state"] == "recovering"
    (problem,) = told["problems"]
    assert problem == f"components is silent: does not answer at {address}: Connection refused"


def test_doctor_names_the_process_and_the_log(lakeshelf: Run, settings: Settings) -> None:
    """And says where those that are well answer."""
    with driver(settings, query()) as telemetry:
        wrote(settings, telemetry.address, [query()])
        done = lakeshelf("doctor", "processes")
        assert (done.code, telemetry.address in done.out) == (0, True)
    done = lakeshelf("doctor", "processes")
    assert done.code == 1
    assert f"streams does not answer at {telemetry.address}" in done.out
    assert "logs streams`" in done.out


def test_a_rebuild_says_how_far_it_is_in_the_place_of_the_driver(settings: Settings) -> None:
    """And is not missed when it is done."""
    shown: list[tuple[str, int, int]] = []
    with rebuilding.telling(settings, lambda *at: shown.append(at)) as progress:
        progress(QUERY, 1_200, 5_000)
        (problem,) = collect(settings)["problems"]
    assert shown == [(QUERY, 1_200, 5_000)]
    assert problem.endswith(f"a rebuild is under way: {QUERY} has folded 1,200 of 5,000 rows")
    assert collect(settings)["problems"] == ["nothing runs; start it with `lakeshelf up`"]


@pytest.mark.slow
def test_a_proxy_of_the_environment_is_not_asked(settings: Settings) -> None:
    """Processes of a stack are reached directly, whatever goes out through a proxy."""
    with driver(settings, query()) as telemetry:
        wrote(settings, telemetry.address, [query()])
        proxies = {"http_proxy": nobody(), "no_proxy": ""}
        lakeshelf = str(Path(sys.executable).with_name("lakeshelf"))
        done = subprocess.run(
            [lakeshelf, "doctor", "processes"],
            env=os.environ | proxies,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_address_of_all_is_told_as_others_reach_it(lake: Path) -> None:
    """Nobody can ask 0.0.0.0 from elsewhere."""
    with served(load_settings(telemetry_host="0.0.0.0"), "streams") as telemetry:
        assert "0.0.0.0" not in telemetry.address
        assert processes._asked(telemetry.address)["part"] == "streams"
