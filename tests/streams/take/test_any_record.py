"""Whatever the broker takes is a row or is refused: depth, size, bytes, keys and headers of any kind."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.messages import derived_id
from lakeshelf.contracts.types import ID_LENGTH
from lakeshelf.lake.form.commits import Txn
from lakeshelf.lake.rows import tables
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.declare import intake, sql
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.decode import decode, records_of
from lakeshelf.streams.take.refusal import Refused, judge
from tests.contracts.cases import example
from tests.streams.messages import Record, framed, received_table

TOPICS = tuple(CATALOG.topics.values())
MOST = 900_000
"""About as much as fits into a record."""
LIBRDKAFKA_MAX_BYTES = 1_000_000
"""What a producer sends at most, unless it is told otherwise."""

sizes = st.one_of(st.integers(0, 2000), st.sampled_from((10_000, 65_536, 200_000, MOST)))
depths = st.one_of(st.integers(0, 1500), st.sampled_from((5_000, 20_000, 100_000, 400_000)))


@st.composite
def awkward(draw: st.DrawFn) -> bytes:
    """A JSON text, or what looks like one at first, that is deep, large or strange."""
    depth, size = draw(depths), draw(sizes)
    return draw(
        st.sampled_from(
            (
                b"[" * depth + b"]" * depth,
                b'{"a":' * depth + b"1" + b"}" * depth,
                b'[{"a":' * (depth // 2) + b"1" + b"}]" * (depth // 2),
                b"[" * depth,
                b'"' + b"x" * size + b'"',
                b'"' + rb"\"" * (size // 2) + b'"',
                b'"' + rb"\"" * (size // 2),
                b'"' + rb"\u0000" * (size // 6) + b'"',
                b'"' + b"\x00" * size + b'"',
                b'"\\ud800' + b"x" * size + b'"',
                b"9" * (size + 1),
                b"-1e" + b"9" * (size + 1),
                b"0." + b"0" * size + b"1",
                b"[1e400," + b'"' + rb"\"" * (size // 2),
                b"\xff" * size,
                b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(size // 20)) + b"}",
            )
        )
    )


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record whose value, key or headers are awkward somewhere."""
    topic = draw(st.sampled_from(TOPICS))
    message = example(topic, draw(st.sampled_from(topic.event_types or (None,))))
    value = draw(
        st.one_of(st.binary(max_size=300), awkward(), st.none(), _with_awkward_field(message))
    )
    record = framed(topic, value, message)
    key = draw(st.one_of(st.just(record.key), st.binary(max_size=20), awkward(), st.none()))
    headers = draw(
        st.one_of(st.just(record.headers), st.tuples(st.tuples(st.just("producer"), awkward())))
    )
    return Record(record.topic, value, key, headers)


@st.composite
def _with_awkward_field(draw: st.DrawFn, message: dict[str, Any]) -> bytes:
    parts = [(name.encode(), orjson.dumps(value)) for name, value in message.items()]
    name = draw(st.sampled_from((b"ignored", *(name for name, _ in parts))))
    kept = [part for part in parts if part[0] != name]
    held = [*kept, (name, draw(awkward()))]
    return b"{" + b",".join(b'"%s":%s' % part for part in held) + b"}"


DUCK = Duck()


def taken(found: list[Record]) -> tuple[dict[int, str], list[Refused]]:
    """Topics of the rows that records become, by offset, and those that are refused."""
    batch = decode(received_table(found), TOPICS)
    judgement = judge(DUCK.query(intake.SUSPECTS, batch=batch))
    rows: dict[int, str] = {}
    for topic in TOPICS:
        table = pa.concat_tables([records_of(topic, batch), judgement.rows(topic)])
        rows |= dict.fromkeys(table["kafka_offset"].to_pylist(), topic.name)
    return rows, judgement.refused


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(found=st.lists(records(), min_size=1, max_size=12))
def test_any_record_is_a_row_or_is_refused_with_a_message_that_fits(found: list[Record]) -> None:
    rows, refused = taken(found)
    assert rows.keys() | {r.offset for r in refused} == set(range(len(found)))
    assert len(rows) + len(refused) == len(found)
    for offset, record in enumerate(found):
        undecided = record.value is None or b"1e" in record.value  # see messages.Record, parse
        assert undecided or (offset in rows) == record.valid, record
    for r in refused:
        assert len(r.message()) + len(r.message_key() or b"") < LIBRDKAFKA_MAX_BYTES
        assert (r.key, r.value) == (found[r.offset].key, found[r.offset].value)


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1_000, 20_000, 100_000, 400_000])
def test_what_nests_in_a_field_that_nobody_reads_ends_no_process(depth: int) -> None:
    deep = b',"ignored":' + b"[" * depth + b"]" * depth + b"}"
    found = [
        framed(topic, orjson.dumps(example(topic))[:-1] + deep, example(topic)) for topic in TOPICS
    ]
    rows, refused = taken(found)
    assert sorted([*rows, *(r.offset for r in refused)]) == list(range(len(TOPICS)))
    assert {r.reason for r in refused} <= {"not_json"}


def test_a_large_refused_record_is_told_of_by_its_beginning_length_and_hash() -> None:
    key, value = b"k" * 5_000, b"{" + b"x" * MOST
    refused = Refused("alerts", 0, 7, datetime(2017, 6, 1, tzinfo=UTC), key, value, "not_json", "")
    told = orjson.loads(refused.message())
    assert (told["value_length"], told["key_length"]) == (len(value), len(key))
    assert told["value_sha256"] == hashlib.sha256(value).hexdigest()
    assert told["key_sha256"] == hashlib.sha256(key).hexdigest()
    assert (told["topic"], told["partition"], told["offset"]) == ("alerts", 0, 7)
    assert Refused.of(key, refused.whole()) == refused


def test_a_small_refused_record_is_told_whole() -> None:
    refused = Refused("alerts", 0, 7, datetime(2017, 6, 1, tzinfo=UTC), b"k", b"{", "not_json", "")
    assert Refused.of(refused.message_key(), refused.message()) == refused
    assert refused.message() == refused.whole()


@pytest.mark.parametrize("length", [ID_LENGTH - 1, ID_LENGTH, ID_LENGTH + 1, 5 * ID_LENGTH])
def test_derived_ids_fit_and_are_the_same_in_sql_and_python(length: int) -> None:
    ids = pa.table({"id": ["é" * length, "x" * length + "1", "x" * length + "2"]})
    found = DUCK.query(f"SELECT {sql.derived_id('id')} AS derived FROM {{ids}}", ids=ids)
    derived = found["derived"].to_pylist()
    assert derived == [derived_id(id_) for id_ in ids["id"].to_pylist()]
    assert max(map(len, derived)) <= ID_LENGTH
    assert len(set(derived)) == 3


@pytest.mark.parametrize("between", ["\x1f", "::", "\x00", ""])
def test_keys_that_read_alike_when_they_are_joined_are_two_rows(
    tmp_path: Path, between: str
) -> None:
    name = "cleansed/shelf_batch_state"
    tables.ensure(tmp_path, CATALOG.tables[name])
    lots = [("a" + between + "b", "c"), ("a", "b" + between + "c"), ("a", "c")]
    for number, (shelf, lot) in enumerate(lots):
        committer = DriverCommitter(tmp_path, 0)
        schema = arrow.schema(CATALOG.tables[name].columns)
        row = dict.fromkeys(schema.names) | {"shelf_id": shelf, "batch_code": lot}
        committer.upsert(name, pa.Table.from_pylist([row], schema), Txn("test", number)).result()
    kept = tables.rows(tmp_path, name, ["shelf_id", "batch_code"]).to_pylist()
    assert sorted((row["shelf_id"], row["batch_code"]) for row in kept) == sorted(set(lots))
