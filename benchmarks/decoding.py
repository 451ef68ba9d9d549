"""Decoding: what it costs to read a message and judge it by its contract, as columns out, on one thread."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from benchmarks import events
from benchmarks.harness import Benchmark, Figure, Parameters, Run, main, rounded
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check, parse
from lakeshelf.streams.take.decode import decode

TOPIC = CATALOG.topics[events.TOPIC]
GOAL_US = 3.0
WARM, REFERRED = 10_000, 20
"""Events that are decoded before it counts; one in so many is enough for the reference validator."""
WAYS = {
    "plain": "one decoder a topic, messages as our producers write them",
    "reordered": "one decoder a topic, fields in another order and an unknown one",
}


def figures(parameters: Parameters) -> list[Figure]:
    """Microseconds of processor time an event."""
    return [
        *(Figure(way, title, "µs an event", GOAL_US) for way, title in WAYS.items()),
        Figure("reference", "the reference validator, a row as a dict", "µs an event"),
        Figure("times", "reference validator ÷ decoder", "times", higher=True),
    ]


def run(parameters: Parameters, seed: int, folder: Path, say: Callable[[str], None]) -> Run:
    """The same events in both forms, and some of them by the reference validator."""
    shape = events.Shape(parameters["shelves"], parameters["per_day"], seed)
    batches = events.records(shape, 0, parameters["events"])
    values = pa.chunked_array([batch["value"] for batch in batches]).to_pylist()
    forms = {"plain": values, "reordered": list(map(_reordered, values))}
    measured = {way: _decoded(_records(form)) for way, form in forms.items()}
    measured["reference"] = _referred(values[: len(values) // REFERRED])
    measured["times"] = measured["reference"] / measured["plain"]
    say(", ".join(f"{way} {figure:.2f}" for way, figure in measured.items()))
    return {"figures": rounded(measured)}


def _reordered(value: bytes) -> bytes:
    first, *others = value[1:-1].split(b",")
    return b'{"unknown":{"a":[1]},' + b",".join([*reversed(others), first]) + b"}"


def _records(values: Sequence[bytes]) -> pa.Table:
    """What Spark hands to the driver."""
    number = len(values)
    numbers = pa.array(range(number), pa.int64())
    return pa.table(
        {
            "topic": pa.array([TOPIC.name] * number),
            "kafka_partition": numbers,
            "kafka_offset": numbers,
            "kafka_timestamp": numbers.cast(pa.timestamp("us", "UTC")),
            "original_key": pa.array([b"S1-I1"] * number),
            "original_value": pa.array(values, pa.binary()),
            "producer": pa.nulls(number, pa.string()),
            "header_version": pa.nulls(number, pa.string()),
        }
    )


def _decoded(records: pa.Table) -> float:
    decode(records[:WARM], [TOPIC])
    began = time.process_time()
    rows = decode(records, [TOPIC])
    spent = time.process_time() - began
    if rows[TOPIC.name].null_count:
        raise RuntimeError(f"{rows[TOPIC.name].null_count:,} good events were not decoded")
    return spent / len(records) * 1e6


def _referred(values: Sequence[bytes]) -> float:
    began = time.process_time()
    refused = [check(TOPIC, value) for value in values]
    rows = [parse(TOPIC, value) for value in values]
    spent = time.process_time() - began
    if any(refused) or len(rows) != len(values):
        raise RuntimeError("the reference validator refuses good events")
    return spent / len(values) * 1e6


BENCHMARK = Benchmark(
    name="decoding",
    title="Decoding of shelf events: a message to a row, judged by the contract",
    defaults={"events": 1_000_000, "shelves": 93_419, "per_day": 2_739},
    quick={"events": 20_000, "shelves": 500, "per_day": 100},
    figures=figures,
    run=run,
)

if __name__ == "__main__":
    sys.exit(main(BENCHMARK))
