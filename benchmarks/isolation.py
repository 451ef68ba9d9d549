"""Isolation: from a record that nothing survives to its quarantine, with everything running."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks import live, stacks
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, wait_for
from lakeshelf.streams.recover import quarantine

GOAL_S, LONGEST_S = 60.0, 900.0
TOPIC, SHELF, POISON = "shelf_events", "S1-poison", "poison-1"
WAYS: dict[str, dict[str, str]] = {"kills": {}, "raises": {"poison_raises": "1"}}
"""What the record does to the driver → further settings."""
STEPS = ("isolated", "folded")


def figures(parameters: Parameters) -> list[Figure]:
    """Seconds until it is isolated, and until all that came with it is folded."""
    return [
        figure
        for way in WAYS
        for size in parameters["sizes"]
        for figure in (
            Figure(f"isolated_{way}_{size}", f"one of {size:,} {way}: sent → isolated", "s", GOAL_S),
            Figure(f"folded_{way}_{size}", f"one of {size:,} {way}: sent → all others folded", "s"),
        )
    ]  # fmt: skip


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """A stack for each way and size."""
    reports = {
        f"{way}_{size}": isolate(folder / f"{way}_{size}", size, further, parameters, seed)
        for way, further in WAYS.items()
        for size in parameters["sizes"]
    }
    for name, report in reports.items():
        say(f"{name}: {report}")
    measured = {f"{step}_{name}": reports[name][step] for name in reports for step in STEPS}
    return {"figures": rounded(measured), **reports}


def isolate(
    lake: Path, size: int, further: Mapping[str, str], parameters: Parameters, seed: int
) -> dict[str, Any]:
    """Seconds until one of so many records that come at once is isolated, and what that took."""
    with stacks.stack(lake, poison=f"{parameters['point']}@{POISON}", **further) as stack:
        live.EventSource(stack.client, parameters["shelves"], seed).open_shelves()
        stack.wait_folded()
        sent = time.monotonic()
        stacks.send(stack.client, records(size))
        wait_for("the record to be isolated", lambda: bool(isolated(lake)), LONGEST_S)
        seconds = {"isolated": round(time.monotonic() - sent, 1)}
        stack.wait_folded(LONGEST_S)
        seconds["folded"] = round(time.monotonic() - sent, 1)
        status = stacks.cli({"lake_root": lake}, "status", "--json", timeout=LONGEST_S)
    (refused,) = isolated(lake)
    if json.loads(refused["value"])["event_id"] != POISON:
        raise RuntimeError(f"another record was isolated: {refused}")
    restarts = status["parts"]["streams"]["restarts"]
    return {**seconds, "restarts": restarts, "detail": refused["detail"]}


def isolated(lake: Path) -> list[dict[str, Any]]:
    """The records that were isolated."""
    return quarantine.listed(lake, reason="unprocessable")


def records(size: int) -> Iterator[pa.RecordBatch]:
    """So many events of one shelf, the one in the middle poisonous."""
    now = time.time()
    ids = [f"{int(now * 1000):013d}-B{n}" for n in range(size)]
    ids[size // 2] = POISON
    rows = [{"topic": TOPIC, "key": SHELF.encode(), "value": event(i, now)} for i in ids]
    yield from pa.Table.from_pylist(rows).to_batches()


def event(event_id: str, at: float) -> bytes:
    """A pickup of the shelf."""
    named = {"event_id": event_id, "event_type": "pickup", "event_time": live.iso(at)}
    where = {"store_id": "S1", "shelf_id": SHELF, "item_id": "I1"}
    return json.dumps({**named, "schema_version": 1, **where, "quantity": 1}).encode()


BENCHMARK = Benchmark(
    name="isolation",
    title="A record that nothing survives",
    defaults={"sizes": [1, 1000], "shelves": 20_000, "point": "before_raw"},
    quick={"sizes": [1], "shelves": 50},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
