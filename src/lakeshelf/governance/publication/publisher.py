"""Merged rows of one bound dataset on their way to its topic.

1. Keys that were touched since the cursor, not what that nets to: B may have been sent where A became B and A again.
2. Each goes out as the newest version has it, a tombstone where it is gone, and is waited for.
3. `ops/publications` takes what was sent, and the cursor, in one commit.

A kill between any two of these leads to the same messages once more, or to newer ones of the same keys. The cursor
is one for each topic by its id: a topic that was made anew gets everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf import crash
from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.layers import Ops
from lakeshelf.contracts.values import MAX_LONG
from lakeshelf.governance.errors import GovernanceError, refused
from lakeshelf.governance.publication import binding
from lakeshelf.governance.publication.commits import FIRST, Commits, commits, strange, way_out
from lakeshelf.governance.publication.incoming import columns
from lakeshelf.governance.storage.main import MainTable, OpenedTable, regrouped
from lakeshelf.lake import Consumer, Lake
from lakeshelf.lake.history import cursors, touching
from lakeshelf.lake.history.changes import Changes
from lakeshelf.lake.place.errors import FeatureRefused, Vacuumed
from lakeshelf.streams.commit.publisher import Outgoing, Publisher

PUBLISHER = "dataset-publisher"
NOT_BOUND = "not_bound"
"""Code of the refusal that ends by itself: the service binds a dataset soon after it was made."""
AT_ONCE = 50_000
"""Messages that are sent before the broker is waited for."""
_RECORDS = arrow_contract.schema(CATALOG.tables[Ops.PUBLICATIONS].columns)


@dataclass(frozen=True)
class Published:
    """What was sent.

    Attributes:
        version: Delta version of the dataset that the topic has now.
        rows: Messages that hold a row.
        tombstones: Messages that remove one.
    """

    version: int
    rows: int = 0
    tombstones: int = 0


@dataclass(frozen=True)
class _Stamp:
    """What every message of a round carries."""

    version: int
    at: datetime
    origin: str


def own(table_id: str) -> str:
    """What the messages of a table say of their origin; those of another table of the name are foreign."""
    return f"{PUBLISHER}:{table_id}"


def stopped(
    dataset: str, topic: str, problem: str, hint: str, code: str = "publication_stopped"
) -> GovernanceError:
    """The error of a dataset of which nothing is sent until somebody does something."""
    sentence = f"nothing goes to {topic}: {dataset} {problem}"
    return refused(code, sentence, hint=hint, dataset=dataset, topic=topic)


class MergePublisher:
    """Sends what is merged in a dataset.

    Args:
        lake: The lake, with `PUBLISHER` as its writer.
        table: The canonical table.
        topic: Its topic.
        publisher: Sends to the broker.
    """

    def __init__(self, lake: Lake, table: MainTable, topic: Topic, publisher: Publisher) -> None:
        self._lake = lake
        self._table = table
        self._name = table.folder.name
        self._topic = topic
        self._publisher = publisher

    def publish(self, topic_id: str, *, whole: bool = False) -> Published:
        """Send what was touched since it was sent last.

        Args:
            topic_id: Id that Kafka gave the topic.
            whole: Whether to send every key that the dataset has or had.

        Raises:
            GovernanceError: `not_bound`: the service has not bound the dataset yet; `publication_stopped`: others
                committed to it, or no version is left.
            BrokerError: Something was not acknowledged; the next call sends it.
        """
        consumer = Consumer(f"{PUBLISHER}-{topic_id}", Ops.PUBLICATIONS)
        changes = self._lake.changes(self._name, consumer, touched=True)
        opened = self._table.opened(changes.end)
        made_since = commits(opened.snapshot, changes.start or 0)
        stamp = self._stamp(opened, made_since)
        since = self._since(opened, changes, consumer, made_since.bound_to == topic_id)
        keys = self._keys(opened, changes, None if whole else since)
        crash.point("before_rows", opened.version)
        sent = [_RECORDS.empty_table(), *self._sent(opened, keys, stamp, topic_id)]
        crash.point("after_rows", opened.version)
        records = pa.concat_tables(sent)
        self._record(records, changes)
        crash.point("after_publication", opened.version)
        if changes.full_refresh:
            self._forget_others(consumer)
        tombstones = pc.sum(records["deleted"]).as_py() or 0
        return Published(opened.version, records.num_rows - tombstones, tombstones)

    def _stamp(self, opened: OpenedTable, made_since: Commits) -> _Stamp:
        base = binding.base_of(opened.snapshot.handle, self._topic.name)
        if base is None:
            hint = "wait for the service, which binds it"
            raise self._stopped("is not bound to it yet", hint, NOT_BOUND)
        stranger = made_since.stranger
        if stranger is not None:
            raise self._stopped(strange(stranger), way_out(self._name))
        if base > MAX_LONG - opened.version:
            raise self._stopped(
                f"would need a version above {base}, and there is none", "make the topic anew"
            )
        return _Stamp(base + opened.version, made_since.at, own(opened.snapshot.table_id))

    def _stopped(self, problem: str, hint: str, *code: str) -> GovernanceError:
        return stopped(self._name, self._topic.name, problem, hint, *code)

    def _since(
        self, opened: OpenedTable, changes: Changes, consumer: Consumer, is_bound_first: bool
    ) -> int | None:
        """The version after which keys are sent; None: all are.

        Of a dataset that was bound before it had rows the topic has all that was adopted.
        """
        if changes.start is not None or not is_bound_first:
            return changes.start
        known = cursors.of(self._lake.root, consumer, self._name, opened.snapshot.table_id)
        return None if known.epoch else FIRST

    def _keys(self, opened: OpenedTable, changes: Changes, since: int | None) -> pa.Table:
        """Keys to be sent, each once."""
        if since is not None:
            with suppress(Vacuumed, FeatureRefused):
                return self._touched(opened, commits(opened.snapshot, since))
        return touching.known(opened.snapshot).read_all()

    def _touched(self, opened: OpenedTable, made_since: Commits) -> pa.Table:
        handle, key = opened.snapshot.handle, self._table.definition.key
        schema = touching.schema_of_key(handle, self._name, key)
        keys = touching.Keys(schema)
        for start, end in made_since.runs():
            for batch in touching.between(handle, self._name, start, end, key)():
                keys.add(batch)
        named = pa.array(made_since.keys, pa.string()).cast(schema.field(0).type)
        keys.add(pa.record_batch([named], schema=schema))
        return keys.table()

    def _sent(
        self, opened: OpenedTable, keys: pa.Table, stamp: _Stamp, topic_id: str
    ) -> Iterator[pa.Table]:
        """What the broker has, a record a message."""
        if not keys.num_rows:
            return
        key = keys.column_names[0]
        parts = []
        for rows in regrouped(opened.some(keys, self._columns), AT_ONCE):
            self._acked(self._publisher.rows(self._topic, self._stamped(rows, stamp), stamp.origin))
            crash.point("between_rows", opened.version)
            parts.append(rows[key])
            yield self._recorded(rows[key], opened.version, stamp, topic_id, deleted=False)
        present = pa.chunked_array(parts, keys[key].type)
        gone = keys.filter(pc.invert(pc.is_in(keys[key], present)))
        self._acked(self._publisher.tombstones(self._topic, _versioned(gone, stamp), stamp.origin))
        yield self._recorded(gone[key], opened.version, stamp, topic_id, deleted=True)

    def _acked(self, outgoing: Outgoing) -> None:
        self._publisher.send(outgoing)
        self._publisher.flush()

    @property
    def _columns(self) -> list[str]:
        return columns(self._topic, self._table.definition)

    def _stamped(self, rows: pa.Table, stamp: _Stamp) -> pa.Table:
        """Rows in the columns of the topic's key and value."""
        at = pa.repeat(pa.scalar(stamp.at, pa.timestamp("us", "UTC")), rows.num_rows)
        stamped = _versioned(rows, stamp).append_column("updated_at", at)
        for field in self._topic.fields:
            if field.name not in stamped.column_names:
                stamped = stamped.append_column(field.name, pa.nulls(rows.num_rows))
        return stamped

    def _recorded(
        self, keys: pa.ChunkedArray, version: int, stamp: _Stamp, topic_id: str, *, deleted: bool
    ) -> pa.Table:
        same = {
            "dataset": self._name,
            "topic": self._topic.name,
            "topic_id": topic_id,
            "version": stamp.version,
            "delta_version": version,
            "deleted": deleted,
            "published_at": self._lake.clock(),
        }
        made_since = {
            name: pa.repeat(pa.scalar(value, _RECORDS.field(name).type), len(keys))
            for name, value in same.items()
        }
        return (
            pa.table({**made_since, "key": keys.cast(pa.string())})
            .select(_RECORDS.names)
            .cast(_RECORDS)
        )

    def _record(self, records: pa.Table, changes: Changes) -> None:
        """Keep what was sent, and the cursor; one that stands nowhere yet is kept without rows, too."""
        made = self._lake.append(Ops.PUBLICATIONS, records, txn=changes.txns)
        if made.skipped and changes.full_refresh:
            self._lake.note(Ops.PUBLICATIONS, txn=changes.txns)

    def _forget_others(self, consumer: Consumer) -> None:
        """Take the cursors of earlier topics off the list, so that they hold back no upkeep."""
        for other, dataset in list(cursors.consumers(self._lake.root)):
            if dataset == self._name and other.id.startswith(PUBLISHER) and other != consumer:
                cursors.forget(self._lake, other.id)


def _versioned(rows: pa.Table, stamp: _Stamp) -> pa.Table:
    return rows.append_column("version", pa.repeat(pa.scalar(stamp.version, pa.int64()), len(rows)))
