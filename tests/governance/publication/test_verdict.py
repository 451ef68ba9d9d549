"""What messages mean, beside a model that looks at one after the other."""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.governance.publication.incoming import IncomingMessages
from lakeshelf.governance.publication.verdict import KnownKeys, MessageVerdict, judged

SCHEMA = pa.schema([("key", pa.string()), ("n", pa.int64())])
KEYS = ("a", "b", "c", "d")


@dataclass(frozen=True)
class Message:
    key: str
    version: int
    n: int | None
    """Its value; None: a tombstone."""


@dataclass
class Model:
    """What is owned, gone and adopted, as messages pass by."""

    rows: dict[str, int]
    gone: set[str]
    base: int
    tombstones: int
    next: int
    adopted: dict[str, int] = field(default_factory=dict)
    again: set[str] = field(default_factory=set)
    foreign: list[Message] = field(default_factory=list)

    def take(self, messages: list[Message]) -> None:
        remembered = self.tombstones
        for key in sorted({m.key for m in messages}):
            self._take(key, [m for m in messages if m.key == key], remembered)
        highest = max((m.version for m in messages), default=0)
        if highest >= self.base + self.next:
            self.base = highest

    def _take(self, key: str, messages: list[Message], remembered: int) -> None:
        if key in self.rows or key in self.gone:
            told = [m for m in messages if m.n != self.rows.get(key)]
            self.foreign += told
            self.again |= {m.key for m in told}
            return
        latest = max(messages, key=lambda m: m.version)
        if latest.n is None:
            self.tombstones = max(self.tombstones, latest.version)
            return
        self.adopted[key] = latest.n
        if latest.version <= remembered or any(m.n != latest.n for m in messages):
            self.again.add(key)


def incoming(messages: list[Message]) -> IncomingMessages:
    facts = {
        "version": pa.array([m.version for m in messages], pa.int64()),
        "deleted": pa.array([m.n is None for m in messages], pa.bool_()),
        "kafka_partition": pa.array([0] * len(messages), pa.int64()),
        "kafka_offset": pa.array(range(len(messages)), pa.int64()),
    }
    rows = pa.Table.from_pylist([{"key": m.key, "n": m.n} for m in messages], SCHEMA)
    return IncomingMessages(rows, pa.table(facts))


def verdict(messages: list[Message], model: Model) -> MessageVerdict:
    rows = pa.Table.from_pylist([{"key": k, "n": n} for k, n in model.rows.items()], SCHEMA)
    gone = pa.array(sorted(model.gone), pa.string())
    known = KnownKeys(rows, gone, model.base, model.tombstones, model.next)
    return judged(incoming(messages), "key", known)


KEY = st.sampled_from(KEYS)
MESSAGES = st.builds(Message, KEY, st.integers(1, 12), st.none() | st.integers(0, 2))
MODELS = st.builds(
    Model,
    st.dictionaries(KEY, st.integers(0, 2), max_size=3),
    st.sets(KEY, max_size=2),
    st.integers(0, 5),
    st.integers(0, 5),
    st.integers(1, 5),
)


@given(st.lists(MESSAGES, max_size=8), MODELS)
def test_messages_mean_what_they_mean_one_by_one(messages: list[Message], model: Model) -> None:
    found = verdict(messages, model)
    model.take(messages)
    assert {row["key"]: row["n"] for row in found.adopted.to_pylist()} == model.adopted
    assert (found.base, found.tombstones) == (model.base, model.tombstones)
    assert set(found.again) == model.again
    assert len(found.again) == len(model.again)
    told = [(f.key, f.version, f.deleted) for f in found.foreign]
    assert sorted(told) == sorted((m.key, m.version, m.n is None) for m in model.foreign)


@given(st.lists(MESSAGES, max_size=8), MODELS)
def test_whatever_is_sent_next_is_above_every_message(
    messages: list[Message], model: Model
) -> None:
    found = verdict(messages, model)
    assert all(m.version < found.base + model.next for m in messages)


def test_nan_and_null_are_what_they_are() -> None:
    rows = pa.table({"key": ["a", "b"], "x": [float("nan"), None]})
    facts = incoming([Message("a", 1, 0), Message("b", 1, 0)]).facts
    found = judged(
        IncomingMessages(rows, facts), "key", KnownKeys(rows, pa.array([], pa.string()), 0, 0, 3)
    )
    assert (found.again, found.adopted.num_rows) == ((), 0)
