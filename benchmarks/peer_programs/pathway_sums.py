"""The sum of a shelf with Pathway: `python pathway_sums.py SERVERS TOPIC RESULTS FOLDER`."""

from __future__ import annotations

import sys
import time

import pathway as pw


class ShelfEvent(pw.Schema):  # type: ignore[misc] # Pathway is in an environment of its own
    """What the sum needs of an event."""

    shelf_id: str
    event_type: str
    quantity: int


def main() -> None:
    """Fold the topic until somebody ends it."""
    servers, topic, results, _ = sys.argv[1:]
    kafka = {
        "bootstrap.servers": servers,
        "group.id": "peer-pathway",
        "auto.offset.reset": "earliest",
    }
    events = pw.io.kafka.read(kafka, topic=topic, schema=ShelfEvent, format="json")
    signed = events.select(
        pw.this.shelf_id,
        units=pw.if_else(pw.this.event_type == "pickup", -pw.this.quantity, pw.this.quantity),
    )
    sums = signed.groupby(pw.this.shelf_id).reduce(
        pw.this.shelf_id, units=pw.reducers.sum(pw.this.units)
    )
    pw.io.kafka.write(sums, kafka, topic_name=results, format="json")
    print(time.time(), flush=True)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main()
