"""The fast path: what it accepts the reference validator accepts too, and together they lose nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pytest
from chispa import assert_df_equality

from lakeshelf.contracts import CATALOG, DATE, TIMESTAMP, ListOf
from lakeshelf.contracts.model import KEY_SEPARATOR, nested
from lakeshelf.contracts.validate import parse as reference
from lakeshelf.contracts.values import read
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.decode import decode
from lakeshelf.streams.take.parse import parse, received
from lakeshelf.streams.take.refusal import Judgement, judge

from .messages import JUNK, TOKENS, Record, framed, generated, plain, records_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow

TOPICS = tuple(CATALOG.topics.values())
SHELF = CATALOG.topics["shelf_events"]
POS = CATALOG.topics["pos_transactions"]
GENERATED = 3000


def parsed(spark: SparkSession, engine: str, found: list[Record]) -> pa.Table:
    records = spark.createDataFrame(records_table(found))
    if engine == "spark":
        return parse(records, TOPICS).toArrow()
    return decode(Duck(), received(records, TOPICS).toArrow(), TOPICS).sort_by("kafka_offset")


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


@pytest.fixture(scope="module")
def corpus() -> list[Record]:
    fixed = [
        *every_plain(),
        *each_token(),
        *each_edge_of_time(),
        *each_disagreement(),
        *each_long_list(),
    ]
    return [*fixed, *generated(GENERATED)]


@pytest.fixture(scope="module", params=["spark", "duckdb"])
def batch(spark: SparkSession, corpus: list[Record], request: pytest.FixtureRequest) -> pa.Table:
    """The corpus as each engine parses it."""
    found = parsed(spark, request.param, corpus)
    assert found["kafka_offset"].to_pylist() == list(range(len(corpus)))
    return found


@pytest.fixture(scope="module")
def judgement(batch: pa.Table) -> Judgement:
    return judge(Duck().query(intake.SUSPECTS, batch=batch))


def test_the_fast_path_accepts_nothing_that_the_contract_refuses(
    batch: pa.Table, corpus: list[Record]
) -> None:
    suspect = batch["suspect"].to_pylist()
    assert None not in suspect
    accepted = [record for record, doubt in zip(corpus, suspect, strict=True) if not doubt]
    wrong = [record for record in accepted if not record.tamed.valid]
    assert not wrong, f"{len(wrong)} accepted, for example {wrong[:5]}"


def test_numbers_beyond_double_pass_only_where_they_do_not_count(
    batch: pa.Table, corpus: list[Record]
) -> None:
    """The row must be that of the message with a small number in their place."""
    rows = batch.to_pylist()
    passed = [i for i, r in enumerate(corpus) if not rows[i]["suspect"] and not r.valid]
    for offset in passed:
        record = corpus[offset].tamed
        assert rows[offset][record.topic] == reference(record.contract, record.value or b""), record


def test_ordinary_messages_take_the_fast_path(batch: pa.Table, corpus: list[Record]) -> None:
    ordinary = len(every_plain())
    slow = {
        r.topic for r, s in zip(corpus, batch["suspect"].to_pylist()[:ordinary], strict=False) if s
    }
    lists_of_objects_may_differ = {"alerts", "daily_discounts"}
    assert slow <= lists_of_objects_may_differ


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_fast_and_rescued_rows_together_are_what_the_reference_reads(
    batch: pa.Table, judgement: Judgement, corpus: list[Record], topic: Any
) -> None:
    text = intake.relation(topic, rescued=True)
    found = (
        Duck().query(text, batch=batch, rescued=judgement.rows(topic)).cast(intake.schema(topic))
    )
    rows = {row["kafka_offset"]: row for row in found.to_pylist()}
    suspect = batch["suspect"].to_pylist()
    accepted = {
        i: r if suspect[i] else r.tamed for i, r in enumerate(corpus) if r.topic == topic.name
    }
    valid = {i: r for i, r in accepted.items() if r.valid}
    assert rows.keys() == valid.keys()
    assert len(rows) == found.num_rows
    for offset, record in valid.items():
        row = {k: v for k, v in rows[offset].items() if not k.startswith("kafka_")}
        assert row == expected(record), record


def expected(record: Record) -> dict[str, Any]:
    topic = record.contract
    if not topic.compacted:
        return reference(topic, record.value or b"")
    assert record.key is not None
    text = record.key.decode()
    keys = [text] if len(topic.key) == 1 else text.split(KEY_SEPARATOR)
    named = dict(zip(topic.key, keys, strict=True)) if topic.key else {}
    named = {n: read(topic.field(n).type, v) for n, v in named.items()}
    if record.value is None:
        empty = dict.fromkeys(f.name for f in topic.fields)
        return {**empty, **named, "version": int(record.header("version") or 0), "deleted": True}
    return {**named, **reference(topic, record.value), "deleted": False}


def test_what_is_refused_keeps_its_bytes(
    batch: pa.Table, judgement: Judgement, corpus: list[Record]
) -> None:
    suspect = batch["suspect"].to_pylist()
    refused = {r.offset: (r.topic, r.key, r.value) for r in judgement.refused}
    kept = {
        i: (r.topic, r.key, r.value) for i, r in enumerate(corpus) if suspect[i] and not r.valid
    }
    assert refused == kept


def test_columns_of_a_parsed_batch(spark: SparkSession) -> None:
    good, bad = plain(SHELF, "pickup", sparse=True), framed(SHELF, b"{", {"shelf_id": "S1"})
    frame = parse(spark.createDataFrame(records_table([good, bad])), (SHELF,))
    found = frame.select(
        "topic", "kafka_offset", "key", "value", "suspect", "shelf_events.quantity"
    )
    rows = [
        ("shelf_events", 0, None, None, False, 7),
        ("shelf_events", 1, bytearray(b"S1"), bytearray(b"{"), True, None),
    ]
    wanted = spark.createDataFrame(rows, found.schema)
    assert_df_equality(found, wanted, ignore_nullable=True)


def test_a_batch_without_compacted_topics_needs_no_headers(spark: SparkSession) -> None:
    rows = records_table([plain(SHELF, "pickup")]).drop_columns(["headers"])
    found = parse(spark.createDataFrame(rows), (SHELF, POS)).toArrow()
    assert found["suspect"].to_pylist() == [False]
    assert found["pos_transactions"].to_pylist() == [None]


@pytest.mark.parametrize("engine", ["spark", "duckdb"])
def test_the_first_batch_of_an_empty_topic_has_no_rows(spark: SparkSession, engine: str) -> None:
    one = parsed(spark, engine, [plain(SHELF, "pickup")])
    nothing = parsed(spark, engine, [])
    assert (nothing.num_rows, nothing.column_names) == (0, one.column_names)
