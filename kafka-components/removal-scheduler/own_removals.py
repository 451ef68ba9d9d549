"""Removals that were decided and that no state table has yet: they count from their decision."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from lakeshelf.components.component import Row, among, rows
from lakeshelf.contracts.layers import Ops, Raw
from lakeshelf.lake.rows.port import ReadTables

TOPICS = {"removal": "shelf_events", "wh_removal": "wh_events"}
MIRRORS = {"shelf_events": Raw.SHELF_EVENTS, "wh_events": Raw.WH_EVENTS}
LOCATIONS = {"removal": "store", "wh_removal": "warehouse"}
KEPT = ("event_id", "event_type", "shelf_id", "batch_code", "quantity")
Ends = Mapping[tuple[str, str], int]
"""Topic and partition → offset."""


class OwnRemovals:
    """Removals that may not be in the state tables.

    The tables of a batch are committed one after the other, so a look at them has three steps:

    1. `folded`: how far the ledger says that state is.
    2. The state tables are read.
    3. `settle`: what raw does not have now, state did not have; what the ledger had, state had. Of what
       lies between nobody can tell, until a later look.
    """

    def __init__(self, removals: Iterable[Row] = ()) -> None:
        self._rows = [{name: row[name] for name in KEPT} for row in removals]

    def kept(self) -> list[dict[str, Any]]:
        """What a later process has to know, as plain JSON."""
        return list(self._rows)

    def add(self, events: Iterable[Row]) -> None:
        """Take removals that are decided now."""
        self._rows += [{name: row[name] for name in KEPT} for row in events]

    def folded(self, lake: ReadTables) -> Ends:
        """Offsets below which state has everything."""
        ends: dict[tuple[str, str], int] = defaultdict(int)
        ledger = rows(lake, Ops.BATCH_LEDGER, columns=["offsets"]) if self._rows else []
        for row in ledger:
            for topic, partitions in json.loads(row["offsets"]).items():
                for partition, (_, end) in partitions.items():
                    ends[topic, partition] = max(ends[topic, partition], end)
        return ends

    def settle(self, lake: ReadTables, folded: Ends) -> bool:
        """Forget those that state had; whether that could be told of each."""
        if not self._rows:
            return True
        ids = among("event_id", [row["event_id"] for row in self._rows])
        names = ["event_id", "kafka_partition", "kafka_offset"]
        read = {
            row["event_id"]: row["kafka_offset"]
            < folded.get((topic, str(row["kafka_partition"])), 0)
            for topic, mirror in MIRRORS.items()
            for row in rows(lake, mirror, [ids], names)
        }
        self._rows = [row for row in self._rows if not read.get(row["event_id"])]
        return all(read.values())

    def units(self) -> dict[tuple[str, str, str], int]:
        """Location, shelf and lot → units that are gone."""
        gone: dict[tuple[str, str, str], int] = defaultdict(int)
        for row in self._rows:
            place = LOCATIONS[row["event_type"]]
            gone[place, row["shelf_id"], row["batch_code"]] += row["quantity"]
        return gone
