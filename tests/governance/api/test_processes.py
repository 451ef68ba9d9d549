"""Two processes of the API over one lake: events in order across both, one merge, and upkeep by one at a time."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lakeshelf.files import read_json
from lakeshelf.governance.client import Client, Dataset
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.upkeep import lock_of
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.locks import is_held
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.machine import ports
from lakeshelf.stack.serving import api_process
from lakeshelf.stack.supervision import governed
from lakeshelf.stack.supervision.parts import ApiPart
from tests.governance.api.people import ROW
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Server:
    """A process of the API."""

    settings: Settings
    part: ApiPart

    @classmethod
    def started(cls, settings: Settings) -> Server:
        part = ApiPart(settings)
        part.start()
        part.go()
        return cls(settings, part)

    def client(self, user: str) -> Client:
        token = (governed.tokens(self.settings) / user).read_text().strip()
        return Client(governed.address(self.settings), token)

    def answers(self) -> bool:
        assert self.part.pid is not None, self.part.last_words()
        try:
            return httpx.get(f"{governed.address(self.settings)}/__lbheartbeat__").is_success
        except httpx.HTTPError:
            return False


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, worker: Worker
) -> Iterator[tuple[Server, Server]]:
    root = tmp_path_factory.mktemp("processes") / "lake"
    started = []
    for port in ports.choose(2):
        settings = load_settings(lake_root=root, api_port=port, governance_worker=worker.address)
        server = Server.started(settings)
        started.append(server)
        eventually(server.answers, "the API answers")
    yield started[0], started[1]
    for server in started:
        server.part.stop()


def dataset(server: Server, user: str) -> Dataset:
    return server.client(user).project("retail").dataset("shelf_policies")


def proposed(server: Server, shelf: str, user: str = "ann") -> tuple[int, str]:
    session = dataset(server, user).open_session()
    assert session.insert(shelf, ROW)["refusals"] == []
    request = session.submit(f"insert {shelf}")
    return request.number, request.get()["request"]["content_hash"]


def test_no_part_of_an_answer_waits_for_the_caller_to_acknowledge_another(tmp_path: Path) -> None:
    settings = load_settings(lake_root=tmp_path, api_port=ports.choose(1)[0])
    with (
        api_process.listener(settings) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_sample_people_have_tokens_that_only_their_user_reads(
    servers: tuple[Server, Server],
) -> None:
    folder = governed.tokens(servers[0].settings)
    assert {file.name for file in folder.iterdir()} == {"ann", "ben", "cat", "vic"}
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert servers[1].client("ann").me()["projects"] == {"retail": "owner"}
    assert [
        one["dataset"]["id"] for one in servers[1].client("vic").project("retail").datasets()
    ] == [
        "batch_catalog",
        "shelf_policies",
        "shelf_profiles",
        "wh_policies",
    ]


def test_events_of_both_processes_come_in_one_order(servers: tuple[Server, Server]) -> None:
    first, second = servers
    known = first.client("vic").events(0)
    for turn, server in enumerate((second, first, second)):
        proposed(server, f"E{turn}")
    told = _until_submitted(known, 3)
    numbers = [one["number"] for one in told]
    assert numbers == sorted(set(numbers))
    seen = next(one["number"] for one in told if one["kind"] == "cr.submitted")
    again = _until_submitted(second.client("vic").events(seen), 2)
    assert [one["number"] for one in again] == [n for n in numbers if n > seen]


def _until_submitted(events: Iterator[dict[str, Any]], times: int) -> list[dict[str, Any]]:
    """Events up to a submission."""
    found = []
    for event in events:
        found.append(event)
        times -= event["kind"] == "cr.submitted"
        if times == 0:
            break
    return found


@pytest.mark.parametrize("last", ["999999999", "9" * 39])
def test_a_reader_of_events_that_are_no_longer_known_is_told_to_begin_anew(
    servers: tuple[Server, Server], last: str
) -> None:
    first, _ = servers
    token = (governed.tokens(first.settings) / "vic").read_text().strip()
    headers = {"Authorization": f"Bearer {token}", "Last-Event-ID": last}
    address = f"{governed.address(first.settings)}/api/v1/events"
    with httpx.stream("GET", address, headers=headers, timeout=60) as response:
        lines = response.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: reset"
        newest = json.loads(next(line for line in lines if line.startswith("data:"))[5:])["newest"]
    assert 0 < newest < 999_999_999


def test_a_merge_asked_of_both_processes_is_one_commit(servers: tuple[Server, Server]) -> None:
    first, second = servers
    number, seen = proposed(first, "M1")
    second.client("ben").project("retail").request(number).approve(seen)
    before = dataset(first, "ann").get()["meta"]["delta_version"]

    def merge(server: Server) -> int | str:
        try:
            merged = server.client("ben").project("retail").request(number).merge(seen)
        except GovernanceError as error:
            return error.code
        return int(merged["merged_version"])

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(merge, (first, second, first, second)))
    versions = {answer for answer in answers if isinstance(answer, int)}
    assert versions == {before + 1}
    others = {answer for answer in answers if isinstance(answer, str)}
    assert others <= {"transition_refused", "state_changed", "dataset_busy"}
    assert merge(first) == before + 1
    assert dataset(second, "ann").get()["meta"]["delta_version"] == before + 1


def test_upkeep_is_done_by_one_process_and_goes_on_when_that_is_killed(
    servers: tuple[Server, Server],
) -> None:
    first, second = servers
    lock = lock_of(first.settings.stack_dir).path
    ids = [server.part.pid for server in (first, second)]

    def holder() -> int | None:
        return read_json(lock).get("pid") if is_held(lock) else None

    eventually(lambda: holder() in ids, "somebody does what is due for all")
    killed = holder()
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    (survivor,) = {*ids} - {killed}
    eventually(lambda: holder() == survivor, "the other process takes over")


def test_a_process_that_is_told_to_ends_in_order(tmp_path: Path, worker: Worker) -> None:
    settings = load_settings(lake_root=tmp_path / "lake", governance_worker=worker.address)
    server = Server.started(settings)
    eventually(server.answers, "the API answers")
    server.part.stop()
    assert server.part.how_it_ended() == "exit code 0"
