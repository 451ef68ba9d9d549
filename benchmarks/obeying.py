"""Obedience: from the merge of a policy to the alert that follows from it, with everything running."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import stacks, usage
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, spread, wait_for
from benchmarks.reaction import PROBE_STOCK, SPEED, Probes, delay
from lakeshelf.governance.client import Client, Request
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.people.sample import PROJECT
from lakeshelf.governance.validation.remote import Worker, is_listening
from lakeshelf.stack.supervision import governed

AUTHOR, REVIEWER = "ann", "ben"
START_S = 120.0
FULL_IS_LOW = {
    "threshold_pct": 100,
    "min_qty": PROBE_STOCK + 1,
    "target_pct": 100,
    "near_expiry_days": 1,
    "active": True,
}
"""A policy by which a full shelf is low."""


def figures(_: Parameters) -> list[Figure]:
    """Start, the merge, and what it leads to."""
    return [
        Figure("up_without", "`lakeshelf up` → ready, without the service", "s"),
        Figure("up_with", "`lakeshelf up` → ready, with the service", "s"),
        Figure("up_later", "ready later with the service than without", "s", 2.0),
        Figure("merge_p50", "merge call → answer, p50", "s"),
        Figure("merge_p95", "merge call → answer, p95", "s"),
        Figure("obeyed_p50", "merge call → alert by the merged policy, p50", "s", 3.0),
        Figure("obeyed_p95", "merge call → alert by the merged policy, p95", "s", 4.0),
        Figure("cores", "all processes of the stack while policies are merged", "cores"),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """A stack that makes the lake, starts without and with the service in turn, and merges of policies."""
    lake = folder / "lake"
    with _stack(lake, governance=True):
        say("topics and tables are there")
    ups = [_ups(lake, say) for _ in range(parameters["starts"])]
    with _stack(lake, governance=True) as stack:
        answered, obeyed, cores = merges(stack, parameters["policies"])
    say(f"obeyed {spread(obeyed)}")
    without, with_ = (statistics.median(side) for side in zip(*ups, strict=True))
    later = statistics.median(late - soon for soon, late in ups)
    measured = {"up_without": without, "up_with": with_, "up_later": later, "cores": cores}
    for name, seconds in (("merge", answered), ("obeyed", obeyed)):
        measured |= {f"{name}_p{p}": spread(seconds)[f"p{p}"] for p in (50, 95)}
    return {"figures": rounded(measured), "merge_s": spread(answered), "obeyed_s": spread(obeyed)}


def _ups(lake: Path, say: Callable[[str], None]) -> tuple[float, float]:
    """Seconds of a start without the service, and of one with it."""
    seconds = []
    for governance in (False, True):
        with _stack(lake, governance=governance) as stack:
            seconds.append(stack.up_seconds)
    say(f"up in {seconds[1]:.1f} s, without the service in {seconds[0]:.1f} s")
    return seconds[0], seconds[1]


def merges(stack: stacks.BenchmarkedStack, number: int) -> tuple[list[float], list[float], float]:
    """Seconds to each answer, seconds to each alert, and the cores of it all; a policy after the other."""
    answered, obeyed = [], []
    with _client(stack, AUTHOR) as author, _client(stack, REVIEWER) as reviewer:
        wait_for("the service", lambda: _is_ready(author), START_S)
        judge = Worker(governed.worker(stack.settings))
        wait_for("who judges", lambda: is_listening(judge), START_S)
        probes = Probes(stack.client, number)
        stack.wait_folded()
        probes.introduce()
        stack.wait_folded()
        names = usage.tree(stack.pid)
        before, began = usage.cpu_seconds(names), time.monotonic()
        while probes.waiting:
            shelf = probes.waiting.pop()
            request = _approved(author, reviewer, shelf)
            content = request.get()["request"]["content_hash"]
            probes.taken[shelf] = time.time()
            request.merge(content)
            answered.append(time.time() - probes.taken[shelf])
            obeyed.append(delay(stack, shelf, probes))
        seconds = time.monotonic() - began
        cores = usage.cores(before, usage.cpu_seconds(usage.tree(stack.pid)), seconds)
    return answered, obeyed, cores


def _approved(author: Client, reviewer: Client, shelf: str) -> Request:
    """A change request for a policy of a shelf, which somebody else has approved."""
    session = author.project(PROJECT).dataset("shelf_policies").open_session()
    session.insert(shelf, FULL_IS_LOW)
    request = session.submit(f"{shelf} is low when it is full")
    seen = reviewer.project(PROJECT).request(request.number)
    seen.approve(seen.get()["request"]["content_hash"])
    return request


@contextmanager
def _stack(lake: Path, **overrides: Any) -> Iterator[stacks.BenchmarkedStack]:
    with stacks.stack(lake, simulation=True, clock_speed=SPEED, **overrides) as stack:
        yield stack


def _client(stack: stacks.BenchmarkedStack, user: str) -> Client:
    token = governed.tokens(stack.settings) / user
    wait_for(f"the token of {user}", token.exists, START_S)
    return Client(governed.address(stack.settings), token.read_text().strip())


def _is_ready(client: Client) -> bool:
    try:
        datasets = client.project(PROJECT).datasets()
    except GovernanceError:
        return False
    return any(one["dataset"]["id"] == "shelf_policies" for one in datasets)


BENCHMARK = Benchmark(
    name="obeying",
    title="From a merge to what the running jobs make of it",
    defaults={"policies": 40, "starts": 3},
    quick={"policies": 2, "starts": 1},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
