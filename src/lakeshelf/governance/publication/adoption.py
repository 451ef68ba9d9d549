"""What others send to a bound topic: new keys enter the dataset as they stand, and its own keys stay its own.

The service tails the topics of its datasets. How far is an application transaction of the canonical table, in the very
commit that took the rows: `adopt:<topic>:<topic id>:<partition>` → the offset behind.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event

import pyarrow as pa
from confluent_kafka import OFFSET_BEGINNING, Message, TopicPartition
from deltalake import DeltaTable

from lakeshelf import crash
from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain import keys as row_keys
from lakeshelf.governance.publication import binding, incoming
from lakeshelf.governance.publication.commits import ADOPT, FENCE, FOREIGN, KEYS
from lakeshelf.governance.publication.incoming import AT_ONCE, IncomingMessages
from lakeshelf.governance.publication.publisher import own
from lakeshelf.governance.publication.verdict import (
    ForeignMessage,
    KnownKeys,
    MessageVerdict,
    judged,
)
from lakeshelf.governance.storage.logs import CELLS, Log
from lakeshelf.governance.storage.main import MainTable, OpenedTable
from lakeshelf.kafka import topics
from lakeshelf.kafka.consuming import available, behind, is_end, reader
from lakeshelf.lake.form.commits import Commit, Txn
from lakeshelf.lake.history import touching
from lakeshelf.lake.place.errors import Conflict

GROUP = "lakeshelf-adoption"
GATHER_S = 0.05
"""Longest wait for further messages once some are there."""
LOOK_S = 2.0
"""Seconds after which is asked again which topics there are."""
TRIES = 5
"""How often a commit is tried when others are quicker."""
NOTE_AFTER = 10_000
"""Messages without effect after which is noted that they were read, so that they are not read again for ever."""


@dataclass(frozen=True)
class Adopted:
    """What came of messages.

    Attributes:
        dataset: The dataset.
        version: Delta version that was made of them.
        rows: Rows that were adopted, which nobody reviewed.
        foreign: What others sent about keys of the dataset; its own rows are sent again.
    """

    dataset: str
    version: int
    rows: int
    foreign: tuple[ForeignMessage, ...]


class Adoption:
    """Follows the topics of bound datasets; one process at a time does so.

    Args:
        tables: Canonical tables of the datasets.
        client: librdkafka settings that reach the broker.
        seconds: Monotonic clock.
        stop: Set when it is to end.
    """

    def __init__(
        self,
        tables: Iterable[MainTable],
        client: Mapping[str, str],
        seconds: Callable[[], float] = time.monotonic,
        stop: Event | None = None,
    ) -> None:
        self._tables = {str(table.definition.topic): table for table in tables}
        self._client, self._stop = client, stop
        self._seconds = seconds
        self._consumer = reader(client, GROUP)
        self._tails: dict[str, _Tail] = {}
        self._look_at = seconds()

    def turn(self, wait_s: float) -> list[Adopted]:
        """Take what has come.

        Args:
            wait_s: Longest wait for the first message.

        Returns:
            What was committed, one a dataset.

        Raises:
            BrokerError: The broker does not answer; what had come is taken by the next call.
            Stopped: It was to end before the broker answered.
            LakeError: As for the broker.
        """
        with ExitStack() as failed:
            failed.callback(self._begin_again)
            self._look()
            by_topic = self._gathered(wait_s)
            done = [self._tails[name].take(messages) for name, messages in by_topic.items()]
            failed.pop_all()
        return [one for one in done if one is not None]

    def close(self) -> None:
        """Note how far was read, and let go of the broker."""
        try:
            for tail in self._tails.values():
                tail.note()
        finally:
            self._consumer.close()

    def _begin_again(self) -> None:
        """Read again from where the tables say."""
        self._tails, self._look_at = {}, self._seconds()
        self._consumer.unassign()

    def _look(self) -> None:
        """Follow topics that are new, or were made anew, from where the tables say."""
        if self._seconds() < self._look_at:
            return
        self._look_at = self._seconds() + LOOK_S
        ids = topics.ids(self._client, self._tables, self._stop)
        bound = {name: topic_id for name, topic_id in ids.items() if self._is_bound(name)}
        if bound == {name: tail.topic_id for name, tail in self._tails.items()}:
            return
        self._tails = {
            name: self._tails[name]
            if name in self._tails and self._tails[name].topic_id == topic_id
            else _Tail(self._tables[name], topic_id)
            for name, topic_id in bound.items()
        }
        ends = topics.end_offsets(self._client, bound)
        self._consumer.assign(
            [
                TopicPartition(name, int(partition), tail.position(int(partition), end))
                for name, tail in self._tails.items()
                for partition, end in ends[name].items()
            ]
        )

    def _is_bound(self, topic: str) -> bool:
        if topic in self._tails:
            return True
        handle = self._tables[topic].opened().snapshot.handle
        return binding.base_of(handle, topic) is not None

    def _gathered(self, wait_s: float) -> dict[str, list[Message]]:
        messages = available(self._consumer, wait_s, AT_ONCE)
        more = messages
        while more and len(messages) < AT_ONCE:
            more = available(self._consumer, GATHER_S, AT_ONCE - len(messages))
            messages += more
        by_topic: dict[str, list[Message]] = defaultdict(list)
        for message in messages:
            by_topic[str(message.topic())].append(message)
        return by_topic


@dataclass
class _Tail:
    """A dataset, and how far its topic was read."""

    table: MainTable
    topic_id: str
    read: dict[int, int] = field(default_factory=dict)
    noted: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._topic = CATALOG.topics[str(self.table.definition.topic)]
        self._gone = _Gone(self.table)

    def position(self, partition: int, end: int) -> int:
        """Where to go on reading a partition; at its beginning, too, where it lost what was read of it."""
        if partition not in self.read:
            handle = self.table.opened().snapshot.handle
            recorded = handle.transaction_version(self._app(partition))
            if recorded is None or recorded > end:
                return OFFSET_BEGINNING
            self.read[partition] = self.noted[partition] = recorded
        return self.read[partition]

    def take(self, messages: list[Message]) -> Adopted | None:
        """Take messages, in one commit or, where nothing follows from them, in none."""
        self.read |= {message.partition() or 0: behind(message) for message in messages}
        heard = [message for message in messages if not is_end(message)]
        done = self._committed(heard) if heard else None
        if done is None and sum(self._unnoted().values()) >= NOTE_AFTER:
            self.note()
        return done

    def note(self) -> None:
        """Note how far was read."""
        opened = self.table.opened()
        if txns := self._positions(opened.snapshot.handle):
            opened.fence(txns, {"kind": FENCE})
            self.noted = dict(self.read)

    def _committed(self, messages: list[Message]) -> Adopted | None:
        for left in reversed(range(TRIES)):
            opened = self.table.opened()
            mark = own(opened.snapshot.table_id)
            foreign = [message for message in messages if incoming.origin(message) != mark]
            if not foreign:
                return None
            rows = incoming.read(foreign, self._topic, self.table.definition)
            try:
                return self._take(opened, rows)
            except Conflict:
                if not left:
                    raise
        return None

    def _take(self, opened: OpenedTable, messages: IncomingMessages) -> Adopted | None:
        known = self._known(opened, messages)
        verdict = judged(messages, self.table.definition.key[0], known)
        crash.point("before_adoption", opened.version)
        commit = self._commit(opened, known, verdict)
        if commit is None or commit.version is None:
            return None
        crash.point("after_adoption", opened.version)
        self.noted = dict(self.read)
        return Adopted(
            self.table.folder.name, commit.version, verdict.adopted.num_rows, verdict.foreign
        )

    def _known(self, opened: OpenedTable, messages: IncomingMessages) -> KnownKeys:
        handle, key = opened.snapshot.handle, self.table.definition.key[0]
        asked = pa.table({key: messages.rows[key].unique()})
        owned = pa.concat_tables(opened.some(asked, [key]))
        return KnownKeys(
            opened.rows(owned),
            self._gone.at(opened),
            binding.base_of(handle, self._topic.name) or 0,
            binding.tombstones_of(handle, self._topic.name),
            opened.version + 1,
        )

    def _commit(
        self, opened: OpenedTable, known: KnownKeys, verdict: MessageVerdict
    ) -> Commit | None:
        txns = self._positions(opened.snapshot.handle)
        if verdict.base > known.base:
            txns += (binding.based(self._topic.name, verdict.base),)
        if verdict.tombstones > known.tombstones:
            txns += (binding.tombstoned(self._topic.name, verdict.tombstones),)
        again = {KEYS: list(verdict.again)} if verdict.again else {}
        if verdict.adopted.num_rows:
            return opened.insert(verdict.adopted, txns, {"kind": ADOPT, **again})
        if again or (verdict.base, verdict.tombstones) != (known.base, known.tombstones):
            return opened.fence(txns, {"kind": FOREIGN, **again})
        return None

    def _positions(self, handle: DeltaTable) -> tuple[Txn, ...]:
        apps = {self._app(partition): end for partition, end in self.read.items()}
        recorded = {app: handle.transaction_version(app) or 0 for app in apps}
        return tuple(Txn(app, end) for app, end in apps.items() if end > recorded[app])

    def _unnoted(self) -> dict[int, int]:
        return {
            partition: end - self.noted.get(partition, 0) for partition, end in self.read.items()
        }

    def _app(self, partition: int) -> str:
        return f"adopt:{self._topic.name}:{self.topic_id}:{partition}"


class _Gone:
    """Keys that a dataset had: as its history of cells tells, and its feed of what that does not tell yet."""

    def __init__(self, table: MainTable) -> None:
        self._table = table
        self._keys: set[object] = set()
        self._until: int | None = None

    def at(self, opened: OpenedTable) -> pa.Array:
        """The keys; those of them that it has again among them."""
        definition, handle = self._table.definition, opened.snapshot.handle
        if self._until is None:
            cells = Log(self._table.folder.root, self._table.folder.cells, CELLS)
            deleted = cells.rows(["row_id"], [("op", "=", "delete")])["row_id"].unique().to_pylist()
            self._keys |= {row_keys.key_of(definition, text)[definition.key[0]] for text in deleted}
        name, key = self._table.folder.name, definition.key
        for batch in touching.gone(handle, name, key, self._until):
            self._keys |= set(batch.column(0).to_pylist())
        self._until = opened.version
        return pa.array(list(self._keys), definition.schema.field(key[0]).type)
