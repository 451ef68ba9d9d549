"""Health and metrics over HTTP: what a process says of itself, and what keeps it from saying so."""

from __future__ import annotations

import json
import re
import socket
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.errors import ConfigurationError
from lakeshelf.reconcile import Check
from lakeshelf.settings import Settings, load_settings
from lakeshelf.status_files import RECONCILED
from lakeshelf.telemetry import serving
from lakeshelf.telemetry.serving import PARTS, SILENT_S, Telemetry, port_of, served

problems: list[str] = []


@pytest.fixture
def settings(lake: Path) -> Settings:
    """Settings of a lake of its own."""
    return load_settings()


@pytest.fixture
def telemetry(settings: Settings) -> Iterator[Telemetry]:
    """A driver that tells of itself."""
    problems.clear()
    with served(settings, "streams", lambda: problems) as one:
        yield one


def asked(telemetry: Telemetry, page: str) -> tuple[int, str]:
    """Status and body of a page."""
    try:
        with urllib.request.urlopen(telemetry.address + page, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_it_is_ready_while_nothing_keeps_it_from_its_work(telemetry: Telemetry) -> None:
    """The reason stands in the answer."""
    assert asked(telemetry, "/health/ready")[0] == 200
    problems.append("query wh is failed: no broker")
    status, body = asked(telemetry, "/health/ready")
    assert status == 503
    assert json.loads(body)["problems"] == ["query wh is failed: no broker"]
    assert asked(telemetry, "/health/live")[0] == 200


def test_it_lives_while_it_comes_round(
    telemetry: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose threads answer and whose work stands still is not alive."""
    now = serving.time.monotonic()
    monkeypatch.setattr(serving.time, "monotonic", lambda: now + SILENT_S + 1)
    assert asked(telemetry, "/health/live")[0] == 503
    assert asked(telemetry, "/health/ready")[0] == 503
    telemetry.beat()
    assert asked(telemetry, "/health/live")[0] == 200


def test_metrics_tell_version_heartbeat_and_disk(telemetry: Telemetry) -> None:
    """What every process has."""
    status, body = asked(telemetry, "/metrics")
    assert status == 200
    for name in ("build_info", "heartbeat_timestamp_seconds"):
        assert f'lakeshelf_{name}{{part="streams"' in body
    assert json.loads(asked(telemetry, "/version")[1])["part"] == "streams"


def test_the_driver_tells_what_the_last_reconciliation_found(
    telemetry: Telemetry, settings: Settings
) -> None:
    """Whoever ran it; what a later one did not compare is told no more."""
    assert "lakeshelf_reconcile" not in asked(telemetry, "/metrics")[1]
    RECONCILED.write(settings.stack_dir, [check("I1", 3), check("lots", 2)])
    assert differences(telemetry) == {"I1": 3, "lots": 2}
    assert differences(telemetry) == {"I1": 3, "lots": 2}
    RECONCILED.write(settings.stack_dir, [check("I1", 0)])
    assert differences(telemetry) == {"I1": 0}
    told_at = re.search(
        r"^lakeshelf_reconciled_timestamp_seconds (\S+)$", asked(telemetry, "/metrics")[1], re.M
    )
    assert told_at is not None
    assert float(told_at[1]) == RECONCILED.read(settings.stack_dir)["written_at"]


def test_other_processes_do_not_repeat_it(settings: Settings) -> None:
    """Else each finding would be there five times."""
    RECONCILED.write(settings.stack_dir, [check("I1", 3)])
    with served(settings, "components") as one:
        assert differences(one) == {}


def check(name: str, count: int) -> dict[str, object]:
    """A check as a reconciliation leaves it."""
    return Check(name, "a title", 0, count, count).as_json()


def differences(telemetry: Telemetry) -> dict[str, float]:
    """Check → differences, as they are scraped."""
    lines = re.findall(
        r'^lakeshelf_reconcile_differences\{check="(.+)"\} (\S+)$',
        asked(telemetry, "/metrics")[1],
        re.M,
    )
    return {name: float(value) for name, value in lines}


def test_another_page_is_not_there(telemetry: Telemetry) -> None:
    """The answer names those that are."""
    status, body = asked(telemetry, "/nothing")
    assert status == 404
    assert "/health/ready" in body


def test_each_part_has_a_port_of_its_own(lake: Path) -> None:
    """One setting is enough for all processes of a machine."""
    first = load_settings(telemetry_port=9400)
    assert [port_of(first, part) for part in PARTS] == [9400, 9401, 9402, 9403, 9404]


def test_a_port_that_is_taken_is_told_in_one_line(lake: Path) -> None:
    """The line names the address and the setting."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            pytest.raises(ConfigurationError, match=f"127.0.0.1:{port}.*LAKESHELF_TELEMETRY_PORT"),
            served(load_settings(telemetry_port=port), "streams", list),
        ):
            pass


def test_the_port_is_free_again_at_the_end(lake: Path) -> None:
    """A process that starts again at once has its port."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    for _ in range(2):
        with served(load_settings(telemetry_port=port), "streams", list) as one:
            assert asked(one, "/health/live")[0] == 200


def test_a_caller_who_does_not_wait_leaves_no_trace(
    telemetry: Telemetry, capfd: pytest.CaptureFixture[str]
) -> None:
    """A scrape that was given up is no error of the process."""
    host, port = telemetry.address.removeprefix("http://").split(":")
    for _ in range(5):
        with socket.create_connection((host, int(port))) as caller:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            caller.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
    assert asked(telemetry, "/health/live")[0] == 200
    assert "Traceback" not in capfd.readouterr().err
