"""Live shelf events at a steady rate, and when what followed from them could be seen."""

from __future__ import annotations

import bisect
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from benchmarks import events, stacks
from benchmarks.events import STORES, TOPIC
from lakeshelf.kafka import topics

STATE_TOPIC, STATE_TABLE = "shelf_state", "cleansed/shelf_state"
TICK_S = 0.002
STRETCH_S = 5.0
"""How long is sent before it is looked whether to go on."""
FLUSH_S = 30.0


@dataclass(slots=True)
class Sent:
    """One event.

    Attributes:
        at: When it was due, and so produced or a little later, seconds since 1970.
        shelf: Its shelf.
        version: The shelf's state version that first contains it.
        partition: Where it is; -1 until acknowledged.
        offset: Where it is there.
    """

    at: float
    shelf: str
    version: int
    partition: int = -1
    offset: int = -1

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """Note where the event is."""
        if error is None:
            self.partition, self.offset = message.partition() or 0, message.offset() or 0


@dataclass
class EventSource:
    """Sends events of shelves that were opened before.

    Attributes:
        client: Settings of a Kafka client.
        shelves: How many shelves there are.
        seed: Chooses shelves, kinds and quantities.
        versions: Events a shelf so far.
    """

    client: Mapping[str, str]
    shelves: int
    seed: int
    versions: Counter[int] = field(default_factory=Counter)
    _number: int = 0

    def open_shelves(self) -> None:
        """Send the opening stock of all shelves."""
        shape = events.Shape(self.shelves, per_day=max(self.shelves, 1), seed=self.seed)
        stacks.send(self.client, events.records(shape, 0, self.shelves))
        self.versions.update(range(self.shelves))

    def drive(self, rate: int, seconds: float) -> tuple[list[Sent], float]:
        """Send at a steady rate until all are acknowledged; the events, and the worst delay of a send.

        An event counts from when it was due, whether or not the sender was late.
        """
        producer = Producer(
            {**self.client, "enable.idempotence": True, "acks": "all", "linger.ms": 5}
        )
        chosen = random.Random(self.seed + self._number)
        sent: list[Sent] = []
        total, worst, started = int(rate * seconds), 0.0, time.time()
        while len(sent) < total:
            now = time.time()
            due = min(total, int((now - started) * rate) + 1)
            for number in range(len(sent), due):
                at = started + number / rate
                worst = max(worst, now - at)
                sent.append(self._send(producer, at, chosen))
            producer.poll(0)
            time.sleep(TICK_S)
        producer.flush(FLUSH_S)
        if lost := sum(event.offset < 0 for event in sent):
            raise RuntimeError(f"{lost} of {total} events were not acknowledged")
        return sent, worst

    @contextmanager
    def driven(self, rate: int) -> Iterator[None]:
        """Send at a steady rate for as long as the block takes."""
        done = threading.Event()

        def drive() -> None:
            while not done.is_set():
                self.drive(rate, STRETCH_S)

        with ThreadPoolExecutor(1) as pool:
            driving = pool.submit(drive)
            try:
                yield
            finally:
                done.set()
            driving.result()

    def _send(self, producer: Producer, at: float, chosen: random.Random) -> Sent:
        shelf = chosen.randrange(self.shelves)
        kind = chosen.choices(("pickup", "putback", "restock"), (70, 5, 25))[0]
        self.versions[shelf] += 1
        self._number += 1
        store, item = f"S{300 + shelf % STORES}", f"I{1_000_000 + shelf // STORES}"
        event = Sent(at, f"{store}-{item}", self.versions[shelf])
        value = (
            f'{{"event_id":"{int(at * 1000):013d}-L{self._number}","event_type":"{kind}",'
            f'"event_time":"{iso(at)}","store_id":"{store}","schema_version":1,'
            f'"shelf_id":"{event.shelf}","item_id":"{item}","quantity":{1 + shelf % 3}}}'
        )
        producer.produce(TOPIC, value, event.shelf, on_delivery=event.delivered)
        return event


def iso(at: float) -> str:
    """A time as the contract wants it."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def table_delays(lake: Path | str, sent: Sequence[Sent]) -> list[float]:
    """Milliseconds from each event to the commit of `cleansed/shelf_state` that contains it.

    The ledger tells which batch took an offset and which version it committed; the commit can be
    seen from the moment its file stands in the log.
    """
    ends: dict[int, list[tuple[int, float]]] = {}
    for row in stacks.batches_of(lake, TOPIC):
        if STATE_TABLE in row["table_versions"]:
            at = commit_time(lake, row["table_versions"][STATE_TABLE])
            for partition, (_, until) in row["offsets"][TOPIC].items():
                ends.setdefault(int(partition), []).append((until, at))
    return [_first(ends[e.partition], e.offset, e.at) for e in sent]


def commit_time(lake: Path | str, version: int) -> float:
    """When a version of `cleansed/shelf_state` was committed, seconds since 1970."""
    return (Path(lake) / STATE_TABLE / "_delta_log" / f"{version:020d}.json").stat().st_mtime


def message_delays(
    client: Mapping[str, str], since: Mapping[str, int], sent: Sequence[Sent]
) -> list[float]:
    """Milliseconds from each event to the broker's time of the first state message that contains it."""
    published: dict[str, list[tuple[int, float]]] = {}
    for message in messages(client, STATE_TOPIC, since):
        headers: dict[str, Any] = dict(message.headers() or [])
        key, at = (message.key() or b"").decode(), message.timestamp()[1] / 1000
        published.setdefault(key, []).append((int(headers["version"]), at))
    # A list says "up to and including" a version; `_first` wants ends that are exclusive.
    return [_first(published[e.shelf], e.version - 1, e.at) for e in sent]


def messages(client: Mapping[str, str], topic: str, since: Mapping[str, int]) -> list[Message]:
    """All messages of a topic from some offsets to its end."""
    ends = topics.end_offsets(client, [topic])[topic]
    options = {"group.id": "bench", "enable.auto.commit": False, "enable.partition.eof": True}
    consumer = Consumer({**client, **options})
    consumer.assign([TopicPartition(topic, int(p), since.get(p, 0)) for p in ends])
    messages: list[Message] = []
    reached: set[int] = set()
    while len(reached) < len(ends):
        for message in consumer.consume(10_000, timeout=0.2):
            error = message.error()
            if error is None:
                messages.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - has no public name
                reached.add(message.partition() or 0)
    consumer.close()
    return messages


def _first(ends: Sequence[tuple[int, float]], place: int, since: float) -> float:
    """Milliseconds from `since` to the time of the first of `ends` that is above `place`."""
    index = bisect.bisect_right(ends, place, key=lambda end: end[0])
    return (ends[index][1] - since) * 1000


class TriggerLog:
    """Whole triggers of a query, from its checkpoint, which keeps only the latest ones.

    A trigger begins at the time in its offset file and ends with its commit file.
    """

    def __init__(self, checkpoint: Path) -> None:
        self._checkpoint = checkpoint
        self.durations: dict[int, float] = {}

    def look(self) -> None:
        """Note the triggers that can be seen now, in milliseconds."""
        for commit in (self._checkpoint / "commits").glob("[0-9]*"):
            number = int(commit.name)
            if number not in self.durations:
                offsets = self._checkpoint / "offsets" / commit.name
                try:
                    begun = json.loads(offsets.read_text().splitlines()[1])["batchTimestampMs"]
                    self.durations[number] = commit.stat().st_mtime * 1000 - begun
                except (OSError, IndexError, ValueError):
                    continue


def watched(log: TriggerLog, every: float, done: Callable[[], bool]) -> None:
    """Look again and again until something is done."""
    while not done():
        log.look()
        time.sleep(every)
    log.look()
