"""Runs one component: consume, decide, one commit to the journal, publish, commit offsets.

A crash between any two of these is harmless. At start the messages of the last entry are published
again, and nothing that the journal has is decided a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from lakeshelf import crash
from lakeshelf.components import journal
from lakeshelf.components.component import (
    Component,
    Context,
    Decision,
    Heard,
    JournalEntry,
    Tick,
)
from lakeshelf.components.hearing import Hearings
from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import UNPROCESSABLE
from lakeshelf.errors import ConfigurationError
from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import (
    ANSWER_S,
    available,
    behind,
    coordinated,
    is_end,
    reader,
    watermarks,
)
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place.claims import claim
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.logs import log
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.declare.job import CLOCK
from lakeshelf.streams.run.clock import latest
from lakeshelf.streams.take.refusal import QUARANTINE, Refused, accepted, quarantine_rows
from lakeshelf.telemetry import metrics

REFUSALS = "quarantine"
POLL_S = 0.2
FOLLOW_S = 0.05


class Service(Protocol):
    """Something that runs until it is told to stop."""

    def run(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Run until `stop` is set; `ready` is called once it works; raises when it cannot go on."""


class ComponentService:
    """A component at work.

    Args:
        component: The component's class.
        context: What it works with.
    """

    def __init__(self, component: type[Component], context: Context) -> None:
        self._class = component
        self._context = context
        self.tick: Tick | None = None
        """The latest tick that it has acted on."""

    def run(self, stop: threading.Event, ready: Callable[[], None] = lambda: None) -> None:
        """Run until `stop` is set; `ready` is called once it has the lock and its journal.

        Raises:
            LakeError: Another process runs the component, or the lake cannot be written.
            BrokerError: The broker does not answer.
        """
        lock = self._context.settings.stack_dir / "locks" / f"{self._class.name}.lock"
        with FileLock(lock, f"component {self._class.name}"):
            claim(self._context.settings.lake_root, self._context.settings.state_dir)
            self._begin()
            ready()
            try:
                while not stop.is_set():
                    self._turn(stop)
            finally:
                self._end()

    def _begin(self) -> None:
        for topic in self._class.hears:
            if CATALOG.topics[topic].partitions > 1:
                raise ConfigurationError(
                    f"{self._class.name} hears {topic}, which has several partitions",
                    hint="a component reads topics of one partition",
                )
        self._component = self._class(self._context)
        root = self._context.settings.lake_root
        self._journal = journal.opened(root, self._class.name, self._class.journal)
        self._publisher = Publisher(self._context.client)
        self._journal.complete()
        self._component.restore(self._journal.last)
        if self._journal.last is not None:
            self._publish(self._journal.last)
        self._consumer = reader(self._context.client, group(self._class.name))
        self._journal.know(topics.ids(self._context.client, self._class.hears))
        self._consumer.assign(self._positions())
        self._heard: list[Heard] = []
        self._hearings = Hearings(self._context.settings.stack_dir, self._class.name)
        self._leaders = [Leader(self._context.client, name) for name in self._class.follows]

    def _end(self) -> None:
        for leader in self._leaders:
            leader.close()
        self._consumer.close()
        self._component.close()

    def _positions(self) -> list[TopicPartition]:
        """The latest tick, and behind the latest message that was heard."""
        last = latest(self._consumer)
        return [
            TopicPartition(CLOCK, 0, OFFSET_BEGINNING if last is None else last[0]),
            *(TopicPartition(topic, 0, self._heard_until(topic)) for topic in self._class.hears),
        ]

    def _heard_until(self, topic: str) -> int:
        _, end = watermarks(self._consumer, topic, 0)
        return going_on(self._journal.position(topic, 0), end)

    def _turn(self, stop: threading.Event) -> None:
        ends: dict[str, int] = {}
        tick: tuple[Tick, int] | None = None
        for record in available(self._consumer, POLL_S):
            topic, end = str(record.topic()), behind(record)
            ends[topic] = end
            message = None if is_end(record) else accepted(record)
            if message is None or message.get("deleted"):
                continue
            if topic == CLOCK:
                tick = (Tick.of(message), end)
            else:
                at = datetime.fromtimestamp(record.timestamp()[1] / 1000, UTC)
                self._heard.append(Heard(topic, end - 1, at, message, record.value() or b""))
        if tick is not None:
            self._follow(tick[1], stop)
            if stop.is_set():
                return
            self._act(*tick)
        self._listen()
        self._journal.serve(self._context.settings.stack_dir)
        self._reached(ends)

    def _follow(self, end: int, stop: threading.Event) -> None:
        """Wait until the components that act first have done so."""
        for leader in self._leaders:
            while leader.reached() < end:
                if stop.wait(FOLLOW_S):
                    return

    def _listen(self) -> None:
        """Decide on what was heard; before the first tick nothing is decided, so it waits."""
        while self._heard and self.tick is not None:
            heard = self._heard.pop(0)
            self._record(self._hear(heard, self.tick), {heard.topic: heard.offset + 1})

    def _hear(self, heard: Heard, tick: Tick) -> Decision | None:
        """What is decided on a message; one that it fails on again and again is refused."""
        if why := self._hearings.hopeless(heard):
            self._hearings.refused()
            return self._refusal(heard, tick, why)
        try:
            decision = self._component.hear(heard, tick)
        except Exception as error:
            self._hearings.failed(error)
            raise
        self._hearings.heard()
        return decision

    def _refusal(self, heard: Heard, tick: Tick, why: str) -> Decision:
        last = self._journal.last
        return Decision(
            entry_id=f"{UNPROCESSABLE}:{heard.topic}:{heard.offset}",
            event_time=tick.now,
            messages=(heard.refusal(UNPROCESSABLE, why),),
            memory=last.decision.memory if last else {},
        )

    def _act(self, tick: Tick, end: int) -> None:
        self.tick = tick
        if self._class.phase is not None and tick.phase not in (None, self._class.phase):
            return
        last = self._journal.last
        for due in self._component.dues(last.decision.event_time if last else None, tick):
            self._late(tick.now - due)
            self._record(self._component.decide(due, tick), {CLOCK: end})
        self._late(timedelta(0))

    def _late(self, lag: timedelta) -> None:
        metrics.COMPONENT_DUE_LAG.take(lag.total_seconds(), component=self._class.name)

    def _record(self, decision: Decision | None, ends: Mapping[str, int]) -> None:
        if decision is None:
            return
        number = self._journal.last.seq + 1 if self._journal.last else 1
        log.debug("decided", component=self._class.name, entry=decision.entry_id)
        crash.point("before_journal", number)
        cause = ", ".join(f"{topic}:0:{end - 1}" for topic, end in ends.items())
        entry = self._journal.commit(decision, cause, ends)
        self._component.restore(entry)
        crash.point("after_journal", number)
        self._publish(entry)
        crash.point("after_messages", number)

    def _publish(self, entry: JournalEntry) -> None:
        messages = self._component.outgoing(entry)
        refused = [Refused.of(m.key.encode(), m.value) for m in messages if m.topic == REFUSALS]
        self._quarantine(entry, refused)
        self._publisher.refusals(refused)
        sent = (m for m in messages if m.topic != REFUSALS)
        for topic, some in groupby(sent, key=lambda m: m.topic):
            self._publisher.encoded(CATALOG.topics[topic], ((m.key, m.value) for m in some))
        self._publisher.flush()

    def _quarantine(self, entry: JournalEntry, refused: list[Refused]) -> None:
        """Keep what is refused, whole, where people look for it."""
        if not refused:
            return
        table = tables.open_table(self._context.settings.lake_root, QUARANTINE)
        txn = Txn(f"{self._class.name}:{QUARANTINE}", entry.seq)
        held = quarantine_rows(refused, datetime.now(UTC))
        writing.append(table, QUARANTINE, held, Write.once(txn))

    def _reached(self, ends: Mapping[str, int]) -> None:
        if ends:
            offsets = [TopicPartition(topic, 0, end) for topic, end in ends.items()]
            coordinated(
                lambda: self._consumer.commit(offsets=offsets, asynchronous=False),
                f"{self._class.name} cannot tell Kafka how far it is",
                self._consumer,
            )


def going_on(at: int | None, end: int) -> int:
    """Where to go on hearing; a topic that ends before what was heard is another one, of which nothing was.

    Args:
        at: Offset behind the latest message that was heard; None: none was.
        end: Where the topic ends.
    """
    return OFFSET_BEGINNING if at is None or at > end else at


def group(name: str) -> str:
    """Consumer group under which a component tells how far it is."""
    return f"lakeshelf-{name}"


class Leader:
    """How far another component is, whichever process runs it.

    Args:
        client: librdkafka settings that reach the broker.
        name: The component.
    """

    def __init__(self, client: Mapping[str, Any], name: str) -> None:
        self._name = name
        self._consumer = reader(client, group(name))

    def reached(self) -> int:
        """Offset of the clock behind the latest tick that it has acted on; 0 before the first.

        Raises:
            BrokerError: The broker does not answer.
        """
        (position,) = coordinated(
            lambda: self._consumer.committed([TopicPartition(CLOCK, 0)], timeout=ANSWER_S),
            f"no broker tells how far {self._name} is",
            self._consumer,
        )
        return max(0, int(position.offset))

    def close(self) -> None:
        """End the connection."""
        self._consumer.close()
