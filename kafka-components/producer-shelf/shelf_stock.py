"""What stands on the shelves of the simulated stores, folded from `shelf_events` without delay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import pyarrow as pa
from confluent_kafka import TopicPartition

from lakeshelf.components.component import Context, among
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Raw
from lakeshelf.contracts.validate import check, parse
from lakeshelf.errors import BrokerError
from lakeshelf.kafka.consuming import available, behind, is_end, reader, watermarks

TOPIC = "shelf_events"
SIGNS = {"pickup": -1, "putback": 1, "restock": 1, "removal": -1, "adjustment": 1}
ANSWER_S = 15.0
REMEMBERED = 2_000_000
"""Event ids that are remembered, twice as many at most."""


class ShelfStock:
    """Units on each shelf: what `raw` has, then what the topic has behind it, each event once.

    Args:
        context: Lake and broker.
        stores: Stores whose shelves count.
    """

    def __init__(self, context: Context, stores: Sequence[str]) -> None:
        self._stores = frozenset(stores)
        self._units: dict[str, int] = defaultdict(int)
        self._seen: set[int] = set()
        self._seen_before: set[int] = set()
        raw, names = Raw.SHELF_EVENTS, ("event_id", "event_type", "shelf_id", "quantity")
        events = context.lake.read(raw, columns=names, where=[among("store_id", stores)])
        self._load(events.read_all())
        places = context.lake.read(raw, columns=("kafka_partition", "kafka_offset")).read_all()
        self._next = _behind(places)
        self._consumer = reader(context.client, "lakeshelf-shelf-stock")
        self._consumer.assign([TopicPartition(TOPIC, p, at) for p, at in self._next.items()])

    def read(self) -> Mapping[str, int]:
        """Shelf → units, with all that the topic has now.

        Raises:
            BrokerError: The broker does not answer.
        """
        ends = {p: watermarks(self._consumer, TOPIC, p)[1] for p in self._next}
        while any(self._next[p] < end for p, end in ends.items()):
            records = available(self._consumer, ANSWER_S)
            if not records:
                raise BrokerError(
                    f"no record of {TOPIC} came within {ANSWER_S:.0f} s",
                    hint="see `lakeshelf doctor`",
                )
            for record in records:
                self._next[record.partition() or 0] = behind(record)
                self._take(None if is_end(record) else record.value())
        return self._units

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()

    def _load(self, rows: pa.Table) -> None:
        columns = (
            rows[name].to_pylist() for name in ("event_id", "event_type", "shelf_id", "quantity")
        )
        for event_id, kind, shelf, quantity in zip(*columns, strict=True):
            self._fold(event_id, kind, shelf, quantity)

    def _take(self, value: bytes | None) -> None:
        contract = CATALOG.topics[TOPIC]
        if value is None or check(contract, value) is not None:
            return
        event = parse(contract, value)
        if event["store_id"] in self._stores:
            self._fold(event["event_id"], event["event_type"], event["shelf_id"], event["quantity"])

    def _fold(self, event_id: str, kind: str, shelf: str, quantity: int | None) -> None:
        known = hash(event_id)
        if known in self._seen or known in self._seen_before:
            return
        if len(self._seen) >= REMEMBERED:
            self._seen, self._seen_before = set(), self._seen
        self._seen.add(known)
        self._units[shelf] += SIGNS.get(kind, 0) * (quantity or 0)


def _behind(places: pa.Table) -> dict[int, int]:
    """Partition → offset behind the last record that `raw` holds; repeats behind it are told apart by id."""
    offsets = dict.fromkeys(range(CATALOG.topics[TOPIC].partitions), 0)
    highest = places.group_by("kafka_partition").aggregate([("kafka_offset", "max")]).to_pylist()
    return offsets | {row["kafka_partition"]: row["kafka_offset_max"] + 1 for row in highest}
