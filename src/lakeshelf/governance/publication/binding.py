"""What binds a dataset to its topic: it stands in the canonical table itself, so that whoever opens that knows it.

The version of a message is the **base** of the binding and the Delta version of the row. A base is 0, or above all
that the topic held when it was bound, and only ever rises. It is an application transaction:

    binding:<topic>      → the base
    tombstones:<topic>   → the highest version of a tombstone of a key that the dataset never had
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event

from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.errors import BrokerError
from lakeshelf.governance.publication import incoming
from lakeshelf.governance.publication.commits import BINDING
from lakeshelf.governance.storage.main import TOPIC, MainTable
from lakeshelf.kafka import topics
from lakeshelf.lake.form.commits import Txn

OPENING = 1
"""Version of the message that opens a key; the simulation and the replay send no other."""


def topic_of(handle: DeltaTable) -> Topic | None:
    """The topic that a table names in its properties; None: none, or one that no contract knows."""
    return CATALOG.topics.get(handle.metadata().configuration.get(TOPIC, ""))


def base_of(handle: DeltaTable, topic: str) -> int | None:
    """The base of a binding; None: the dataset is not bound yet."""
    return handle.transaction_version(_base(topic))


def based(topic: str, base: int) -> Txn:
    """The transaction of a base."""
    return Txn(_base(topic), base)


def tombstones_of(handle: DeltaTable, topic: str) -> int:
    """The highest version of a tombstone of a key that the dataset never had; 0: there was none."""
    return handle.transaction_version(_tombstones(topic)) or 0


def tombstoned(topic: str, version: int) -> Txn:
    """The transaction of such a tombstone."""
    return Txn(_tombstones(topic), version)


def ensure_bound(table: MainTable, client: Mapping[str, str], stop: Event | None = None) -> bool:
    """Bind a dataset to its topic by an empty commit, unless it is bound; whether anything was done.

    Args:
        table: The canonical table.
        client: librdkafka settings that reach the broker.
        stop: Set when it is to end.

    Raises:
        BrokerError: The topic is not there, or the broker does not answer.
        Stopped: It was to end before the broker answered.
        Conflict: Others committed meanwhile.
    """
    name = str(table.definition.topic)
    opened = table.opened()
    if base_of(opened.snapshot.handle, name) is not None:
        return False
    topic_id = topics.ids(client, [name], stop).get(name)
    if topic_id is None:
        raise BrokerError(f"there is no topic {name}", hint="make it with `lakeshelf bootstrap`")
    highest = incoming.highest_version(client, CATALOG.topics[name], table.definition)
    base = highest if highest > OPENING else 0
    metadata = {"kind": BINDING, "topic": name, "topic_id": topic_id, "base": base}
    opened.fence(based(name, base), metadata)
    return True


def _base(topic: str) -> str:
    return f"binding:{topic}"


def _tombstones(topic: str) -> str:
    return f"tombstones:{topic}"
