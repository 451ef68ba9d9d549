"""What a component is: when something is due, what it decides then, and which messages follow."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, ClassVar

import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.messages import encode
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.rows.conditions import Condition, Where
from lakeshelf.lake.rows.port import ReadTables
from lakeshelf.settings import Settings
from lakeshelf.streams.take.refusal import Refused

Row = Mapping[str, Any]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Tick:
    """Business time as the topic `clock` tells it."""

    now: datetime
    today: date
    phase: str | None
    version: int

    @classmethod
    def of(cls, message: Row) -> Tick:
        """The tick of a parsed message."""
        return cls(message["now"], message["today"], message["phase"], message["version"])


@dataclass(frozen=True)
class Message:
    """A message that follows from a decision; `value` is JSON."""

    topic: str
    key: str
    value: str

    @classmethod
    def of(cls, topic: str, values: Row) -> Message:
        """The message of these values.

        Raises:
            ContractError: The topic refuses it.
        """
        contract = CATALOG.topics[topic]
        keys_only = {f.name for f in contract.key_only}
        payload = {name: value for name, value in values.items() if name not in keys_only}
        return cls(topic, contract.key_of(values), encode(contract, payload).decode())


@dataclass(frozen=True)
class Heard:
    """A message of a topic that the component reads beside the clock.

    Attributes:
        topic: Where it came by.
        offset: Its place there, in partition 0.
        at: When it was appended.
        message: Its typed values.
        value: Its value as it came.
    """

    topic: str
    offset: int
    at: datetime
    message: Row
    value: bytes

    def refusal(self, reason: str, detail: str) -> Message:
        """The message of topic `quarantine` that tells why it is refused."""
        key = CATALOG.topics[self.topic].key_of(self.message)
        place = (self.topic, 0, self.offset, self.at)
        refused = Refused(*place, key.encode(), self.value, reason, detail)
        return Message("quarantine", key, refused.whole().decode())


@dataclass(frozen=True)
class Upsert:
    """Rows of another table of a component whose journal is its own table, which go before its own.

    After a crash they are written again, so they are what stands, never what is added.

    Attributes:
        rows: Rows by the key of the table.
        txns: What is noted with them; the first differs from all before.
    """

    rows: pa.Table
    txns: tuple[Txn, ...]


@dataclass(frozen=True)
class Decision:
    """What a component decided, all of it in one commit.

    Attributes:
        entry_id: Derived from the cause, the same on a repeat.
        event_time: Due time of the cause, in business time.
        messages: What follows, in order.
        rows: Table of the component that no topic carries → rows to write.
        memory: What its next decision has to know, as plain JSON.
        table: Rows of the component's own table, where that is its journal.
        upserts: Further table of the component → rows that are written before `table`.
        inputs: Table → version, of all that `table` follows from; those of `upserts` are the ones that they make.
    """

    entry_id: str
    event_time: datetime
    messages: tuple[Message, ...] = ()
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    table: pa.Table | None = None
    upserts: Mapping[str, Upsert] = field(default_factory=dict)
    inputs: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class JournalEntry:
    """A decision in its place in the journal: `seq` counts from 1."""

    seq: int
    decision: Decision


def rows(
    lake: ReadTables, name: str, where: Where = (), columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Rows of a table as they stand, as dictionaries."""
    dicts: list[dict[str, Any]] = (
        lake.read(name, columns=columns, where=where).read_all().to_pylist()
    )
    return dicts


def among(column: str, values: Iterable[str]) -> Condition:
    """A condition: the column has one of these texts."""
    return (column, "in", sorted(set(values)))


@dataclass(frozen=True)
class Context:
    """What a component works with.

    Attributes:
        settings: Lake and runtime settings.
        client: librdkafka settings that reach the broker.
        lake: Tables to read.
    """

    settings: Settings
    client: Mapping[str, str]
    lake: ReadTables


class Component(ABC):
    """A component; subclasses stand in `<name>/` of a room of components as `COMPONENT`.

    Attributes:
        name: Its name, also that of its folder.
        doc: One sentence for lists and documentation.
        phase: Part of a step in which it acts in stepped mode; None: in every part.
        hears: Event topics that it reads beside the clock.
        follows: Components that act on a tick before it.
        publishes: Topics that it writes.
        journal: Table that its decisions are committed to.
    """

    name: ClassVar[str]
    doc: ClassVar[str]
    phase: ClassVar[str | None] = None
    hears: ClassVar[tuple[str, ...]] = ()
    follows: ClassVar[tuple[str, ...]] = ()
    publishes: ClassVar[tuple[str, ...]] = ()
    journal: ClassVar[str]

    def __init__(self, context: Context) -> None:
        self.context = context

    def restore(self, last: JournalEntry | None) -> None:  # noqa: B027
        """Take up what the last decision remembered, before anything is decided."""

    @abstractmethod
    def dues(self, after: datetime | None, tick: Tick) -> Sequence[datetime]:
        """Due times that the tick has reached, oldest first.

        Args:
            after: Event time of the latest decision; None before the first.
            tick: The latest tick.
        """

    @abstractmethod
    def decide(self, due: datetime, tick: Tick) -> Decision | None:
        """What is decided for a due time; None leaves no trace, so that it is asked again."""

    def hear(self, heard: Heard, tick: Tick | None) -> Decision | None:
        """What a message of one of the topics in `hears` leads to."""
        return None

    def outgoing(self, entry: JournalEntry) -> Sequence[Message]:
        """The messages of an entry as they are sent."""
        return entry.decision.messages

    def close(self) -> None:  # noqa: B027
        """Let go of what it holds."""


class Follower(ABC):
    """A component that follows tables instead of ticks; it stands in `<name>/` of a room of components as `COMPONENT`.

    Stepped mode is without it: nothing that is simulated waits for it.

    Attributes:
        name: Its name, also that of its folder.
        doc: One sentence for lists and documentation.
        publishes: Topics that it writes.
        journal: Table that what it sent is committed to.
    """

    name: ClassVar[str]
    doc: ClassVar[str]
    phase: ClassVar[str | None] = None
    publishes: ClassVar[tuple[str, ...]] = ()
    journal: ClassVar[str]

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def run(self, stop: threading.Event, ready: Callable[[], None]) -> None:
        """Run until `stop` is set; `ready` is called once it works; raises when it cannot go on."""


def midnight(day: date) -> datetime:
    """When a business day begins."""
    return datetime.combine(day, time.min, UTC)


def days(after: datetime | None, tick: Tick) -> list[datetime]:
    """Beginnings of the business days that are due: those after the latest, or today alone at first."""
    first = tick.today if after is None else after.date() + DAY
    return [midnight(first + DAY * n) for n in range((tick.today - first).days + 1)]
