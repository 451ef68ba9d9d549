"""The fast path: what it accepts the reference validator accepts too, and together they lose nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from chispa import assert_df_equality

from lakeshelf.contracts import CATALOG, Topic
from lakeshelf.contracts.model import KEY_SEPARATOR
from lakeshelf.contracts.validate import parse as reference
from lakeshelf.contracts.values import read
from lakeshelf.streams.declare import intake
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.decode import decode, raw_rows, records_of
from lakeshelf.streams.take.parse import parse, received
from lakeshelf.streams.take.refusal import Judgement, judge
from tests.streams.corpus import POS, SHELF, TOPICS, adversarial, every_plain
from tests.streams.harness import NOW
from tests.streams.messages import Record, framed, generated, plain, received_table, records_table

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

GENERATED = 3000
COMMITTERS = ["driver", pytest.param("spark", marks=pytest.mark.slow)]


def parsed(request: pytest.FixtureRequest, committer: str, found: list[Record]) -> pa.Table:
    """Records as a committer parses them."""
    if committer == "driver":
        return decode(received_table(found), TOPICS).sort_by("kafka_offset")
    spark: SparkSession = request.getfixturevalue("spark")
    return parse(spark.createDataFrame(records_table(found)), TOPICS).toArrow()


@pytest.fixture(scope="module")
def corpus() -> list[Record]:
    return [*adversarial(), *generated(GENERATED)]


@pytest.fixture(scope="module", params=COMMITTERS)
def batch(corpus: list[Record], request: pytest.FixtureRequest) -> pa.Table:
    """The corpus as each committer parses it."""
    found = parsed(request, request.param, corpus)
    assert found["kafka_offset"].to_pylist() == list(range(len(corpus)))
    return found


@pytest.fixture(scope="module")
def judgement(batch: pa.Table) -> Judgement:
    return judge(Duck().query(intake.SUSPECTS, batch=batch))


@pytest.mark.slow
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


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_records_of_a_topic_are_those_that_its_relation_says(batch: pa.Table, topic: Topic) -> None:
    """The driver takes columns as they are; Spark's SQL says which ones."""
    schema = intake.schema(topic)
    said = Duck().query(intake.relation(topic, rescued=False), batch=batch).cast(schema)
    found = records_of(topic, batch)
    assert found.sort_by("kafka_offset").equals(said.sort_by("kafka_offset"))
    if f"raw/{topic.name}" in CATALOG.tables:
        rows = raw_rows(found, NOW)
        said = Duck().query(intake.raw_rows(topic), records=found, ingested_at=NOW)
        assert rows.equals(said.cast(rows.schema))


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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_batch_without_compacted_topics_needs_no_headers(spark: SparkSession) -> None:
    rows = records_table([plain(SHELF, "pickup")]).drop_columns(["headers"])
    found = parse(spark.createDataFrame(rows), (SHELF, POS)).toArrow()
    assert found["suspect"].to_pylist() == [False]
    assert found["pos_transactions"].to_pylist() == [None]


@pytest.mark.slow
def test_the_driver_receives_records_as_they_came(
    spark: SparkSession, corpus: list[Record]
) -> None:
    found = received(spark.createDataFrame(records_table(corpus)), TOPICS).toArrow()
    assert found.equals(received_table(corpus))


@pytest.mark.parametrize("committer", COMMITTERS)
def test_the_first_batch_of_an_empty_topic_has_no_rows(
    request: pytest.FixtureRequest, committer: str
) -> None:
    one = parsed(request, committer, [plain(SHELF, "pickup")])
    nothing = parsed(request, committer, [])
    assert (nothing.num_rows, nothing.column_names) == (0, one.column_names)
