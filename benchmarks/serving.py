"""Serving: cells that are edited, pages of a grid, a large file, and the processes idle; over HTTP, as people do it."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pyarrow import csv

from benchmarks import governed, stacks, usage
from benchmarks.governed import AUTHOR, DATASET, MB, PROJECT, USERS, GovernedPlace, peak_mb, place
from benchmarks.harness import (
    Benchmark,
    Figure,
    Parameters,
    Run,
    main,
    percentile,
    rounded,
    spread,
    wait_for,
)
from lakeshelf.governance.client import Client, Dataset, Session
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.stack.supervision import governed as service

PAGE, EVERY_S = 200, 2.0
KINDS = {"next": "the next page", "sort": "a new sort", "filter": "a filter"}
SHARES = {"next": 60, "sort": 20, "filter": 20}
"""Of a hundred pages."""
COLUMNS = tuple(governed.TYPES)
EDITS = 20
"""Cells that each user has edited before they page."""
FILE_ROWS = 100_000
UPLOAD_S, START_S = 600.0, 60.0


def figures(parameters: Parameters) -> list[Figure]:
    """Idle, cells, pages, the file."""
    return [
        Figure("idle_api_mb", "API, idle", "MB", 200),
        Figure("idle_worker_mb", "worker, idle", "MB", 350),
        Figure("idle_cores", "API and worker, idle", "cores", 0.03),
        Figure("cell_p50", "one cell edited, validated, answered, p50", "ms"),
        Figure("cell_p95", "one cell edited, validated, answered, p95", "ms", 150),
        Figure("cell_cpu", "one cell edited: processor time of API and worker", "ms"),
        Figure("page_p50", "page of a grid with edits laid over, p50", "ms"),
        Figure("page_p95", "page of a grid with edits laid over, p95", "ms", 150),
        *(Figure(f"page_{kind}_p95", f"page of a grid: {said}, p95", "ms") for kind, said in KINDS.items()),
        Figure("page_cores", f"{USERS} users who page: API", "cores"),
        Figure("page_mb", f"{USERS} users who page: API, most memory", "MB"),
        Figure("import_s", "CSV file → change request ready", "s", 60),
        Figure("import_cpu", "CSV file → change request ready: processor time", "s"),
        Figure("import_mb", "CSV file → change request ready: most memory, worker included", "MB", 2_000),
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One dataset, one API, one worker."""
    measured: dict[str, float] = {}
    detail: dict[str, Any] = {}
    with place(folder / "bench") as (lake, worker):
        lake.fill(parameters["rows"], seed)
        with served(lake) as (address, api):
            processes = Processes(api, worker)
            measured |= idle(processes, parameters["idle_seconds"])
            say(f"idle {measured['idle_api_mb']:.0f} and {measured['idle_worker_mb']:.0f} MB")
            with Client(address, lake.token(AUTHOR.user)) as client:
                measured |= cells(processes, dataset(client), parameters, seed)
            say(f"cell p95 {measured['cell_p95']:.0f} ms")
            pages, detail["pages_ms"] = grid(processes, lake, address, parameters, seed)
            measured |= pages
            say(f"page p95 {measured['page_p95']:.0f} ms: {detail['pages_ms']}")
            file = written(folder / "rows.csv", parameters["file_mb"] * MB, seed)
            with Client(address, lake.token(AUTHOR.user), seconds=UPLOAD_S) as client:
                measured |= imported(processes, dataset(client), file)
            say(f"import {measured['import_s']:.1f} s, {measured['import_mb']:.0f} MB")
    return {"figures": rounded(measured), **detail}


class Processes:
    """The API and the worker."""

    def __init__(self, api: psutil.Process, worker: psutil.Process) -> None:
        self.api = api
        self.worker = worker

    @property
    def cpu(self) -> float:
        """Processor seconds of both so far."""
        return governed.spent(self.api) + governed.spent(self.worker)


@contextmanager
def served(lake: GovernedPlace) -> Iterator[tuple[str, psutil.Process]]:
    """The API as `lakeshelf up` runs it: its address, and its process."""
    command = [sys.executable, "-m", "lakeshelf.stack.serving.api_process"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,  # a line for each call
        env=stacks.environment(lake.options),
    ) as process:
        try:
            address = service.address(lake.settings)
            with Client(address, lake.token(AUTHOR.user)) as client:
                wait_for("the API to answer", lambda: _runs(client, process), START_S, 0.1)
            yield address, psutil.Process(process.pid)
        finally:
            process.terminate()


def idle(processes: Processes, seconds: float) -> dict[str, float]:
    """Memory and cores while nobody asks."""
    pids = (processes.api.pid, processes.worker.pid)
    before, began = processes.cpu, time.monotonic()
    time.sleep(seconds)
    cores = (processes.cpu - before) / (time.monotonic() - began)
    api, worker = (usage.memory([pid])[pid] / MB for pid in pids)
    return {"idle_api_mb": api, "idle_worker_mb": worker, "idle_cores": cores}


def cells(
    processes: Processes, table: Dataset, parameters: Parameters, seed: int
) -> dict[str, float]:
    """Cells one after another, in one session."""
    session, generator = table.open_session(), random.Random(seed)
    edit_cell(session, 0, 1)
    before, taken = processes.cpu, []
    for number in range(parameters["edits"]):
        row = generator.randrange(parameters["rows"])
        began = time.perf_counter()
        edit_cell(session, row, number % governed.MOST_QUANTITY)
        taken.append(1000 * (time.perf_counter() - began))
    cpu = 1000 * (processes.cpu - before) / parameters["edits"]
    return {"cell_p50": percentile(taken, 50), "cell_p95": percentile(taken, 95), "cell_cpu": cpu}


def edit_cell(session: Session, row: int, quantity: int) -> None:
    """Set a cell, which is taken and violates nothing."""
    answer = session.set(f"L{row}", "quantity", quantity)
    if answer["refusals"] or answer["findings"]:
        raise RuntimeError(f"row {row} was refused: {answer}")


def grid(
    processes: Processes, lake: GovernedPlace, address: str, parameters: Parameters, seed: int
) -> tuple[dict[str, float], Mapping[str, Any]]:
    """Users who page for some time, each a page every two seconds; edits of their own laid over."""
    readers = [
        GridReader(address, lake.token(f"user_{n:02}"), parameters["rows"], seed + n)
        for n in range(USERS)
    ]
    for reader in readers:
        reader.begin()
    governed.forget_peak(processes.api.pid)
    before, began = governed.spent(processes.api), time.monotonic()
    with paging(readers):
        time.sleep(parameters["page_seconds"])
    cores = (governed.spent(processes.api) - before) / (time.monotonic() - began)
    by_kind = {k: [ms for one in readers for ms in one.taken[k]] for k in KINDS}
    for reader in readers:
        reader.end()
    if lost := sum(one.refused for one in readers):
        raise RuntimeError(f"{lost} pages did not come")
    everything = [ms for values in by_kind.values() for ms in values]
    figures = {
        "page_p50": percentile(everything, 50),
        "page_p95": percentile(everything, 95),
        **{f"page_{kind}_p95": percentile(values, 95) for kind, values in by_kind.items()},
        "page_cores": cores,
        "page_mb": peak_mb(processes.api.pid),
    }
    return figures, {kind: spread(values) for kind, values in by_kind.items()}


@contextmanager
def paging(readers: Sequence[GridReader]) -> Iterator[None]:
    """Readers who page for as long as the block takes; begun at different parts of the first two seconds."""
    done = threading.Event()
    with ThreadPoolExecutor(max(1, len(readers))) as pool:
        pages = [
            pool.submit(reader.page_until, done, n / len(readers))
            for n, reader in enumerate(readers)
        ]
        try:
            yield
        finally:
            done.set()
        for one in pages:
            one.result()


class GridReader:
    """Somebody who looks through a dataset and has edited some cells of it.

    Args:
        address: Where the API is.
        token: Their token.
        rows: Rows of the dataset.
        seed: What they do follows from it.
        name: Name of the dataset.
        columns: What they sort by.
    """

    def __init__(
        self,
        address: str,
        token: str,
        rows: int,
        seed: int,
        name: str = DATASET,
        columns: Sequence[str] = COLUMNS,
    ) -> None:
        self._client = Client(address, token)
        self._table = dataset(self._client, name)
        self._columns = columns
        self._random = random.Random(seed)
        self._rows = rows
        self._offset = 0
        self.taken: defaultdict[str, list[float]] = defaultdict(list)
        """Kind → milliseconds of each page."""
        self.refused = 0
        """Pages that did not come."""

    def begin(self) -> None:
        """Edit some cells, and see the first page."""
        self._session = self._table.open_session()
        self._session.edit(
            {"op": "set", "row_id": f"L{self._random.randrange(self._rows)}", "column": "quantity", "value": n}
            for n in range(EDITS)
        )  # fmt: skip
        self._look()

    def page_until(self, done: threading.Event, start: float) -> None:
        """Page, from a part of the first two seconds on."""
        due = time.monotonic() + start * EVERY_S
        kinds, weights = list(SHARES), list(SHARES.values())
        while not done.wait(max(0.0, due - time.monotonic())):
            try:
                self._page(self._random.choices(kinds, weights)[0])
            except GovernanceError:
                self.refused += 1
            due += EVERY_S

    def end(self) -> None:
        """Leave nothing behind."""
        self._session.discard()
        self._client.close()

    def _page(self, kind: str) -> None:
        asked = time.perf_counter()
        if kind == "next":
            self._offset = self._offset + PAGE if self._offset + PAGE < self._count else 0
            self._show()
        elif kind == "sort":
            descending = self._random.random() < 0.5
            self._look(
                sort=[{"column": self._random.choice(self._columns), "descending": descending}]
            )
        else:
            store = f"S{self._random.randrange(300)}"
            self._look(filters=[{"column": "store", "op": "=", "value": store}])
        self.taken[kind].append(1000 * (time.perf_counter() - asked))

    def _look(self, **asked: Any) -> None:
        view = self._table.view(**asked)
        self._view, self._count, self._offset = view["id"], view["count"], 0
        self._show()

    def _show(self) -> None:
        page = self._table.rows(self._view, self._offset, PAGE, self._session.id)
        if len(page["row_ids"]) != min(PAGE, self._count - self._offset):
            raise RuntimeError(f"{len(page['row_ids'])} rows from {self._offset} on")


def written(file: Path, size: int, seed: int) -> Path:
    """A CSV file of so many bytes, of rows of the dataset and as many again behind them."""
    with file.open("wb") as out:
        first = 0
        while out.tell() < size:
            numbers = np.arange(first, first + FILE_ROWS)
            options = csv.WriteOptions(include_header=first == 0)
            csv.write_csv(governed.rows(numbers, seed + 1), out, options)
            first += FILE_ROWS
        out.truncate(size)
        out.seek(0)
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b"\n") + 1])
    return file


def imported(processes: Processes, table: Dataset, file: Path) -> dict[str, float]:
    """Upload a file and make a change request of it."""
    for process in (processes.api, processes.worker):
        governed.forget_peak(process.pid)
    before, began = processes.cpu, time.perf_counter()
    upload = table.upload(file.name, partial(_parts, file))
    loaded = upload.load("A file")
    seconds = time.perf_counter() - began
    if loaded["request"]["status"] != "pending_review":
        raise RuntimeError(f"the file is {loaded['upload']}")
    return {
        "import_s": seconds,
        "import_cpu": processes.cpu - before,
        "import_mb": peak_mb(processes.api.pid) + peak_mb(processes.worker.pid),
    }


def _parts(file: Path) -> Iterator[bytes]:
    with file.open("rb") as content:
        yield from iter(partial(content.read, MB), b"")


def dataset(client: Client, name: str = DATASET) -> Dataset:
    """A dataset, through the API."""
    return client.project(PROJECT).dataset(name)


def answers(client: Client) -> bool:
    """Whether the API answers."""
    try:
        client.me()
    except GovernanceError:
        return False
    return True


def _runs(client: Client, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"the API ended with {process.returncode}")
    return answers(client)


BENCHMARK = Benchmark(
    name="serving",
    title="Governed datasets over HTTP",
    defaults={
        "rows": 1_000_000,
        "edits": 200,
        "page_seconds": 60,
        "file_mb": 100,
        "idle_seconds": 60,
    },
    quick={"rows": 2_000, "edits": 5, "page_seconds": 4, "file_mb": 1, "idle_seconds": 2},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
