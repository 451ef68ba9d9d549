"""Effect: what a change request of policies would do to the shelves of a whole chain, by the alert engines' rules."""

from __future__ import annotations

import multiprocessing
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.governed import AT_ONCE, AUTHOR, PROJECT, REVIEWER, peak_mb
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from benchmarks.validation import started
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.tables.people import User
from lakeshelf.governance.metadata.tables.projects import Membership, Project
from lakeshelf.governance.services import datasets
from lakeshelf.governance.services.changes import requests, sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.effect import LocationEffect, effect
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare.registry import discover

DATASET = "shelf_policies"
EVERY = "__GLOBAL__"
"""The policy that every shelf without one of its own obeys."""
POLICY = {
    "threshold_pct": 90,
    "min_qty": 1,
    "target_pct": 100,
    "near_expiry_days": 9,
    "active": True,
}
STORES, TODAY = 457, date(2026, 3, 1)
OPENED = datetime(2026, 3, 1, 8, tzinfo=UTC)
CALLS = 5
"""Calls after the first, whose median counts as warm."""


def figures(parameters: Parameters) -> list[Figure]:
    """The call in a process that has answered one, and in one that has not."""
    shelves = f"{parameters['shelves']:,} shelves, every one concerned"
    return [
        Figure("warm_s", shelves, "s", 3.0),
        Figure("cold_s", f"{shelves}: first call of a process", "s"),
        Figure("cpu_s", f"{shelves}: processor time", "s"),
        Figure("mb", f"{shelves}: most memory", "MB"),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """A chain with a lot a shelf, and a change request for the policy of all of them."""
    lake = folder / "lake"
    with started() as (worker, _), Metadata.open(folder / "governance.db") as metadata:
        context = Context(metadata, Root.at(lake), Worker(worker.address))
        number = proposed(context)
    fill(lake, parameters["shelves"], seed)
    say(f"{parameters['shelves']:,} shelves are there")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        measured = processes.submit(asked, folder, number, parameters["shelves"]).result()
    return {"figures": rounded(measured)}


def proposed(context: Context) -> int:
    """Make a dataset, and a change request that inserts the policy of all shelves; its number."""
    with context.metadata.transaction() as tx:
        for person in (AUTHOR, REVIEWER):
            tx.people.add(User(person.user, "", False, OPENED))
        tx.projects.add(Project(PROJECT, "Benchmark", "", AUTHOR.user, OPENED))
        tx.projects.set_role(Membership(PROJECT, REVIEWER.user, "contributor", AUTHOR.user, OPENED))
    datasets.create(context, AUTHOR, PROJECT, DATASET, bound(CATALOG.topics[DATASET]))
    session = sessions.open_session(context, AUTHOR, PROJECT, DATASET)
    edit = IncomingEdit(secrets.token_hex(8), "insert", EVERY, None, POLICY)
    if refusals := sessions.edit(context, AUTHOR, session.id, [edit]).refusals:
        raise RuntimeError(f"the policy is refused: {refusals}")
    return requests.submit_session(context, AUTHOR, session.id, title="All shelves").number


def fill(lake: Path, shelves: int, seed: int) -> None:
    """Write profiles, stock and lots as the jobs keep them."""
    tables.ensure_all(lake)
    for first in range(0, shelves, AT_ONCE):
        numbers = np.arange(first, min(first + AT_ONCE, shelves))
        stock = np.random.default_rng([seed, first]).integers(0, 40, len(numbers))
        _append(lake, "curated/shelf_profiles", first, _named(numbers) | {"max_stock": 40})
        held = {"current_stock": stock, "balance": stock}
        _append(lake, "cleansed/shelf_state", first, _named(numbers) | held)
        lots = {"batch_quantity_store": stock, "balance": stock, "expiry_date": TODAY}
        shelf = {"shelf_id": _named(numbers)["shelf_id"]}
        _append(lake, "cleansed/shelf_batch_state", first, shelf | lots)


def asked(folder: Path, number: int, shelves: int) -> dict[str, float]:
    """Ask for the effect once and again, as a process of its own."""
    jobs = discover(load_settings().home)
    with Metadata.open(folder / "governance.db") as metadata:
        context = Context(metadata, Root.at(folder / "lake"), Worker("nobody"))

        def ask() -> tuple[LocationEffect, ...]:
            return effect(context, AUTHOR, PROJECT, number, jobs, TODAY)

        cold, _ = _timed(ask)
        began, cpu = time.perf_counter(), time.process_time()
        seconds = [_timed(ask) for _ in range(CALLS)]
        spent = (time.process_time() - cpu) / (time.perf_counter() - began)
    warm = statistics.median(one for one, _ in seconds)
    (last,) = seconds[-1][1]
    if not last.known or last.totals["near_expiry"]["then"] < shelves // 2:
        raise RuntimeError(f"the effect is {last}")
    return {"warm_s": warm, "cold_s": cold, "cpu_s": spent * warm, "mb": peak_mb("self")}


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _named(numbers: np.ndarray) -> dict[str, Any]:
    return {
        "shelf_id": [f"S{n % STORES}-I{n}" for n in numbers],
        "store_id": [f"S{n % STORES}" for n in numbers],
        "item_id": [f"I{n}" for n in numbers],
        "name": [f"BREAD NO {n}" for n in numbers],
    }


def _append(lake: Path, name: str, first: int, columns: dict[str, Any]) -> None:
    contract = CATALOG.tables[name].columns
    schema = arrow_contract.schema(contract)
    count = len(columns["shelf_id"])
    filled = [
        _column(kind, field.required, columns.get(field.name), count)
        for field, kind in zip(contract, schema.types, strict=True)
    ]
    handle = tables.open_table(lake, name)
    rows = pa.table(filled, schema=schema)
    writing.append(handle, name, rows, Write.once(Txn("benchmark", first)))


def _column(kind: pa.DataType, required: bool, values: Any, count: int) -> pa.Array:
    """Values, or one for all rows; unset: none, or what a required column may hold."""
    if isinstance(values, (list, np.ndarray)):
        return pa.array(values).cast(kind)
    if values is None:
        if not required:
            return pa.nulls(count, kind)
        values = OPENED if pa.types.is_timestamp(kind) else 1
    value = str(values) if pa.types.is_string(kind) else values
    return pa.repeat(pa.array([value], kind)[0], count)


BENCHMARK = Benchmark(
    name="effect",
    title="Effect: what a policy of all shelves would do to them",
    defaults={"shelves": 631_479},
    quick={"shelves": 2_000},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
