"""What stands in the state of a stack may be cut, of another version or of somebody else: no command breaks by it."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from lakeshelf.files import LARGEST, TOO_LARGE
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.embedded.broker import Broker
from lakeshelf.stack.machine import ports
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.observing import processes
from lakeshelf.stack.supervision.stack_file import NAME as STACK_FILE
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.status_files import API, COMPONENTS, PUBLICATION, RECONCILED, STREAMS
from lakeshelf.streams.run import trials
from tests.conftest import Run

COMMANDS = (
    ("status",),
    ("doctor", "processes", "published", "ports"),
    ("components", "list"),
    ("profile", "shelf-aggregator", "--seconds", "1"),
    ("down",),
)
FOREIGN = [
    "",
    "{",
    "null",
    "[[1]]",
    "[" * 100_000,
    "\0",
    '{"pid": "y", "written_at": "x"}',
    '{"pid": 1e30, "written_at": 1e400, "host": 5}',
    '{"pid": 99999999999999999999, "written_at": 9e99, "broker": [1]}',
]
MEMBERS: list[Any] = [5, "x", None, [5], [{}], [{"query": [1], "state": {}}], {"a": {"state": 5}}]


def of_another_version(members: Any) -> str:
    """A status of a process that lives, with members that this version does not know."""
    entries = {f.members: members for f in (STREAMS, COMPONENTS, API, PUBLICATION, RECONCILED)}
    process = {"pid": os.getpid(), "host": socket.gethostname(), "written_at": time.time()}
    return json.dumps({**process, **entries, "parts": members, "suspects": members})


@pytest.fixture
def settings(lake: Path) -> Settings:
    held = load_settings()
    (held.stack_dir / trials.FOLDER).mkdir(parents=True)
    (held.stack_dir / "broker").mkdir()
    return held


def files(settings: Settings) -> Iterator[Path]:
    folder = settings.stack_dir
    for one in (*processes.FILES.values(), PUBLICATION, RECONCILED):
        yield folder / one.name
    yield folder / STACK_FILE
    yield folder / trials.ENDED
    yield folder / trials.FOLDER / "shelf-aggregator.json"
    yield Broker(settings).ports_file
    yield folder / "broker" / "broker.pid"


@pytest.mark.parametrize("content", [*FOREIGN, *map(of_another_version, MEMBERS)])
def test_no_command_breaks_by_what_a_file_holds(
    lakeshelf: Run, settings: Settings, content: str
) -> None:
    for file in files(settings):
        file.write_text(content)
    for command in COMMANDS:
        done = lakeshelf(*command)
        assert done.code in (0, 1)
        assert "unexpected" not in done.err
        assert done.err.count("\n") <= 1
    assert "nothing runs; start it with `lakeshelf up`" in lakeshelf("status").out


def test_a_damaged_file_is_named_with_the_way_out(lakeshelf: Run, settings: Settings) -> None:
    for file in (settings.stack_dir / STREAMS.name, Broker(settings).ports_file):
        file.write_text('{"broker": "x"')
        examined = lakeshelf("doctor", "processes", "ports")
        assert examined.code == 1
        assert f"{file} is damaged" in " ".join(examined.out.split())
        assert f"rm {file}" in examined.out
        file.unlink()
    assert lakeshelf("doctor", "processes", "ports").code == 0


def test_a_file_that_is_too_large_is_named_and_left_unread(
    lakeshelf: Run, settings: Settings
) -> None:
    large = [file for file in files(settings) if file.parent.name != "broker"]
    for file in large:
        file.touch()
        os.truncate(file, 8 * LARGEST)
    examined = lakeshelf("doctor", "processes")
    assert examined.code == 1
    for file in large:
        assert f"{file} is {TOO_LARGE}" in " ".join(examined.out.split())
        assert f"rm {file}" in examined.out


def test_a_living_stack_of_another_version_is_seen(lakeshelf: Run, settings: Settings) -> None:
    """Its parts are not as ours, so that nothing is said of them."""
    told = {"state": "running", **vars(identify(os.getpid())), "governed": True}
    for parts in (5, ["streams"], {"streams": "well"}, {"streams": {"state": "well"}}):
        (settings.stack_dir / STACK_FILE).write_text(json.dumps(told | {"parts": parts}))
        assert running_stack(settings)["state"] == "running"
        for command in (("status",), ("doctor", "processes", "service")):
            assert "unexpected" not in lakeshelf(*command).err


def test_ports_that_cannot_be_are_chosen_anew(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    for content in ('{"a": 99999999}', '{"a": 0}', '{"a": "80"}', "[1]"):
        file.write_text(content)
        assert ports.read(file) == {}
        assert ports.remembered(file, ["a"])["a"] in ports.RANGE


def test_a_file_in_the_place_of_the_state_is_named_with_its_setting(
    lakeshelf: Run, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake.mkdir(exist_ok=True)
    (lake / "_stack").touch()
    assert f"mv {lake}/_stack" in lakeshelf("doctor", "permissions").out
    (tmp_path / "state").touch()
    monkeypatch.setenv("LAKESHELF_STATE_DIR", str(tmp_path / "state"))
    refused = lakeshelf("status")
    assert refused.code == 2
    assert "LAKESHELF_STATE_DIR" in refused.error


def test_a_table_that_cannot_be_read_is_no_table_that_is_missing(
    lakeshelf: Run, lake: Path
) -> None:
    """Beside 50 that were never made it is named, and a stack that is well is not well with it."""
    name = "raw/pos_transactions"
    write_deltalake(str(lake / name), pa.table({"a": [1]}))
    assert lakeshelf("tables").code == 0
    (lake / name / "_delta_log" / f"{0:020}.json").write_text("[1")
    for command in ("tables", "status"):
        told = lakeshelf(command)
        assert told.code == 1
        assert f"table {name} at {lake}/{name} cannot be read" in told.out
        (row,) = [t for t in _tables(lakeshelf(command, "--json").out) if t["table"] == name]
        assert (row["rows"], row["unreadable"]) == (None, True)
    assert "cannot be read" in json.loads(lakeshelf("status", "--json").out)["problems"][-1]


def _tables(text: str) -> list[dict[str, Any]]:
    read = json.loads(text)
    return list(read["tables"] if isinstance(read, dict) else read)
