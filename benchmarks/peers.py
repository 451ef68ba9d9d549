"""Peers: one stream of events through ours and through other libraries, in one run, each as its users set it up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import catchup, events, peer_results, peer_venvs, stacks
from benchmarks.catchup import TABLES
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, wait_for
from benchmarks.peer_results import Expected
from benchmarks.peer_venvs import Unavailable
from benchmarks.usage import WatchedProcess
from benchmarks.ways import Way, described, noted
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables

QUIET_S = 5.0
MIB = 2**20
OURS = ("driver", "spark")


SUMS = (
    "contract and quarantine",
    "duplicates",
    "history of events",
    "Delta tables",
    "exactly once",
)
WAYS: Mapping[str, Way] = {
    "driver": Way("ours, driver committer"),
    "spark": Way("ours, Spark committer"),
    "plain": Way(
        "plain loop, raw alone",
        ("contract and quarantine", "duplicates", "state", "messages", "exactly once", "a restart"),
    ),
    "quix": Way("quix-streams, sum a shelf", SUMS, "quixstreams"),
    "pathway": Way(
        "Pathway, sum a shelf", (*SUMS, "state that outlasts the process"), "pathway"
    ),
    "bytewax": Way(
        "bytewax, sum a shelf", (*SUMS, "state that outlasts the process"), "bytewax"
    ),
}  # fmt: skip
"""Key → way. The order is that of the run."""


@dataclass(frozen=True)
class Race:
    """What all run on.

    Attributes:
        client: Settings of a client of the broker.
        ends: Ends of the topic.
        total: Records in it.
        repeats: How many of them are repeats.
        batch_rows: Most records of a batch of ours and of the plain loop.
        expected: What the shelves have.
        folder: An empty folder.
    """

    client: dict[str, str]
    ends: topics.Offsets
    total: int
    repeats: int
    batch_rows: int
    expected: Expected
    folder: Path


def figures(parameters: Parameters) -> list[Figure]:
    """What each of them gives."""
    shown = []
    for key in parameters["ways"]:
        title = WAYS[key].title
        shown += [
            Figure(f"{key}_rate", f"{title}: with the start of the process", "events/s", higher=True),
            Figure(f"{key}_begun", f"{title}: once it has begun", "events/s", higher=True),
            Figure(f"{key}_cpu", f"{title}: processor time", "s"),
            Figure(f"{key}_memory", f"{title}: memory (PSS, most)", "MiB"),
        ]  # fmt: skip
        if key != "plain":
            what = f"{title}: shelves whose sum is not that of their events"
            shown.append(Figure(f"{key}_wrong", what, ""))
    return shown


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """Fill the topic once, then let each go through it, one after another."""
    total, every = parameters["records"], parameters["repeat_every"]
    per_day = max(1, total // parameters["days"])
    shape = events.Shape(parameters["shelves"], per_day, seed, repeat_every=every)
    measured: dict[str, float] = {}
    problems: dict[str, str] = {}
    with stacks.broker(folder) as client:
        stacks.send(client, events.records(shape, 0, total))
        race = Race(
            client,
            topics.end_offsets(client, [events.TOPIC]),
            total,
            events.repeats(shape, 0, total),
            parameters["batch_rows"],
            peer_results.expected(shape, total),
            folder,
        )
        for key in parameters["ways"]:
            try:
                measured |= of_way(key, race)
                say(", ".join(f"{k} {v:,.0f}" for k, v in measured.items() if k.startswith(key)))
            except Unavailable as error:
                problems[key] = str(error)
                say(f"{key}: {error}")
    ways = {key: described(WAYS[key], key, problems.get(key, "")) for key in parameters["ways"]}
    notes = [noted(way) for way in ways.values()]
    return {"figures": rounded(measured), "ways": ways, "notes": notes}


def of_way(key: str, race: Race) -> dict[str, float]:
    """The figures of one of them.

    Raises:
        Unavailable: It cannot be installed, or does not do its work.
    """
    runners = {"plain": plain} | {name: partial(ours, name) for name in OURS}
    report = runners.get(key, partial(peer, key))(race)
    ended = report["ended"]
    return {
        f"{key}_rate": race.total / (ended - report["launched"]),
        f"{key}_begun": race.total / (ended - report["began"]),
        f"{key}_cpu": report["cpu"],
        f"{key}_memory": report["memory"],
        **({f"{key}_wrong": report["wrong"]} if "wrong" in report else {}),
    }


def ours(committer: str, race: Race) -> dict[str, float]:
    """`shelf-aggregator` as it is: raw, state, messages, exactly once."""
    lake = race.folder / committer
    rows_a_batch = race.batch_rows
    with (
        stacks.driver(
            lake, race.client, committer=committer, max_batch_rows=rows_a_batch
        ) as driver,
        WatchedProcess(driver.process.pid) as watched,
    ):
        driver.wait_folded(race.ends)
    rows = stacks.batches_of(lake, events.TOPIC)
    names = ("rows_in", "valid", "duplicate", "quarantined")
    counts = {name: sum(row[name] for row in rows) for name in names}
    in_tables = {name: tables.row_count(lake, name) for name in TABLES}
    catchup.check({"counts": counts, "table_rows": in_tables}, race.total, race.repeats)
    shelves = tables.rows(lake, "cleansed/shelf_state", ["shelf_id", "balance"]).to_pylist()
    sums = {row["shelf_id"]: row["balance"] for row in shelves}
    return {
        "launched": driver.launched,
        "began": stacks.began(rows[0]),
        "wrong": race.expected.wrong(sums),
        **used(watched, stacks.ended(rows[-1])),
    }


def plain(race: Race) -> dict[str, float]:
    """The plain loop of the catch-up."""
    lake = race.folder / "plain"
    tables.ensure_all(lake)
    command = [sys.executable, "-m", "benchmarks.plain_loop", str(lake)]
    ends = json.dumps(race.ends[events.TOPIC])
    command += [race.client["bootstrap.servers"], ends, str(race.batch_rows)]
    launched, before = time.time(), os.times()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with WatchedProcess(process.pid) as watched:
        printed, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"the plain loop ended with {process.returncode}")
    after, batches = os.times(), json.loads(printed)
    cpu = sum(after[2:4]) - sum(before[2:4])
    spans = {"launched": launched, "began": batches[0]["began"]}
    return {**spans, **used(watched, batches[-1]["ended"]), "cpu": cpu}


def peer(key: str, race: Race) -> dict[str, float]:
    """A program of another library, until the last shelf has the sum of all records."""
    interpreter, results = peer_venvs.python(key), f"peer_{key}"
    peer_results.make_topic(race.client, results)
    folder = race.folder / key
    folder.mkdir()
    printed, log = folder / "printed", folder / "log"
    arguments = (race.client["bootstrap.servers"], events.TOPIC, results, str(folder))
    command = [str(interpreter), str(peer_venvs.program(key)), *arguments]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with printed.open("wb") as out, log.open("wb") as err:
        launched = time.time()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=kept, cwd=folder)
    try:
        with WatchedProcess(process.pid) as watched:
            ended = _last_result(process, log, race, results)
    finally:
        stacks.end(process)
    sums, _ = peer_results.read(race.client, results)
    began = float(printed.read_text().splitlines()[0])
    wrong = race.expected.wrong(sums)
    return {"launched": launched, "began": began, "wrong": wrong, **used(watched, ended)}


def _last_result(
    process: subprocess.Popen[bytes], log: Path, race: Race, results: str
) -> float:  # fmt: skip
    """When the last result was sent, seconds since 1970; results are read once no more come."""
    latest, since, ended = 0, time.monotonic(), 0.0

    def is_done() -> bool:
        nonlocal latest, since, ended
        if process.poll() is not None:
            said = peer_venvs.last_line(log.read_text(errors="replace"))
            raise Unavailable(f"ended with {process.returncode}: {said}")
        count = peer_results.count(race.client, results)
        if count != latest or not count:
            latest, since = count, time.monotonic()
        if time.monotonic() - since < QUIET_S:
            return False
        since = time.monotonic()
        sums, ended = peer_results.read(race.client, results)
        return race.expected.is_of_all_records(sums)

    try:
        wait_for("all results", is_done, stacks.FOLD_S)
    except TimeoutError:
        raise Unavailable(f"not done after {stacks.FOLD_S:,.0f} s") from None
    return ended


def used(watched: WatchedProcess, ended: float) -> dict[str, float]:
    """When the work ended, and the processor seconds and the memory until then."""
    return {"ended": ended, "cpu": watched.cpu_until(ended), "memory": watched.memory / MIB}


BENCHMARK = Benchmark(
    name="peers",
    title="Ours and its peers",
    defaults={**catchup.BENCHMARK.defaults, "ways": list(WAYS)},
    quick=catchup.BENCHMARK.quick,
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
