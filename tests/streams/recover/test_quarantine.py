"""Refused records: listed, counted, and sent back when they are corrected."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.validate import check
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.streams.recover import corrections, quarantine
from lakeshelf.streams.take.refusal import QUARANTINE, Refused, quarantine_rows
from tests.streams.harness import NOW
from tests.streams.messages import plain

SHELF = CATALOG.topics["shelf_events"]
GOOD = plain(SHELF, "pickup")
LATE = datetime(9999, 12, 31, tzinfo=UTC)
NOBODY = {"bootstrap.servers": "127.0.0.1:9", "log_level": "0"}


def refused(
    topic: str, offset: int, reason: str, value: bytes | None, key: bytes = b"S1"
) -> Refused:
    stamp = NOW + timedelta(seconds=offset)
    return Refused(topic, 0, offset, stamp, key, value, reason, f"detail {offset}")


HELD = (
    refused("shelf_events", 1, "not_json", b"{"),
    refused("shelf_events", 2, "not_json", b"\xff", key=b"\xfe"),
    refused("wh_events", 3, "wrong_type", b'{"quantity":"2"}'),
    refused("batch_catalog", 4, "not_owner", None),
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    tables.ensure(tmp_path, CATALOG.tables[QUARANTINE])
    handle = tables.open_table(tmp_path, QUARANTINE)
    writing.append(handle, QUARANTINE, quarantine_rows(list(HELD), NOW), Write.once(Txn("test", 0)))
    return tmp_path


def corrected(topic: str = "shelf_events", offset: int = 1, **values: Any) -> dict[str, Any]:
    return {"topic": topic, "partition": 0, "offset": offset, **values}


def test_the_newest_come_first(root: Path) -> None:
    found = quarantine.listed(root)
    assert [row["offset"] for row in found] == [4, 3, 2, 1]
    assert [row["offset"] for row in quarantine.listed(root, limit=2)] == [4, 3]


def test_a_topic_and_a_reason_narrow_the_list(root: Path) -> None:
    assert [r["offset"] for r in quarantine.listed(root, topic="shelf_events")] == [2, 1]
    assert [r["offset"] for r in quarantine.listed(root, reason="wrong_type")] == [3]
    assert quarantine.listed(root, topic="wh_events", reason="not_json") == []


def test_values_are_text_where_they_are_utf_8_else_base64(root: Path) -> None:
    by_offset = {row["offset"]: row for row in quarantine.listed(root)}
    assert (by_offset[1]["key"], by_offset[1]["value"]) == ("S1", "{")
    assert base64.b64decode(by_offset[2]["value_base64"]) == b"\xff"
    assert base64.b64decode(by_offset[2]["key_base64"]) == b"\xfe"
    assert by_offset[4]["value"] is None


def test_records_are_counted_by_reason(root: Path) -> None:
    assert quarantine.counted(root) == {"not_json": 2, "wrong_type": 1, "not_owner": 1}


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (corrected(offset=9, value="{}"), "holds no record 9 of shelf_events, partition 0"),
        (corrected(value="{"), "^record 1 of shelf_events, partition 0 is refused again: not_json"),
        (corrected(value="{}"), "is refused again: missing_field"),
        (corrected(), "is refused again"),
        (corrected("batch_catalog", 4, value="{}"), "has one owner, publisher"),
    ],
)
def test_what_cannot_go_back_is_told_and_nothing_is_sent(
    root: Path, record: dict[str, Any], told: str
) -> None:
    """The broker does not even answer: nothing is sent before all records are judged."""
    assert GOOD.value is not None
    good = corrected(offset=2, value=GOOD.value.decode())
    with pytest.raises(ConfigurationError, match=told):
        corrections.send(root, NOBODY, [good, record])


@pytest.mark.slow
def test_corrected_records_go_back_to_their_topic_with_their_key(
    root: Path, client: dict[str, str]
) -> None:
    from lakeshelf.kafka import topics
    from tests.streams.pipeline import consume

    assert GOOD.value is not None
    start = topics.end_offsets(client, ["shelf_events"])["shelf_events"]
    text = GOOD.value.decode()
    ready = [
        corrected(offset=1, value=text),
        corrected(offset=2, value_base64=base64.b64encode(GOOD.value).decode(), key="S1-I9"),
    ]
    assert corrections.send(root, client, ready) == 2
    found = consume(client, "shelf_events", start)
    assert sorted((r.key, r.value) for r in found) == [(b"S1", GOOD.value), (b"S1-I9", GOOD.value)]


def test_the_message_of_a_refusal_keeps_its_own_contract() -> None:
    for at in (datetime(2026, 3, 2, 9, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC), LATE):
        place = ("shelf_events", 1, 7, at)
        for value in (b"{", b"\xff", None):
            message = Refused(*place, b"S1", value, "not_json", "broken").message()
            assert check(CATALOG.topics["quarantine"], message) is None
