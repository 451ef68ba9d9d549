"""Adversarial records of every topic: what a decoder must take or refuse as the reference validator does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import orjson

from lakeshelf.contracts import CATALOG, DATE, TIMESTAMP, ListOf
from lakeshelf.contracts.model import nested
from lakeshelf.contracts.validate import parse as reference

from .messages import JUNK, TOKENS, Record, framed, plain

TOPICS = tuple(CATALOG.topics.values())
SHELF = CATALOG.topics["shelf_events"]
POS = CATALOG.topics["pos_transactions"]


def adversarial() -> list[Record]:
    """Records of the kinds that are known to spoil something, after ordinary ones."""
    return [
        *every_plain(),
        *each_token(),
        *each_edge_of_time(),
        *each_disagreement(),
        *each_long_list(),
    ]


def every_plain() -> list[Record]:
    return [
        plain(topic, event_type, sparse=sparse)
        for topic in TOPICS
        for event_type in topic.event_types or (None,)
        for sparse in (False, True)
    ]


def each_token() -> Iterator[Record]:
    """Every token in every field of two topics, and every junk around them."""
    for topic in (SHELF, POS):
        record = plain(topic)
        value = record.value or b""
        for junk in JUNK:
            yield framed(topic, value + junk, reference(topic, value))
            yield framed(topic, junk + value, reference(topic, value))
            for extra in (b',"unknown":"%s"}' % junk, b',"%s":1}' % junk):
                yield framed(topic, value[:-1] + extra, reference(topic, value))
        for field in topic.fields:
            for token in TOKENS:
                extra = f',"{field.name}":{token}}}'.encode()
                yield framed(topic, value[:-1] + extra, reference(topic, value))


def each_edge_of_time() -> Iterator[Record]:
    """The first day of the contract and the day before it, in every date and time of every topic."""
    rest = {DATE: "", TIMESTAMP: "T00:00:00Z"}
    for topic in TOPICS:
        record = plain(topic)
        value = record.value or b""
        for field in (f for f in topic.fields if f.type in rest):
            for day in ("0000-12-31", "0001-01-01"):
                told = orjson.loads(value) | {field.name: day + rest[field.type]}
                yield framed(topic, orjson.dumps(told), reference(topic, value))


def each_disagreement() -> Iterator[Record]:
    """What values that stand in two places do not agree on."""
    for topic in TOPICS:
        record = plain(topic)
        told = orjson.loads(record.value or b"")
        for name, _ in topic.equal:
            yield framed(topic, orjson.dumps({**told, name: "S2"}), told)
        for later, earlier, days in topic.within:
            first = date.fromisoformat(told[earlier])
            for passed in (-1, 0, 1, days, days + 1, 3650):
                day = (first + timedelta(days=passed)).isoformat()
                for time in ("00:00:00Z", "00:00:00.001Z", "23:59:59.999999Z"):
                    yield framed(topic, orjson.dumps({**told, later: f"{day}T{time}"}), told)
        for name, inner in topic.unique:
            line = told[name][0]
            for numbers in ((1, 1), (1, 2), (1, 2, 1), (-1, 0, 1), (2, 2, 2), ()):
                lines = [{**line, inner: number} for number in numbers]
                yield framed(topic, orjson.dumps({**told, name: lines}), told)
        for version in (b"7", b"8", b"07", b"+7", b" 7", b"7.0", b"", b"\xff", b"9" * 30):
            headers = (("version", version), ("producer", topic.owner.encode()))
            for value in (record.value, None) if topic.compacted else ():
                yield replace(record, value=value, headers=headers)


def each_long_list() -> Iterator[Record]:
    """Lists of as many elements as may be, of one more, and of one that is too long itself."""
    for topic in TOPICS:
        value = orjson.loads(plain(topic).value or b"")
        for field in (f for f in topic.fields if isinstance(f.type, ListOf)):
            one, most = value[field.name][0], field.most or 0
            texts: list[Any] = [f"L{n}" for n in range(most + 1)]
            lines = [{**one, "line": n} for n in range(most + 1)] if nested(field) else texts
            long = [{**one, "item_id": "x" * 257}] if nested(field) else ["x" * 257]
            for elements in (lines[:-1], lines, long, [*lines[:9], *long]):
                told = {**value, field.name: elements}
                yield framed(topic, orjson.dumps(told), told)
