"""Kafka records as Spark's source gives them: valid messages of every topic, and what spoils them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts.model import nested
from lakeshelf.contracts.types import DATE
from lakeshelf.contracts.validate import check, parse
from tests.contracts.cases import example

VERSION = re.compile("[0-9]{1,18}")
BEYOND_DOUBLE = re.compile(rb"-?(1e400|10{400})")
JUNK = (
    b"}",
    b"]",
    b"]}",
    b"},",
    b" ",
    b"\n",
    b"x",
    b"{}",
    b'"',
    b",",
    b"\xff",
    b"\x00",
    b"\xef\xbb\xbf",
    b"[",
    b"'",
)
TOKENS = (
    "null", "true", "false", "0", "-0", "1", "2", "2.0", "2e0", "5E3", "1.5e-7", "01", "+1", "1.", ".5",
    "-1", "10000000", "10000001", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "123456789012345678901234567890", "9999999999.99", "9999999999.995", "1e400", "-1e400", "1" + "0" * 400,
    "NaN", "Infinity", "-Infinity", "nan", "0x10", "1d",
    '""', '" "', '"2"', '"2.0"', '"true"', '"null"', '"NaN"', '"Infinity"', '"abc"', '"é😀"',
    '"\\ud800"', '"\\u0000"', '"a\\nb"', '"a}b"', '"a{b"', '"[{"', '"}]}"', '"a\x01b"', '"\u2028"', '"S1\u2028"',
    "[]", "{}", "[1]", '["x"]', '["\u2028"]', "[null]", "[{}]", '{"a":1}', '{"a":"\u2028"}', "[" * 2000 + "]" * 2000,
    "[" * 300 + "]" * 300, '{"a":' * 900 + "1" + "}" * 900, "[" * 50_000 + "]" * 50_000, "[" * 50_000,
    f'"{"x" * 256}"', f'"{"x" * 257}"', f'"{"é" * 1024}"', f'"{"😀" * 1025}"', "9" * 50_000, f'"{"x" * 50_000}"',
    "'x'", "x", "", "/*c*/1",
    '"2017-01-31"', '"2017-02-30"', '"2017-1-1"', '"0000-01-01"', '"0001-01-01"', '"9999-12-31"', '"10000-01-01"',
    '"1999-12-31T23:59:59Z"', '"2000-01-01T00:00:00Z"', '"2100-12-31T23:59:59.999Z"', '"2101-01-01T00:00:00Z"',
    '"2017-01-31T08:00:00"', '"2017-01-31T08:00:00+01:00"', '"2017-01-31T08:00:00.1234567Z"',
    '"2017-01-31T24:00:00Z"', '"2017-01-31T23:59:60Z"', '"2017-01-31T08:00Z"', '"2017-01-31 08:00:00Z"',
    '"0000-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"', '"2017-01-31T08:00:00Z\\n"', '"2017-01-31T08:00:00Z\u2028"',
    '"2017-01-31\u2028"', '"2017-01-31T08:00:00z"', '"open"', '"store"', '"system"',
)  # fmt: skip
"""JSON texts that may stand where a value should."""


@dataclass(frozen=True)
class Record:
    """A record of a topic."""

    topic: str
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def contract(self) -> Topic:
        """The contract of its topic."""
        return CATALOG.topics[self.topic]

    def header(self, name: str) -> str | None:
        """First header of a name, as text."""
        return next((v.decode(errors="replace") for k, v in self.headers if k == name), None)

    @property
    def valid(self) -> bool:
        """Whether the reference validator and the rules of compacted topics accept the record."""
        topic = self.contract
        if topic.compacted:
            if self.header("producer") != topic.owner or self.key is None:
                return False
            if self.value is None:
                told = self.header("version") or ""
                return self._key_whole and VERSION.fullmatch(told) is not None
        if check(topic, self.value, self.key) is not None:
            return False
        told = self.header("version") if topic.compacted and self.value is not None else None
        return told is None or told == str(parse(topic, self.value or b"")["version"])

    @property
    def _key_whole(self) -> bool:
        topic = self.contract
        if self.key in (None, b"", b"\xff"):
            return False
        assert self.key is not None
        if topic.fixed_key:
            return self.key == topic.fixed_key.encode()
        fields = {field.name: field.type for field in (*topic.key_only, *topic.fields)}
        undated = DATE in map(fields.get, topic.key) and not self.key.endswith(b"::2017-01-31")
        return len(topic.key) == 1 or (len(self.key.split(b"::")) == len(topic.key) and not undated)

    @property
    def tamed(self) -> Record:
        """The record with small numbers where it had some beyond DOUBLE."""
        value = None if self.value is None else BEYOND_DOUBLE.sub(b"1", self.value)
        return replace(self, value=value)


def records_table(found: Iterable[Record]) -> pa.Table:
    """Records as the columns of Spark's Kafka source; the offset is the place in the list."""
    header = pa.struct([("key", pa.string()), ("value", pa.binary())])
    rows = [
        {
            "topic": r.topic,
            "partition": 0,
            "offset": i,
            "timestamp": datetime(2017, 6, 1, tzinfo=UTC),
            "key": r.key,
            "value": r.value,
            "headers": [{"key": k, "value": v} for k, v in r.headers],
        }
        for i, r in enumerate(found)
    ]
    schema = pa.schema(
        [
            ("topic", pa.string()),
            ("partition", pa.int32()),
            ("offset", pa.int64()),
            ("timestamp", pa.timestamp("us", tz="UTC")),
            ("key", pa.binary()),
            ("value", pa.binary()),
            ("headers", pa.list_(header)),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def received_table(found: Iterable[Record]) -> pa.Table:
    """Records in the columns in which the driver takes them."""
    rows = [
        {
            "topic": record.topic,
            "kafka_partition": 0,
            "kafka_offset": number,
            "kafka_timestamp": datetime(2017, 6, 1, tzinfo=UTC),
            "original_key": record.key,
            "original_value": record.value,
            "producer": record.header("producer"),
            "header_version": record.header("version"),
        }
        for number, record in enumerate(found)
    ]
    schema = pa.schema(
        [
            ("topic", pa.string()),
            ("kafka_partition", pa.int64()),
            ("kafka_offset", pa.int64()),
            ("kafka_timestamp", pa.timestamp("us", tz="UTC")),
            ("original_key", pa.binary()),
            ("original_value", pa.binary()),
            ("producer", pa.string()),
            ("header_version", pa.string()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def plain(topic: Topic, event_type: str | None = None, *, sparse: bool = False) -> Record:
    """A valid record of a topic, as its owner sends it; sparse ones leave out what they may."""
    message = example(topic, event_type)
    if sparse:
        needed = {
            n for rule in topic.rules if event_type in rule.event_types for n in rule.required
        }
        message = {n: v for n, v in message.items() if topic.field(n).required or n in needed}
    return framed(topic, orjson.dumps(message), message)


def framed(topic: Topic, value: bytes | None, message: dict[str, Any]) -> Record:
    """A record with the key and headers that belong to a message."""
    names = {**message, **{f.name: f"{f.name}-1" for f in topic.key_only}}
    version = str(message.get("version", 7)).encode()
    headers = (("version", version), ("producer", topic.owner.encode())) if topic.compacted else ()
    return Record(topic.name, value, topic.key_of(names).encode(), headers)


def generated(number: int) -> list[Record]:
    """Records of all topics, most of them spoiled in one or two ways."""
    found: list[Record] = []

    @settings(max_examples=number, phases=[Phase.generate], database=None, deadline=None)
    @given(spoiled())
    def collect(record: Record) -> None:
        found.append(record)

    collect()
    return found


@st.composite
def spoiled(draw: st.DrawFn) -> Record:
    """A valid record that was changed."""
    topic = CATALOG.topics[draw(st.sampled_from(sorted(CATALOG.topics)))]
    message = example(topic, draw(st.sampled_from(topic.event_types or (None,))))
    parts = [(name, orjson.dumps(value).decode()) for name, value in message.items()]
    for _ in range(draw(st.sampled_from((1, 1, 1, 2)))):
        parts = draw(_edited(topic, parts))
    record = framed(topic, _joined(parts), message)
    return draw(st.one_of(st.just(record), st.just(record), _broken(record), _misplaced(record)))


def _joined(parts: list[tuple[str, str]]) -> bytes:
    return ("{" + ",".join(f'"{name}":{value}' for name, value in parts) + "}").encode()


@st.composite
def _edited(draw: st.DrawFn, topic: Topic, parts: list[tuple[str, str]]) -> list[tuple[str, str]]:
    where = draw(st.integers(0, max(len(parts) - 1, 0)))
    token = draw(st.sampled_from(TOKENS))
    name, value = parts[where]
    edits: dict[str, Callable[[], list[tuple[str, str]]]] = {
        "replace": lambda: [*parts[:where], (name, token), *parts[where + 1 :]],
        "drop": lambda: [*parts[:where], *parts[where + 1 :]] if len(parts) > 1 else parts,
        "twice": lambda: [*parts, (name, token)],
        "twice before": lambda: [(name, token), *parts],
        "escape": lambda: [*parts[:where], (_escaped(name), value), *parts[where + 1 :]],
        "unknown": lambda: [*parts[:where], ("unknown", token), *parts[where:]],
        "move": lambda: [*parts[:where], *parts[where + 1 :], parts[where]],
        "nested": lambda: [draw(_nested_edit(topic, part)) for part in parts],
    }
    return edits[draw(st.sampled_from(sorted(edits)))]()


def _escaped(name: str) -> str:
    return name.replace("_", "\\u005f", 1) if "_" in name else f"\\u{ord(name[0]):04x}{name[1:]}"


@st.composite
def _nested_edit(draw: st.DrawFn, topic: Topic, part: tuple[str, str]) -> tuple[str, str]:
    known = {f.name: nested(f) for f in topic.fields}
    fields = known.get(part[0], ())
    if not fields:
        return part
    line = [
        (f.name, orjson.dumps(v).decode())
        for f, v in zip(fields, _line(topic, part[0]).values(), strict=True)
    ]
    other = [(n, "2") if (part[0], n) in topic.unique else (n, v) for n, v in line]
    where = draw(st.integers(0, len(line) - 1))
    token = draw(st.sampled_from(TOKENS))
    edited = [*other[:where], (other[where][0], token), *other[where + 1 :]]
    if draw(st.booleans()):
        edited = [*other[:where], *other[where + 1 :]]
    return part[0], f"[{_joined(line).decode()},{_joined(edited).decode()}]"


def _line(topic: Topic, name: str) -> dict[str, Any]:
    line: dict[str, Any] = example(topic)[name][0]
    return line


@st.composite
def _broken(draw: st.DrawFn, record: Record) -> Record:
    value = record.value or b""
    where = draw(st.integers(0, len(value)))
    junk = draw(st.sampled_from(JUNK))
    ways = {
        "cut": value[:where],
        "insert": value[:where] + junk + value[where:],
        "append": value + junk,
        "prepend": junk + value,
        "list": b"[" + value + b"]",
        "two": value + value,
        "two in a list": b"[" + value + b"," + value + b"]",
        "utf-16": value.decode(errors="replace").encode("utf-16-be"),
        "single quotes": value.replace(b'"', b"'"),
        "closed again": value + value[-2:],
        "one more field": value + b',"x":{}}',
        "empty": b"",
    }
    return replace(record, value=ways[draw(st.sampled_from(sorted(ways)))])


@st.composite
def _misplaced(draw: st.DrawFn, record: Record) -> Record:
    topic = record.contract
    producer = draw(st.sampled_from((topic.owner, topic.owner, "someone", "\xff", None)))
    version = draw(st.sampled_from((b"7", b"7", b"8", b"07", b"x", None)))
    headers = [("version", version), ("producer", producer.encode("latin-1") if producer else None)]
    return replace(
        record,
        value=draw(st.sampled_from((None, record.value))),
        key=draw(st.sampled_from((record.key, record.key, None, b"", b"\xff", b"other", b"a::b"))),
        headers=tuple((k, v) for k, v in headers if v is not None) if topic.compacted else (),
    )
