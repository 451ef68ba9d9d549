"""Reaction: from a pickup to the alert, the plan, the wh_out and the restock, with everything running."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka import Producer

from benchmarks import live, stacks, usage
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded, spread, wait_for
from benchmarks.machine import GIB
from lakeshelf.components.component import Message
from lakeshelf.contracts import CATALOG
from lakeshelf.kafka import topics
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.run.clock import tick_before

PERCENTS = (50, 95, 99)
STEPS = {
    "alert": "pickup → alert message",
    "plan": "alert message → plan message",
    "wh_out": "tick that makes the pick due → wh_out",
    "restock": "tick that makes the goods due → restock",
}
GOALS = {
    ("alert", 100, 50): 300.0,
    ("alert", 1000, 50): 400.0,
    ("alert", 1000, 95): 700.0,
    ("alert", 3000, 50): 600.0,
}
SPEED = 60
"""Speed of the clock: a pick is due a second after its plan, goods three seconds after the pick."""
PLAN_DELAY_S, REFILL_DELAY_S = 60, 180
FLUSH_S = 30.0
LONGEST_S = 300.0
"""For one shelf on a busy machine."""
PROBE_STOCK = 10
PROBE = b"PROBE"
"""What all messages about probes contain."""
READ = ("alerts", "shelf_restock_plan", "wh_events", "shelf_events", "clock")


def figures(parameters: Parameters) -> list[Figure]:
    """Percentiles for each rate; policies; the driver's return."""
    figures = [
        Figure(f"{step}_{rate}_p{p}", f"{rate:,} events/s: {title}, p{p}", "ms", GOALS.get((step, rate, p)))
        for rate in parameters["rates"]
        for step, title in STEPS.items()
        for p in PERCENTS
    ]  # fmt: skip
    for rate in parameters["rates"]:
        said = f"{rate:,} events/s: all processes of the stack"
        figures += [
            Figure(f"cores_{rate}", said, "cores"),
            Figure(f"memory_{rate}", f"{said} (PSS)", "GiB"),
        ]
    return [
        *figures,
        Figure("policy_p95", "policy message → alert message, p95", "s", 2.0),
        Figure("recovery", "driver killed → alert of a later pickup", "s", 8.0),
    ]


class Probes:
    """Shelves with ten units and a full back room, of which one is emptied now and then.

    Args:
        client: Settings of a Kafka client.
        number: How many there are.
    """

    def __init__(self, client: Mapping[str, str], number: int) -> None:
        self.client = client
        self._publisher = Publisher(client)
        self._producer = Producer({**client, "enable.idempotence": True, "linger.ms": 0})
        self.waiting = [f"PROBE-{n:05d}" for n in range(number)]
        self.taken: dict[str, float] = {}
        self.alerts_end = 0
        """Where the topic of alerts ended when they were counted for the first time."""
        tick = tick_before(client)
        assert tick is not None
        self._now = tick["now"].timestamp()
        stacks.send(client, _records(self._opening()))

    def introduce(self) -> None:
        """Tell their profiles, once their stock is known; a profile without stock is a shelf to refill."""
        for shelf in self.waiting:
            self._publish("shelf_profiles", {"shelf_id": shelf, **_profile()})
        self._publisher.flush()

    def take(self) -> str:
        """Take nearly all of the next shelf; the shelf."""
        shelf = self.waiting.pop()
        event = self._event(shelf, "pickup", PROBE_STOCK - 1)
        self.taken[shelf] = time.time()
        self._producer.produce("shelf_events", json.dumps(event), shelf)
        self._producer.flush(FLUSH_S)
        return shelf

    def demand_more(self) -> str:
        """Set a policy by which a full shelf is low; the shelf."""
        shelf = self.waiting.pop()
        policy = {
            "shelf_id": shelf,
            "threshold_pct": 100,
            "min_qty": PROBE_STOCK + 1,
            "target_pct": 100,
            "near_expiry_days": 1,
            "active": True,
            "version": 1,
            "updated_at": live.iso(time.time()),
        }
        self.taken[shelf] = time.time()
        self._publish("shelf_policies", policy)
        self._publisher.flush()
        return shelf

    def _publish(self, topic: str, values: dict[str, Any]) -> None:
        message = Message.of(topic, values)
        self._publisher.encoded(CATALOG.topics[topic], [(message.key, message.value)])

    def _opening(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for shelf in self.waiting:
            lot = {"batch_code": f"{shelf}:1", "quantity": 100}
            yield "wh_events", {**self._event(shelf, "wh_in", 100), **lot}
            opening = self._event(shelf, "restock", PROBE_STOCK)
            yield "shelf_events", {**opening, "reason": "opening_balance"}

    def _event(self, shelf: str, kind: str, quantity: int) -> dict[str, Any]:
        return {
            "event_id": f"{int(self._now * 1000)}-{kind}-{shelf}",
            "event_type": kind,
            "event_time": live.iso(self._now),
            "store_id": "PROBE",
            "schema_version": 1,
            "shelf_id": shelf,
            "item_id": "probe",
            "quantity": quantity,
        }


def _profile() -> dict[str, Any]:
    return {
        "store_id": "PROBE",
        "item_id": "probe",
        "name": "Probe",
        "max_stock": PROBE_STOCK,
        "unit_weight": 100.0,
        "unit_price": 1.0,
        "standard_batch_size": PROBE_STOCK,
        "version": 1,
        "updated_at": live.iso(time.time()),
    }


def _records(events: Any) -> Iterator[pa.RecordBatch]:
    rows = [
        {"topic": topic, "key": event["shelf_id"].encode(), "value": json.dumps(event).encode()}
        for topic, event in events
    ]
    yield from pa.Table.from_pylist(rows).to_batches()


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """One stack for all rates, then policies, then a killed driver."""
    measured: dict[str, float] = {}
    detail: dict[str, Any] = {}
    with stacks.stack(folder / "lake", simulation=True, clock_speed=SPEED) as stack:
        say(f"up in {stack.up_seconds:.1f} s")
        source = live.EventSource(stack.client, parameters["shelves"], seed)
        source.open_shelves()
        probes = Probes(stack.client, parameters["probes"])
        stack.wait_folded()
        probes.introduce()
        stack.wait_folded()
        for rate in parameters["rates"]:
            report = steady(stack, source, probes, rate, parameters)
            detail[str(rate)] = report
            for step in STEPS:
                measured |= {
                    f"{step}_{rate}_p{p}": report[step].get(f"p{p}", float("nan")) for p in PERCENTS
                }
            measured |= {f"cores_{rate}": report["cores"], f"memory_{rate}": report["memory"]}
            say(f"{rate:,} events/s: {report['alert']}")
        delays = [delay(stack, probes.demand_more(), probes) for _ in range(parameters["policies"])]
        detail["policy_s"] = spread(delays)
        measured["policy_p95"] = spread(delays)["p95"]
        measured["recovery"] = recovery(stack, probes)
        say(f"policy {detail['policy_s']}, recovery {measured['recovery']:.1f} s")
    return {"figures": rounded(measured), **detail}


def steady(
    stack: stacks.BenchmarkedStack,
    source: live.EventSource,
    probes: Probes,
    rate: int,
    parameters: Parameters,
) -> dict[str, Any]:
    """Events at a rate, and probes beside them once it is warm."""
    since = topics.end_offsets(stack.client, READ)
    warm, seconds = parameters["warm_seconds"], parameters["seconds"]
    names = usage.named(stack.pid, stack.parts)
    before, began = usage.cpu_seconds(names), time.monotonic()
    taken: list[str] = []
    load = threading.Thread(target=source.drive, args=(rate, warm + seconds))
    load.start()
    time.sleep(warm)
    while load.is_alive():
        taken.append(probes.take())
        time.sleep(parameters["probe_every"])
    used = usage.cores(before, usage.cpu_seconds(names), time.monotonic() - began)
    held = sum(usage.memory(names).values()) / GIB
    wait_for("the last goods to arrive", lambda: _restocked(stack, since, taken), LONGEST_S, 1.0)
    return {
        **delays(stack, since, probes, taken),
        "cores": round(used, 3),
        "memory": round(held, 2),
    }


def delays(
    stack: stacks.BenchmarkedStack, since: topics.Offsets, probes: Probes, taken: list[str]
) -> dict[str, Any]:
    """Milliseconds of each step of each probe."""
    seen = {topic: _first_of(stack, topic, since, _matcher(topic)) for topic in READ[:-1]}
    ticks = [(_now(value), at) for value, at in _values(stack, "clock", since)]
    by_step: dict[str, list[float]] = {step: [] for step in STEPS}
    for shelf in taken:
        alert, plan = seen["alerts"].get(shelf), seen["shelf_restock_plan"].get(shelf)
        out, back = seen["wh_events"].get(shelf), seen["shelf_events"].get(shelf)
        if alert is None or plan is None or out is None or back is None:
            continue
        by_step["alert"].append(1000 * (alert[1] - probes.taken[shelf]))
        by_step["plan"].append(1000 * (plan[1] - alert[1]))
        created = _time(plan[0]["created_at"])
        by_step["wh_out"].append(1000 * (out[1] - _due(ticks, created + PLAN_DELAY_S)))
        left = _time(out[0]["event_time"])
        by_step["restock"].append(1000 * (back[1] - _due(ticks, left + REFILL_DELAY_S)))
    return {step: spread(values) for step, values in by_step.items()}


def delay(stack: stacks.BenchmarkedStack, shelf: str, probes: Probes) -> float:
    """Seconds from the message about a shelf to the alert that follows."""
    since, at = {"alerts": {"0": probes.alerts_end}}, probes.taken[shelf]

    def alerted() -> list[float]:
        matches = _matcher("alerts")
        values = _values(stack, "alerts", since)
        return [seen for v, seen in values if v["shelf_id"] == shelf and matches(v) and seen >= at]

    wait_for(f"an alert of {shelf}", lambda: bool(alerted()), LONGEST_S, 0.2)
    return alerted()[0] - at


def recovery(stack: stacks.BenchmarkedStack, probes: Probes) -> float:
    """Seconds from the death of the driver to the alert of a pickup after it."""
    killed = time.time()
    os.kill(stack.parts["streams"], signal.SIGKILL)
    shelf = probes.take()
    return delay(stack, shelf, probes) + probes.taken[shelf] - killed


def _matcher(topic: str) -> Callable[[dict[str, Any]], bool]:
    return {
        "alerts": lambda v: v["event_type"] == "refill_request" and v["status"] == "open",
        "shelf_restock_plan": lambda v: v["status"] == "pending",
        "wh_events": lambda v: v["event_type"] == "wh_out",
        "shelf_events": lambda v: v["event_type"] == "restock" and v.get("cause_event_id"),
    }[topic]


def _restocked(stack: stacks.BenchmarkedStack, since: topics.Offsets, taken: list[str]) -> bool:
    return set(taken) <= _first_of(stack, "shelf_events", since, _matcher("shelf_events")).keys()


def _first_of(
    stack: stacks.BenchmarkedStack,
    topic: str,
    since: topics.Offsets,
    matches: Callable[[dict[str, Any]], Any],
) -> dict[str, tuple[dict[str, Any], float]]:
    """Probe shelf → its first message that matches, and the broker's time of it."""
    first: dict[str, tuple[dict[str, Any], float]] = {}
    for value, at in _values(stack, topic, since):
        shelf = value.get("shelf_id", "")
        if shelf.startswith("PROBE") and shelf not in first and matches(value):
            first[shelf] = (value, at)
    return first


def _values(
    stack: stacks.BenchmarkedStack, topic: str, since: topics.Offsets
) -> Iterator[tuple[dict[str, Any], float]]:
    for message in live.messages(stack.client, topic, since[topic]):
        value = message.value()
        if value is not None and (topic == "clock" or PROBE in value):
            yield json.loads(value), message.timestamp()[1] / 1000


def _due(ticks: list[tuple[float, float]], moment: float) -> float:
    """When the broker had the first tick that reached a business time."""
    return next(at for now, at in ticks if now >= moment)


def _now(tick: Mapping[str, Any]) -> float:
    return _time(tick["now"])


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


BENCHMARK = Benchmark(
    name="reaction",
    title="Reaction time with all jobs and components running",
    defaults={
        "rates": [100, 1000, 3000],
        "seconds": 60,
        "warm_seconds": 20,
        "shelves": 20_000,
        "probes": 600,
        "probe_every": 0.4,
        "policies": 10,
    },
    quick={
        "rates": [50],
        "seconds": 5,
        "warm_seconds": 3,
        "shelves": 200,
        "probes": 40,
        "probe_every": 0.5,
        "policies": 1,
    },
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
