"""The sum of a shelf with bytewax: `python bytewax_sums.py SERVERS TOPIC RESULTS FOLDER`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage, KafkaSourceMessage
from bytewax.connectors.kafka import operators as kafka
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main


def units(message: KafkaSourceMessage[Any, Any]) -> tuple[str, int]:
    """Shelf of an event, and what it adds."""
    event = json.loads(message.value)
    sign = -1 if event["event_type"] == "pickup" else 1
    return event["shelf_id"], sign * event["quantity"]


def add(before: int | None, more: int) -> tuple[int, int]:
    """What a shelf has, for the next event and for the result."""
    total = (before or 0) + more
    return total, total


def result(shelf: tuple[str, int]) -> KafkaSinkMessage[bytes, bytes]:
    """The message of a shelf."""
    value = json.dumps({"shelf_id": shelf[0], "units": shelf[1]})
    return KafkaSinkMessage(shelf[0].encode(), value.encode())


def main() -> None:
    """Fold the topic until somebody ends it."""
    servers, topic, results, _ = sys.argv[1:]
    flow = Dataflow("sums")
    events = kafka.input("events", flow, brokers=[servers], topics=[topic])
    shelves = op.map("units", events.oks, units)
    sums = op.stateful_map("add", shelves, add)
    kafka.output("results", op.map("result", sums, result), brokers=[servers], topic=results)
    print(time.time(), flush=True)
    cli_main(flow)


if __name__ == "__main__":
    main()
