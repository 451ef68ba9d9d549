"""Refusals: what the fast path was not sure of is judged here, record by record, by the contract."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow as pa
from confluent_kafka import Message
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG, LONG, Topic, values
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts.layers import Raw
from lakeshelf.contracts.messages import SCHEMA_VERSION
from lakeshelf.contracts.model import EVENT_YEARS, KEY_SEPARATOR
from lakeshelf.contracts.validate import UNPROCESSABLE, check, over_length, parse
from lakeshelf.lake.place.location import Place
from lakeshelf.lake.rows import reading, tables
from lakeshelf.streams.declare import intake

QUARANTINE = Raw.QUARANTINE
NOT_OWNER, MISSING = "not_owner", "missing_field"
MISTYPED, TOO_LONG, IMPOSSIBLE = "wrong_type", "too_long", "impossible_value"
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
DETAIL_LENGTH = 500
FIRST_EVENT_TIME = datetime(EVENT_YEARS[0], 1, 1, tzinfo=UTC)
LAST_EVENT_TIME = datetime(EVENT_YEARS[1], 12, 31, 23, 59, 59, tzinfo=UTC)
VALUE_BYTES, KEY_BYTES = 64 * 1024, 1024
"""What a message of the topic `quarantine` holds of a record's value and key."""
PLACE = ("topic", "partition", "offset", "kafka_timestamp")
"""Where a refused record stood; the time tells it from a record of a broker that was set up anew."""


@dataclass(frozen=True)
class Refused:
    """One record that does not enter: where it is, what it holds, why."""

    topic: str
    partition: int
    offset: int
    kafka_timestamp: datetime
    key: bytes | None
    value: bytes | None
    reason: str
    detail: str

    def message(self) -> bytes:
        """Value of the topic `quarantine`; a large record is cut, with length and hash of the whole."""
        cut = {
            **_cut("value", self.value, VALUE_BYTES),
            **_cut("key", self.key, KEY_BYTES),
        }
        return self._message(self.value and self.value[:VALUE_BYTES], cut)

    def message_key(self) -> bytes | None:
        """Key of that message."""
        return self.key and self.key[:KEY_BYTES]

    def whole(self) -> bytes:
        """The value of the message with nothing cut, for a journal."""
        return self._message(self.value, {})

    def _message(self, value: bytes | None, cut: dict[str, Any]) -> bytes:
        fields = {
            "event_id": f"{self.topic}:{self.partition}:{self.offset}",
            "event_type": "refused",
            "event_time": _event_time(self.kafka_timestamp),
            "schema_version": SCHEMA_VERSION,
            "topic": self.topic,
            "partition": self.partition,
            "offset": self.offset,
            "reason": self.reason,
            "detail": self.detail,
            "value": None if value is None else base64.b64encode(value).decode(),
            **cut,
        }
        return orjson.dumps(fields, option=orjson.OPT_UTC_Z)

    @classmethod
    def of(cls, key: bytes | None, message: bytes | str) -> Refused:
        """The refusal in a message in which nothing is cut."""
        fields = orjson.loads(message)
        return cls(
            fields["topic"],
            fields["partition"],
            fields["offset"],
            datetime.fromisoformat(fields["event_time"]),
            key,
            None if fields["value"] is None else base64.b64decode(fields["value"]),
            fields["reason"],
            fields["detail"],
        )


@dataclass
class Judgement:
    """Suspects, judged: rows that are valid after all by topic, and refusals."""

    valid: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)

    def rows(self, topic: Topic) -> pa.Table:
        """Rescued rows of a topic in the shape of its relation."""
        schema = intake.schema(topic)
        rows = [
            {name: row.get(name) for name in schema.names} for row in self.valid.get(topic.name, ())
        ]
        return pa.Table.from_pylist(rows, schema=schema)


def judge(suspects: pa.Table) -> Judgement:
    """Ask the reference validator about each suspect.

    Args:
        suspects: Columns of `lakeshelf.streams.declare.intake.SUSPECTS`, values as they came.
    """
    judgement = Judgement()
    for record in suspects.to_pylist():
        topic = CATALOG.topics[record["topic"]]
        refusal = _refusal(topic, record)
        if refusal is None:
            judgement.valid.setdefault(topic.name, []).append(_row(topic, record))
        else:
            judgement.refused.append(refuse(record, *refusal))
    return judgement


def _event_time(appended: datetime) -> datetime:
    """The time of append as an event may tell it: on a topic that keeps producers' times it may be any."""
    return min(max(appended.astimezone(UTC), FIRST_EVENT_TIME), LAST_EVENT_TIME)


def _cut(part: str, whole: bytes | None, longest: int) -> dict[str, Any]:
    if whole is None or len(whole) <= longest:
        return {}
    return {f"{part}_length": len(whole), f"{part}_sha256": hashlib.sha256(whole).hexdigest()}


def accepted(message: Message) -> dict[str, Any] | None:
    """The row that a record becomes, as a consumer gets it; None of one that is refused."""
    topic = CATALOG.topics[str(message.topic())]
    record = {
        "key": message.key(),
        "value": message.value(),
        "producer": header(message, "producer"),
        "header_version": header(message, "version"),
        "kafka_partition": message.partition(),
        "kafka_offset": message.offset(),
        "kafka_timestamp": None,
    }
    return None if _refusal(topic, record) else _row(topic, record)


def header(message: Message, name: str) -> str | None:
    """The first header of a name, as text."""
    value = next((pair[1] for pair in message.headers() or () if pair[0] == name), None)
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def refuse(record: dict[str, Any], reason: str, detail: str) -> Refused:
    """A refusal of a record that has the position columns of the batch, `key` and `value`."""
    return Refused(
        record["topic"],
        record["kafka_partition"],
        record["kafka_offset"],
        record["kafka_timestamp"],
        record["key"],
        record["value"],
        reason,
        detail[:DETAIL_LENGTH],
    )


def quarantine_rows(refused: list[Refused], ingested_at: datetime) -> pa.Table:
    """Rows of raw/quarantine."""
    schema = arrow_contract.schema(CATALOG.tables[QUARANTINE].columns)
    return pa.Table.from_pylist(
        [{**vars(r), "ingested_at": ingested_at} for r in refused], schema=schema
    )


def without_held(rows: pa.Table, quarantine: DeltaTable) -> pa.Table:
    """Those rows of raw/quarantine that it does not hold yet: a topic may be read again from its beginning."""
    topics, offsets = rows["topic"].unique().to_pylist(), rows["offset"].to_pylist()
    bounds = [("offset", ">=", min(offsets)), ("offset", "<=", max(offsets))]
    held = reading.rows(quarantine, QUARANTINE, PLACE, [("topic", "in", topics), *bounds])
    known = set(_places(held))
    return rows.filter(pa.array([place not in known for place in _places(rows)], pa.bool_()))


def isolated(root: Place, topic: str) -> frozenset[tuple[Any, ...]]:
    """Partition, offset and Kafka timestamp of the records of a topic that were isolated.

    A raw table may hold such a record, if it was committed before a later step failed; it counts as
    refused all the same.
    """
    where = [("topic", "=", topic), ("reason", "=", UNPROCESSABLE)]
    rows = tables.rows(root, QUARANTINE, PLACE[1:], where=where)
    return frozenset(zip(*(rows[name].to_pylist() for name in PLACE[1:]), strict=True))


def _places(rows: pa.Table) -> Iterator[tuple[Any, ...]]:
    return zip(*(rows[name].to_pylist() for name in PLACE), strict=True)


def _refusal(topic: Topic, record: dict[str, Any]) -> tuple[str, str] | None:
    if topic.compacted and record["producer"] != topic.owner:
        return NOT_OWNER, f"producer {record['producer']!r}, owner {topic.owner!r}"
    for name in ("key", *(() if record["value"] is not None else ("header_version",))):
        if topic.compacted and record[name] is None:
            return MISSING, f"{name} is missing"
    if record["value"] is None and topic.compacted:
        return _key_refusal(topic, record["key"]) or _version_refusal(record["header_version"])
    refused = check(topic, record["value"], record["key"])
    if refused is not None:
        return refused.reason, refused.detail
    header_version = record["header_version"] if topic.compacted else None
    if header_version is None:
        return None
    return _disagreement(header_version, parse(topic, record["value"])["version"])


def _version_refusal(header_version: str) -> tuple[str, str] | None:
    """Why the version of a tombstone, which only its header has, cannot be."""
    if WHOLE_NUMBER.fullmatch(header_version) and values.is_of(LONG, int(header_version)):
        return None
    return MISTYPED, f"header version = {header_version!r} is not {LONG}"


def _disagreement(header_version: str, version: int) -> tuple[str, str] | None:
    if header_version == str(version):
        return None
    return IMPOSSIBLE, f"header version = {header_version!r} is not version = {version}"


def _key_refusal(topic: Topic, key: bytes) -> tuple[str, str] | None:
    """Why the key of a tombstone, which no value confirms, cannot be."""
    if not key:
        return MISSING, "key is empty"
    try:
        named = _keys(topic, key)
    except ValueError:
        return MISTYPED, f"key {key!r} is not that of {topic.name}"
    if not all(part != "" for part in named.values()):
        return MISSING, f"key {key!r} lacks a part"
    texts = {name: part for name, part in named.items() if isinstance(part, str)}
    excess = filter(None, (over_length(topic.field(name), part) for name, part in texts.items()))
    return next(((TOO_LONG, f"key: {detail}") for detail in excess), None)


def _keys(topic: Topic, key: bytes) -> dict[str, Any]:
    """Values of the key columns.

    Raises:
        ValueError: It is not UTF-8, has too few or too many parts, or one of another type.
    """
    text = key.decode("utf-8")
    if topic.fixed_key:
        if text != topic.fixed_key:
            raise ValueError(text)
        return {}
    parts = text.split(KEY_SEPARATOR) if len(topic.key) > 1 else [text]
    named = zip(topic.key, parts, strict=True)
    return {name: values.read(topic.field(name).type, part) for name, part in named}


def _row(topic: Topic, record: dict[str, Any]) -> dict[str, Any]:
    position = {f.name: record[f.name] for f in intake.POSITION}
    if not topic.compacted:
        return {**parse(topic, record["value"]), **position}
    in_value = record["value"] is not None and not topic.key_only
    keys = {} if in_value else _keys(topic, record["key"])
    value = (
        {"version": int(record["header_version"])}
        if record["value"] is None
        else parse(topic, record["value"])
    )
    return {**keys, **value, **position, "deleted": record["value"] is None}
