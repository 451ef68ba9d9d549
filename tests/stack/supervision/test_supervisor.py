from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from lakeshelf.backoff import STEADY_S
from lakeshelf.files import read_json
from lakeshelf.lake.place.locks import is_held
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.supervision import governed, handover
from lakeshelf.stack.supervision.care import Care
from lakeshelf.stack.supervision.stack_file import NAME as STACK_FILE
from lakeshelf.stack.supervision.supervisor import Supervisor, end_leftovers, running_stack
from lakeshelf.streams.resume import checkpoint
from tests.shop.deciding import signing_in
from tests.support import eventually
from tests.ui.browser import required, signed_in

pytestmark = pytest.mark.slow
Told = dict[str, Any]
SERVED = {"LAKESHELF_GOVERNANCE": "true"}
"""Setting with which governed datasets and pages are served."""
KILLED = "last ended by signal 9 (Killed)"


class Stack:
    """A stack that was brought up with the command line, and how it tells of itself."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        root = ["--lake", str(self.settings.lake_root)]
        command = [sys.executable, "-m", "lakeshelf.cli.main", *root, *arguments]
        environ = {**os.environ, "PYTHONPATH": str(self.settings.home / "src"), **more}
        return subprocess.run(command, capture_output=True, text=True, env=environ, check=False)

    def told(self) -> Told:
        return running_stack(self.settings)

    def is_running(self, *parts: str) -> bool:
        told = self.told().get("parts", {})
        return all(told.get(part, {}).get("state") == "running" for part in parts)

    def lags(self) -> set[int]:
        told = json.loads(self.command("status", "--json").stdout)
        return {query["lag"] for query in told["queries"]}

    def pid(self, part: str) -> int:
        return int(self.told()["parts"][part]["pid"])

    def kill(self, part: str) -> None:
        os.kill(self.pid(part), signal.SIGKILL)

    def await_restart(self, part: str) -> None:
        def restarted() -> bool:
            told = self.told()
            return told.get("state") == "running" and told["parts"][part]["restarts"] == 1

        eventually(restarted, "the part runs again")

    def end(self) -> None:
        """Whatever a test left running."""
        told = self.told()
        if told:
            os.kill(told["pid"], signal.SIGKILL)
        end_leftovers(self.settings)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One lake for all: a stack that runs when a test begins is up for the next one as well."""
    stack = Stack(load_settings(lake_root=tmp_path_factory.mktemp("stack") / "lake"))
    yield stack
    stack.end()


def test_a_stack_goes_up_is_told_of_goes_down_and_goes_on(stack):
    up = stack.command("up", "--no-simulation", **SERVED)
    assert up.returncode == 0
    eventually(lambda: stack.is_running("api", "worker"), "governed datasets are served")
    status = json.loads(stack.command("status", "--json").stdout)
    assert status["ok"], status["problems"]
    assert {q["state"] for q in status["queries"]} == {"running"}
    assert {c["state"] for c in status["components"]} == {"running"}
    eventually(lambda: stack.lags() == {0}, "the queries stand at the end of their topics")

    api = governed.address(stack.settings)
    assert api in up.stdout
    assert str(governed.tokens(stack.settings)) in up.stdout
    assert httpx.get(f"{api}/__heartbeat__").json()["status"] == "ok"

    again = stack.command("up")
    assert again.returncode == 0
    assert "up already" in again.stdout

    second = stack.command("up", "--foreground")
    assert second.returncode == 1
    assert "held by a stack" in second.stderr

    processes = [identify(stack.pid(part)) for part in ("streams", "broker")]
    assert stack.command("down").returncode == 0
    assert not any(process.is_alive for process in processes)
    assert stack.command("status").returncode == 1

    assert stack.command("up", **SERVED).returncode == 0
    assert json.loads(stack.command("status", "--json").stdout)["ok"]


def test_a_killed_driver_is_seen_on_a_page_and_like_a_killed_broker_comes_back(stack):
    assert stack.command("up", **SERVED).returncode == 0
    eventually(lambda: stack.is_running("api"), "pages are served")
    ann = signing_in(stack.settings.lake_root, "ann")
    with required() as browser, signed_in(browser, *ann) as page:
        page.goto("/pipeline")
        problems, heading = page.locator("ul.problems"), page.locator("#problems")
        running = page.locator("[data-query] [data-state=running]")
        expect(running.first).to_be_visible()
        queries = page.locator("[data-query]").count()
        expect(running).to_have_count(queries)
        stack.kill("streams")
        expect(problems).to_contain_text(f"streams is starting ({KILLED}, 1 restart")
        expect(problems).to_contain_text("lakeshelf logs streams")
        expect(running).to_have_count(0)
        stack.await_restart("streams")
        expect(running).to_have_count(queries)
        expect(heading).to_have_text("No problems")
        healed = f"streams is running, 1 restart, {KILLED}."
        expect(page.locator("[data-parts]")).to_contain_text(healed)
    stack.kill("broker")
    stack.await_restart("broker")
    assert json.loads(stack.command("status", "--json").stdout)["parts"]["streams"]["restarts"] == 1


def test_the_parts_of_a_killed_supervisor_end_and_the_next_one_goes_on(stack):
    assert stack.command("up").returncode == 0
    processes = [identify(stack.pid(part)) for part in ("streams", "broker")]
    os.kill(stack.told()["pid"], signal.SIGKILL)
    assert stack.command("up").returncode == 0
    assert not any(process.is_alive for process in processes)


def test_a_second_signal_kills(stack):
    assert stack.command("up").returncode == 0
    told = stack.told()
    processes = [identify(told["pid"]), *(identify(part["pid"]) for part in told["parts"].values())]
    os.kill(told["pid"], signal.SIGTERM)
    folder = stack.settings.stack_dir
    eventually(lambda: read_json(folder / STACK_FILE)["state"] == "stopping", "it stops")
    os.kill(told["pid"], signal.SIGTERM)
    eventually(lambda: not any(process.is_alive for process in processes), "all are dead")
    eventually(lambda: not is_held(folder / "stack.lock"), "the lake is free")


def test_no_status_that_names_a_new_start_says_that_all_runs(settings, monkeypatch):
    part = SimpleNamespace(
        name="broker", pid=None, is_ready=False, is_awaited=True, was_refused=False,
        start=lambda: None, how_it_ended=lambda: "", last_words=lambda: "",
    )  # fmt: skip
    supervisor, care = Supervisor(settings), Care(part, settings.backoff())
    care.backoff.start(time.monotonic() - STEADY_S)
    told = []
    monkeypatch.setattr(supervisor, "_cares", [care])
    monkeypatch.setattr(supervisor, "_state", "running")
    monkeypatch.setattr(
        supervisor, "_write", lambda: told.append((supervisor._state, care.restarts))
    )
    supervisor._tend()
    assert {restarts for _, restarts in told} == {1}
    assert {state for state, _ in told} == {"recovering"}


def test_nothing_is_made_in_the_place_of_what_was_lost(settings):
    begun = checkpoint.begin(settings.checkpoint_dir, "shelf-aggregator", {})
    begun.path.mkdir()
    (begun.path.parent / checkpoint.POINTER).unlink()
    refused = Stack(settings).command("up")
    assert refused.returncode == 1
    assert "shelf-aggregator does not start: its checkpoint is gone" in refused.stderr
    assert not list(tables.existing(settings.lake_root))
    assert not (settings.checkpoint_dir / "shelf-aggregator" / checkpoint.POINTER).exists()


@pytest.mark.parametrize("state", ["stopped", "failed"])
def test_a_stack_that_has_ended_is_none_though_its_process_goes_on(
    lakeshelf, lake: Path, state: str
):
    settings, own = load_settings(), identify(os.getpid())
    told = {"state": state, "lake": str(lake), "parts": {}, **vars(own)}
    settings.stack_dir.mkdir(parents=True)
    (settings.stack_dir / STACK_FILE).write_text(json.dumps(told))
    assert running_stack(settings) == {}
    assert json.loads(lakeshelf("down", "--json").out)["stopped"] is False


def test_a_child_gets_every_setting_secrets_included(tmp_path: Path):
    given = load_settings(lake_root=tmp_path, kafka_username="me", kafka_password="open-sesame")
    assert load_settings(**json.loads(handover.dumped(given))) == given
