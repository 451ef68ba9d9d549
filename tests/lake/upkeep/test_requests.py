"""Who writes a table maintains it; everybody else asks, and never becomes a second writer."""

from __future__ import annotations

import json
import random
import select
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Write
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.upkeep.maintenance import optimize, vacuum
from lakeshelf.lake.write import writing
from tests.lake.upkeep.rig import LOG, NAME, add, made, owned, rows, without_retention

Start = Callable[..., subprocess.Popen[str]]
MERGE = {"min_small_files": 2}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a module as a process of its own, and kills it in the end."""
    started: list[subprocess.Popen[str]] = []

    def run(module: str, *arguments: object) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            f"tests.lake.upkeep.{module}",
            str(tmp_path),
            *map(str, arguments),
        ]
        environment = {"PYTHONPATH": "src:.", "PATH": "/usr/bin:/bin"}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], 180)[0], "nothing within minutes"
    return process.stdout.readline().strip()


def owners(root: Path) -> list[int]:
    return sorted(
        int(v) for v in Lake(root).read(LOG.name, columns=["seq"]).read_all()["seq"].to_pylist()
    )


@pytest.mark.slow
def test_a_running_owner_does_what_is_asked_between_its_commits(
    tmp_path: Path, start: Start
) -> None:
    owned(tmp_path, 20)
    process = start("owning", LOG.name)
    assert line(process) == "ready"
    done = requests.carry_out(Lake(tmp_path), LOG.name, "optimize", MERGE, timeout_s=240)
    assert done.by == LOG.owner
    (part,) = done.report["done"]
    assert part["files"] >= 20
    assert part["made"] == 1
    assert process.poll() is None
    last = int(line(process))
    while int(line(process)) < last + 3:
        pass
    process.kill()
    process.wait()
    found = owners(tmp_path)
    assert found == list(range(1, len(found) + 1)), "every number once"
    assert not list((tmp_path / "_stack" / "maintenance").iterdir()), "nothing is left behind"


def test_an_owner_that_is_down_is_stood_in_for_under_its_lease(tmp_path: Path) -> None:
    owned(tmp_path, 5)
    done = requests.carry_out(Lake(tmp_path), LOG.name, "optimize", MERGE)
    assert done.by == "this process"
    assert done.report["done"][0]["files"] == 5
    assert not (tmp_path / "_stack" / "maintenance").exists()


def test_while_a_table_is_maintained_its_owner_cannot_start(tmp_path: Path) -> None:
    owned(tmp_path, 1)
    lake = Lake(tmp_path)
    with requests.leased(lake.root, lake.dataset(LOG.name)) as is_ours:
        assert is_ours
        for lock in (LOG.owner, LOG.name):
            with pytest.raises(LakeError, match="lakeshelf lake"):
                FileLock(tmp_path / "_stack" / "locks" / f"{lock}.lock", "its owner").acquire()
    FileLock(tmp_path / "_stack" / "locks" / f"{LOG.owner}.lock", "its owner").acquire().release()


@pytest.mark.parametrize("lock", [LOG.owner, LOG.name])
def test_an_owner_that_does_not_answer_leaves_the_table_alone(tmp_path: Path, lock: str) -> None:
    handle = owned(tmp_path, 5)
    version, waited = handle.version(), []
    with (
        FileLock(tmp_path / "_stack" / "locks" / f"{lock}.lock", "a busy owner"),
        pytest.raises(Conflict, match="has not maintained it within 3 s"),
    ):
        requests.carry_out(
            Lake(tmp_path), LOG.name, "optimize", MERGE, timeout_s=3, waiting=lambda: waited.append(1),
            pause=lambda _: None, seconds=lambda: float(len(waited)),
        )  # fmt: skip
    assert waited
    assert DeltaTable(handle.table_uri).version() == version
    assert requests.asked(tmp_path / "_stack", [LOG.name]) == [], "the request is withdrawn"


def test_an_owner_that_goes_while_it_is_asked_is_stood_in_for(tmp_path: Path) -> None:
    owned(tmp_path, 5)
    lease = FileLock(tmp_path / "_stack" / "locks" / f"{LOG.owner}.lock", "its owner").acquire()
    done = requests.carry_out(
        Lake(tmp_path), LOG.name, "optimize", MERGE, pause=lambda _: lease.release()
    )
    assert done.by == "this process"


def test_a_request_that_another_replaced_is_made_again(tmp_path: Path) -> None:
    handle, stack, waited = owned(tmp_path, 5), tmp_path / "_stack", []
    file = stack / "maintenance" / f"{LOG.name.replace('/', '.')}.request.json"

    def serve(_: float) -> None:
        if not waited:
            file.write_text(json.dumps({"id": "another", "action": "vacuum", "arguments": {}}))
        waited.append(1)
        requests.serve(stack, LOG.name, lambda: handle)

    with FileLock(stack / "locks" / f"{LOG.owner}.lock", "its owner"):
        done = requests.carry_out(
            Lake(tmp_path), LOG.name, "optimize", MERGE, timeout_s=9, pause=serve,
            seconds=lambda: float(len(waited)),
        )  # fmt: skip
    assert (done.by, done.report["done"][0]["files"]) == (LOG.owner, 5)


def test_what_fails_is_told_to_who_asked_and_the_owner_goes_on(tmp_path: Path) -> None:
    handle = owned(tmp_path, 2)

    def serve(_: float) -> None:
        assert requests.asked(tmp_path / "_stack", [LOG.name, "raw/other"]) == [LOG.name]
        requests.serve(tmp_path / "_stack", LOG.name, lambda: handle)

    with (
        FileLock(tmp_path / "_stack" / "locks" / f"{LOG.owner}.lock", "its owner"),
        pytest.raises(LakeError, match="cannot be z-ordered by nothing"),
    ):
        requests.carry_out(
            Lake(tmp_path), LOG.name, "optimize", {"columns": ["nothing"]}, pause=serve
        )


@pytest.mark.parametrize(
    "request_", ["", "{", "[]", '{"id": "x", "action": "drop", "arguments": {}}']
)
def test_a_request_that_is_none_is_answered_and_forgotten(tmp_path: Path, request_: str) -> None:
    handle = owned(tmp_path, 1)
    folder = tmp_path / "_stack" / "maintenance"
    folder.mkdir(parents=True)
    (folder / f"{LOG.name.replace('/', '.')}.request.json").write_text(request_)
    requests.serve(tmp_path / "_stack", LOG.name, lambda: handle)
    (answer,) = folder.iterdir()
    assert "nobody can" in json.loads(answer.read_text())["error"]
    requests.serve(tmp_path / "_stack", LOG.name, lambda: handle)


def test_of_two_that_serve_one_does_it(tmp_path: Path) -> None:
    handle, opened = owned(tmp_path, 2), []

    def count() -> DeltaTable:
        opened.append(1)
        return handle

    folder = tmp_path / "_stack" / "maintenance"
    folder.mkdir(parents=True)
    asks = {"id": "x", "action": "optimize", "arguments": MERGE}
    (folder / f"{LOG.name.replace('/', '.')}.request.json").write_text(json.dumps(asks))
    threads = [
        threading.Thread(target=requests.serve, args=(tmp_path / "_stack", LOG.name, count))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 1


@pytest.mark.slow
def test_a_dataset_that_many_write_is_maintained_at_once_beside_its_writers(
    tmp_path: Path,
) -> None:
    made(tmp_path, files=10)
    stop = threading.Event()

    def append() -> None:
        handle = tables.open_table(tmp_path, NAME)
        while not stop.is_set():
            add(handle, 1)

    writer = threading.Thread(target=append)
    writer.start()
    try:
        for _ in range(5):
            done = requests.carry_out(Lake(tmp_path), NAME, "optimize", MERGE)
            assert not done.report["failed"]
    finally:
        stop.set()
        writer.join()
    appended = sum(entry.operation == "WRITE" for entry in Lake(tmp_path).history(NAME))
    assert len(rows(tmp_path)) == 3 * appended


@pytest.mark.faults
def test_a_process_that_is_killed_while_it_optimizes_and_vacuums_loses_no_row(
    tmp_path: Path, start: Start
) -> None:
    without_retention(made(tmp_path, ("a", "b"), files=6))
    kept = [row for row in rows(tmp_path) if row[2] == "b"]
    moment = random.Random(3)
    for _ in range(6):
        process = start("optimizing_for_ever")
        for _ in range(moment.randint(1, 2)):
            assert line(process) == "round"
        threading.Event().wait(moment.random() * 0.2)
        process.kill()
        process.wait()
        found = rows(tmp_path)
        assert [row for row in found if row[2] == "b"] == kept
        of_a = [row for row in found if row[2] == "a"]
        counted = [sum(row[1] == m for row in of_a) for m in "012"]
        assert len(set(counted)) == 1, "files are whole"
    optimize(DeltaTable(str(tmp_path / NAME)), min_small_files=2)
    vacuum(DeltaTable(str(tmp_path / NAME)))
    assert rows(tmp_path) == found


def test_an_object_store_has_no_leases_to_take(tmp_path: Path) -> None:
    owned(tmp_path, 1)
    lake = Lake(tmp_path)
    dataset = lake.dataset(LOG.name)
    root = requests.Root.at("s3://bucket/lake")
    with (
        pytest.raises(Conflict, match="written by producer-pos alone"),
        requests.leased(root, dataset),
    ):
        pass
    assert (
        writing.note(tables.open_table(tmp_path, LOG.name), LOG.name, Write()).version is not None
    )
