"""The sum of a shelf with quix-streams: `python quix_sums.py SERVERS TOPIC RESULTS FOLDER`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from quixstreams import Application, State


def add(event: dict[str, Any], state: State) -> dict[str, Any]:
    """Add an event to what its shelf has."""
    units = -event["quantity"] if event["event_type"] == "pickup" else event["quantity"]
    total = state.get("units", 0) + units
    state.set("units", total)
    return {"shelf_id": event["shelf_id"], "units": total}


def main() -> None:
    """Fold the topic until somebody ends it."""
    servers, topic, results, folder = sys.argv[1:]
    app = Application(
        broker_address=servers,
        consumer_group="peer-quix",
        auto_offset_reset="earliest",
        state_dir=Path(folder) / "state",
    )
    events = app.topic(topic, value_deserializer="json")
    frame = app.dataframe(events).apply(add, stateful=True)
    frame.to_topic(app.topic(results, value_serializer="json"))
    print(time.time(), flush=True)
    app.run()


if __name__ == "__main__":
    main()
