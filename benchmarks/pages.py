"""Pages: what people wait for in Chromium, by rows and readers, alone and beside a stack at work, over HTTP."""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
from playwright.sync_api import Browser, Page

from benchmarks import governed, live, pages_browser, pages_news, stacks
from benchmarks.governed import AUTHOR, PROJECT, GovernedPlace, place
from benchmarks.harness import (
    Benchmark,
    Figure,
    Parameters,
    Run,
    main,
    percentile,
    rounded,
    wait_for,
)
from benchmarks.pages_browser import PASTED_COLUMNS, page_of
from benchmarks.pages_news import STREAMS
from benchmarks.serving import COLUMNS, GridReader, answers, dataset, paging, served
from lakeshelf.governance.client import Client
from lakeshelf.stack.supervision import governed as service
from tests.ui.browser import running

CELLS_OF_DIFF = 10_000
GOAL_ROWS = 1_000_000
"""Goals of some waits are of tables of as many rows."""
SHELF = "S300-I1000000"
"""One that events of a stack are of."""
DIFF = "[aria-labelledby=diff] tbody tr"
START_S = 300.0
BYTES = 1000
"""Of a kilobyte."""


@dataclass(frozen=True)
class Situation:
    """What a wait may depend on.

    Attributes:
        rows: Rows of the dataset.
        users: How many read and edit it, the one in Chromium among them.
        rate: Events a second of the stack beside; 0: there is none.
    """

    rows: int
    users: int
    rate: int

    @property
    def key(self) -> str:
        """Part of the keys of its figures."""
        return f"{self.rows}_{self.users}_{self.rate}"

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return _dataset(self.rows)

    def __str__(self) -> str:
        users = "1 user" if self.users == 1 else f"{self.users} users"
        return f"{self.rows:,} rows, {users}{_beside(self.rate)}"


@dataclass(frozen=True)
class Wait:
    """What somebody waits for.

    Attributes:
        key: Part of the keys of its figures.
        title: What it is, for people.
        unit: Its unit.
        goal: Figure to reach.
        beside: That with a stack beside, where it is another.
        most_rows: Rows up to which there is a goal; None: however many.
    """

    key: str
    title: str
    unit: str
    goal: float
    beside: float | None = None
    most_rows: int | None = None

    def figure(self, situation: Situation) -> Figure:
        """The figure in a situation."""
        goal = self.beside if self.beside and situation.rate else self.goal
        has_goal = self.most_rows is None or situation.rows <= self.most_rows
        return Figure(
            f"{self.key}_{situation.key}",
            f"{self.title}: {situation}",
            self.unit,
            goal if has_goal else None,
        )


REFUSALS = Wait("refused", "calls of the others that were refused", "", 0)
EITHER = (
    Figure("diff_ms", f"first page of the diff of {CELLS_OF_DIFF:,} cells", "ms", 500),
    Figure("streams_cores", f"{STREAMS} open streams: API", "cores", 0.1),
    Figure("streams_lost", f"{STREAMS} open streams: snapshots that came to fewer than all", "", 0),
)
"""Alone, and beside a stack."""


def waits(parameters: Parameters) -> tuple[Wait, ...]:
    """What is waited for in every situation."""
    cells = parameters["pasted"] * PASTED_COLUMNS
    return (
        Wait("paint_p95", "first paint of a page, p95", "ms", 500, beside=1_000),
        Wait("rows_ms", "first rows", "ms", 700, most_rows=GOAL_ROWS),
        Wait("jump_ms", "jump to the middle", "ms", 300, most_rows=GOAL_ROWS),
        Wait("sort_ms", "first rows in an order nobody asked for yet", "ms", 5_000, most_rows=GOAL_ROWS),
        Wait("frame_p95", "frame while rows are scrolled, p95", "ms", 33),
        Wait("key_p95", "key → painted cell, p95", "ms", 50),
        Wait("paste_s", f"{cells:,} cells pasted, judged and told of", "s", 3),
    )  # fmt: skip


def situations(parameters: Parameters, rate: int) -> list[Situation]:
    """Situations at a rate of events, the smallest first."""
    both = itertools.product(parameters["sizes"], parameters["users"])
    return [Situation(rows, users, rate) for rows, users in both]


def figures(parameters: Parameters) -> list[Figure]:
    """Every wait in every situation; then what pages weigh, and what comes to them by itself."""
    rates = (0, parameters["rate"])
    every = [one for rate in rates for one in situations(parameters, rate)]
    news = f"commit in the lake → number on the screen{_beside(parameters['rate'])}"
    return [
        *(wait.figure(one) for wait in waits(parameters) for one in every),
        *(REFUSALS.figure(one) for one in every if one.users > 1),
        *(
            replace(one, key=f"{one.key}_{rate}", title=f"{one.title}{_beside(rate)}")
            for one in EITHER
            for rate in rates
        ),
        Figure("heaviest_kb", "heaviest page with styles and scripts, compressed", "KB", 120),
        Figure("grid_kb", "scripts of the grid to show it and edit cells, compressed", "KB", 15),
        Figure("news_p50", f"{news}, p50", "ms"),
        Figure("news_p95", f"{news}, p95", "ms", 1_500),
        Figure("heal_s", "server killed and started: pages live again after it answers", "s", 6),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One lake with a dataset a size, one browser; the API alone, and then with a whole stack."""
    measured: dict[str, float] = {}
    paints: dict[str, dict[str, float]] = {}
    weights: dict[str, int] = {}
    with place(folder / "bench") as (lake, _), running() as browser:
        number = _fill(lake, parameters["sizes"], seed)
        say("filled")
        for rate in (0, parameters["rate"]):
            with beside(lake, parameters, seed) if rate else served(lake) as (address, api):
                seat = Seat(lake, browser, address, number, parameters, seed)
                for one in situations(parameters, rate):
                    taken, paints[one.key], sent = seat.situation(one)
                    measured |= {f"{key}_{one.key}": value for key, value in taken.items()}
                    weights |= sent
                    slowest = max(paints[one.key], key=lambda path: paints[one.key][path])
                    say(f"{one}: {rounded(taken)}, slowest {slowest}")
                taken = seat.news(api) if rate else seat.alone(api)
                measured |= taken
                say(f"{rounded(taken)}")
    measured["heaviest_kb"] = max(weights.values()) / BYTES
    return {"figures": rounded(measured), "paints_p95_ms": paints, "bytes": weights}


@dataclass(frozen=True)
class Seat:
    """Somebody in front of Chromium, and others who use the same server.

    Attributes:
        lake: What is served.
        browser: Chromium.
        address: Where the API is.
        number: A change request.
        parameters: Of the benchmark.
        seed: What the others do follows from it.
    """

    lake: GovernedPlace
    browser: Browser
    address: str
    number: int
    parameters: Parameters
    seed: int

    def situation(
        self, one: Situation
    ) -> tuple[dict[str, float], dict[str, float], dict[str, int]]:
        """What is waited for; of each page the 95th percentile of its first paint in ms, and its bytes."""
        with self._others(one) as others, self._page() as page:
            paints, weights = pages_browser.visits(
                page, self._names(one), self.parameters["visits"]
            )
            order = COLUMNS[-1 - self.parameters["users"].index(one.users)]
            address = f"/data/{PROJECT}/{one.dataset}"
            taken = pages_browser.grid(page, address, one.rows, order, self.parameters)
        self._discard(one.dataset)
        taken["paint_p95"] = percentile(list(itertools.chain(*paints.values())), 95)
        if others:
            taken["refused"] = float(sum(other.refused for other in others))
        return taken, {path: percentile(taken, 95) for path, taken in paints.items()}, weights

    def alone(self, api: psutil.Process) -> dict[str, float]:
        """What needs no stack; the last of it kills the API."""
        taken = self._either(0, api)
        with ExitStack() as again, self._page() as page:
            address = f"/data/{PROJECT}/{_dataset(self.parameters['sizes'][0])}"
            taken["grid_kb"] = pages_browser.weight_of_grid(page, address) / BYTES
            taken["heal_s"] = pages_news.healed(
                page, api, lambda: again.enter_context(served(self.lake))
            )
        return taken

    def news(self, api: psutil.Process) -> dict[str, float]:
        """What comes to pages while a stack works."""
        taken = self._either(self.parameters["rate"], api)
        with self._page() as page:
            root = self.lake.settings.lake_root
            delays = pages_news.delays(page, root, self.parameters["news_seconds"])
        return taken | {f"news_p{p}": percentile(delays, p) for p in (50, 95)}

    def _either(self, rate: int, api: psutil.Process) -> dict[str, float]:
        """A large diff and many streams."""
        with self._page() as page:
            review = f"/reviews/{PROJECT}/{self.number}"
            diff = pages_browser.shown(page, review, DIFF)
        seconds = self.parameters["stream_seconds"]
        token = self.lake.token(AUTHOR.user)
        streams = pages_news.streams(self.address, token, api.pid, seconds)
        return {f"{key}_{rate}": value for key, value in {"diff_ms": diff, **streams}.items()}

    def _page(self) -> AbstractContextManager[Page]:
        return page_of(self.browser, self.address, self.lake.token(AUTHOR.user))

    @contextmanager
    def _others(self, one: Situation) -> Iterator[list[GridReader]]:
        columns = COLUMNS[: -len(self.parameters["users"])]
        readers = [
            GridReader(
                self.address,
                self.lake.token(f"user_{n:02}"),
                one.rows,
                self.seed + n,
                one.dataset,
                columns,
            )
            for n in range(one.users - 1)
        ]
        for reader in readers:
            reader.begin()
        with paging(readers):
            yield readers
        for reader in readers:
            reader.end()

    def _names(self, one: Situation) -> dict[str, object]:
        """Names that stand in addresses of pages; of shelves there are some where there is a stack."""
        names = {"project": PROJECT, "dataset": one.dataset, "number": self.number}
        return {**names, "shelf": SHELF, "id": SHELF} if one.rate else names

    def _discard(self, name: str) -> None:
        """Who comes next finds no edits."""
        with Client(self.address, self.lake.token(AUTHOR.user)) as client:
            table = dataset(client, name)
            for session in table.sessions():
                table.session(session["id"]).discard()


def _fill(lake: GovernedPlace, sizes: Sequence[int], seed: int) -> int:
    """Fill a dataset a size; the number of a change request for the one of middle size."""
    for rows in sizes:
        lake.add(_dataset(rows))
        lake.fill(rows, seed, _dataset(rows))
    size = statistics.median_low(sizes)
    cells = np.arange(min(CELLS_OF_DIFF, size))
    with lake.opened() as context:
        return governed.proposed(context, cells, "quantity", 7, _dataset(size)).number


@contextmanager
def beside(
    lake: GovernedPlace, parameters: Parameters, seed: int
) -> Iterator[tuple[str, psutil.Process]]:
    """The API of a whole stack on a lake, through which events go at a steady rate: its address, and its process."""
    with stacks.stack(lake.options["lake_root"], governance_sample=False) as stack:
        source = live.EventSource(stack.client, parameters["shelves"], seed)
        source.open_shelves()
        stack.wait_folded()
        address = service.address(stack.settings)
        with Client(address, lake.token(AUTHOR.user)) as client:
            wait_for("the API to answer", lambda: answers(client), START_S)
        with source.driven(parameters["rate"]):
            time.sleep(parameters["warm_seconds"])
            yield address, psutil.Process(stack.parts["api"])


def _dataset(rows: int) -> str:
    return f"lines_{rows}"


def _beside(rate: int) -> str:
    return f", {rate:,} events/s beside" if rate else ""


BENCHMARK = Benchmark(
    name="pages",
    title="Pages: what people wait for in Chromium",
    defaults={
        "sizes": [100_000, 1_000_000, 10_000_000],
        "users": [1, 20],
        "rate": 1_000,
        "shelves": 93_419,
        "warm_seconds": 20.0,
        "visits": 3,
        "scroll_seconds": 5.0,
        "keys": 60,
        "pasted": 10_000,
        "stream_seconds": 20.0,
        "news_seconds": 60.0,
    },
    quick={
        "sizes": [2_000],
        "users": [1, 2],
        "rate": 50,
        "shelves": 200,
        "warm_seconds": 1.0,
        "visits": 1,
        "scroll_seconds": 1.0,
        "keys": 10,
        "pasted": 500,
        "stream_seconds": 3.0,
        "news_seconds": 8.0,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
