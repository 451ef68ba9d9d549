"""What forecasts of a real shop take, from the extra to a cutoff day: each by the commands and services of a shop."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from benchmarks import ml_shop, peer_venvs, stacks
from benchmarks.harness import Figure, Parameters, wait_for
from benchmarks.machine import home
from benchmarks.peer_venvs import Unavailable
from benchmarks.usage import WatchedProcess
from lakeshelf.components.clock import Ticker
from lakeshelf.components.component import Component, Context
from lakeshelf.components.registry import module
from lakeshelf.components.service import ComponentService, Leader
from lakeshelf.contracts.layers import Curated
from lakeshelf.forecast.demand.windows import latest_cutoff
from lakeshelf.forecast.inference.levels import TOPIC
from lakeshelf.kafka import topics
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings

MB, MIB = 10**6, 2**20
EVERY_STORE = 10_000
"""More stores than there are."""
FILLS = {10: 120.0, EVERY_STORE: 900.0}
"""Stores → seconds in which the features of their year are to be there."""
ANSWER_S, POLL_S = 1_800.0, 0.05
EXTRA, LOCK = "ml", "requirements.lock"


def figures(parameters: Parameters) -> Iterator[Figure]:
    """Time and memory of commands, and of a cutoff day."""
    shop = f"a lake of {stores_of(parameters['lake_stores'])}"
    for stores in parameters["fills"]:
        title = f"`features backfill`, {stores_of(stores)}: a year's cutoff days"
        yield Figure(f"fill_{stores}", title, "s", FILLS.get(stores))
        yield Figure(f"fill_{stores}_memory", f"{title}: memory (PSS, most)", "MiB")
    yield Figure("train", f"`models train`, {shop}", "s")
    yield Figure("train_memory", f"`models train`, {shop}: memory (PSS, most)", "MiB", 2_048)
    cutoff = "one cutoff: features read, shelves predicted, committed, levels sent"
    yield Figure("cutoff", f"{cutoff}; {shop}", "s", 30)
    yield Figure("cutoff_shelves", "one cutoff: shelves predicted", "")
    yield Figure("cutoff_levels", "one cutoff: levels sent", "")
    asked = f"`whatif --set plan_source=ml`, a quarter, two policies, {shop}"
    yield Figure("asked", asked, "s", 60)
    yield Figure("asked_memory", f"{asked}: memory (PSS, most)", "MiB")
    yield Figure("install", f"the extra `{EXTRA}` installed into an empty environment", "s", 30)
    yield Figure("install_size", f"the extra `{EXTRA}`: size with all that it needs", "MB", 250)


def stores_of(number: int) -> str:
    """The busiest stores in words."""
    return "all stores" if number >= EVERY_STORE else f"{number} busiest stores"


def measured(parameters: Parameters, folder: Path, say: Callable[[str], None]) -> dict[str, float]:
    """Each step after another; `say` is told what it came to."""
    until = ml_shop.OPENED.date() + timedelta(days=parameters["lake_days"])
    own = parameters["lake_stores"]
    spent: dict[str, float] = {}
    for stores in sorted({*parameters["fills"], own}, key=lambda number: number == own):
        root = folder / f"lake_{stores}"
        shelves = ml_shop.made(root, range(stores), until)
        say(f"{shelves:,} shelves of {stores_of(stores)}")
        filled = Command.of(root, "features", "backfill")
        spent |= filled.figures(f"fill_{stores}")
        say(f"{filled.answer['rows']:,} rows in {filled.seconds:.0f} s, {filled.memory:.0f} MiB")
        if stores != own:
            shutil.rmtree(root)
    return {**spent, **_decided(root, latest_cutoff(until), say), **extra(folder, say)}


def _decided(root: Path, day: date, say: Callable[[str], None]) -> dict[str, float]:
    """A training, a what-if, and the cutoff day on which what was trained decides."""
    trained = Command.of(root, "models", "train")
    say(f"trained in {trained.seconds:.0f} s, {trained.memory:.0f} MiB")
    asked = Command.of(root, "whatif", "--set", "plan_source=ml")
    say(f"what-if in {asked.seconds:.0f} s, {asked.memory:.0f} MiB")
    ml_shop.let_decide(root, trained.answer["model_version"])
    cut = cutoff(root, day)
    say(f"a cutoff of {cut['cutoff_shelves']:,.0f} shelves in {cut['cutoff']:.1f} s")
    return {**trained.figures("train"), **asked.figures("asked"), **cut}


def extra(folder: Path, say: Callable[[str], None]) -> dict[str, float]:
    """What the extra takes to install, in versions of the lock; nothing where it cannot be."""
    project = tomllib.loads((home() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    try:
        seconds, size = peer_venvs.installed(
            project["optional-dependencies"][EXTRA], folder / EXTRA, home() / LOCK
        )
    except Unavailable as error:
        say(f"the extra {error}")
        return {}
    say(f"the extra in {seconds:.1f} s, {size / MB:.0f} MB")
    return {"install": seconds, "install_size": size / MB}


@dataclass(frozen=True)
class Command:
    """A command that has ended.

    Attributes:
        answer: What it printed with `--json`.
        seconds: From its start to its end.
        memory: Most MiB of all its processes.
    """

    answer: dict[str, Any]
    seconds: float
    memory: float

    @classmethod
    def of(cls, lake: Path, *words: str) -> Command:
        """Run `lakeshelf …` on a lake.

        Raises:
            RuntimeError: It failed.
        """
        began = time.monotonic()
        process = subprocess.Popen(
            [*stacks.CLI, *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=stacks.environment({"lake_root": lake}),
        )
        with WatchedProcess(process.pid) as watched:
            said, _ = process.communicate()
            seconds = time.monotonic() - began
        if process.returncode:
            raise RuntimeError(f"lakeshelf {' '.join(words)} ended with {process.returncode}")
        return cls(json.loads(said), seconds, watched.memory / MIB)

    def figures(self, name: str) -> dict[str, float]:
        """Its figures under a name."""
        return {name: self.seconds, f"{name}_memory": self.memory}


def cutoff(root: Path, day: date) -> dict[str, float]:
    """What the service that predicts takes for a cutoff day, from its tick to the last level in Kafka.

    The components that it follows are not there: their work is done already.
    """
    settings = load_settings(lake_root=root, bootstrap_servers=None)
    with stacks.broker(root.parent) as client, ThreadPoolExecutor(1) as thread:
        context = Context(settings, client, Lake(root))
        component, stop, ready = _alone(), Event(), Event()
        running = thread.submit(ComponentService(component, context).run, stop, ready.set)
        try:
            _await("the service", ready.is_set, running)
            leader = Leader(client, component.name)
            with Ticker(context) as ticker:
                ticker.tick(datetime.combine(day, datetime.min.time(), UTC), "stepped", 0.0, None)
                began = time.monotonic()
                _await("the cutoff day", lambda: leader.reached() > 0, running)
                seconds = time.monotonic() - began
            leader.close()
        finally:
            stop.set()
        sent = sum(topics.end_offsets(client, [TOPIC])[TOPIC].values())
    return {
        "cutoff": seconds,
        "cutoff_shelves": tables.row_count(root, Curated.PREDICTIONS),
        "cutoff_levels": sent,
    }


def _alone() -> type[Component]:
    """The service that predicts, which waits for no other one."""
    component: type[Component] = module(home(), "inference-service").COMPONENT
    return type("Alone", (component,), {"follows": ()})


def _await(what: str, done: Callable[[], bool], running: Future[None]) -> None:
    """Wait for what a service does; raise what it raises."""

    def is_done() -> bool:
        if running.done():
            running.result()
        return done()

    wait_for(what, is_done, ANSWER_S, POLL_S)
