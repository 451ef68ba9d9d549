"""Rules that need rows which are not in the change: uniqueness and references."""

from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.contracts.types import BINARY, BOOLEAN, DATE, DOUBLE, LONG, STRING, TIMESTAMP, Type
from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.validation.judging import validated
from lakeshelf.governance.validation.remote import Worker
from tests.governance.validation.model import WIDE, defined, found, judged, nothing_else, table

CODE = RowRule("one code", "unique", ("code",))
CODES = defined({"code": STRING}, CODE)
PLACE = RowRule("one place", "unique", ("store", "shelf"))
PLACES = defined({"store": STRING, "shelf": LONG}, PLACE)
SPARING = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)


def row(row_id: str, code: str | None) -> dict[str, Any]:
    return {"row_id": row_id, "code": code}


def wrong(*row_ids: str) -> set[tuple[str, str, str, bool]]:
    return {("one code", "code", row_id, True) for row_id in row_ids}


def test_new_rows_of_one_value_all_violate(worker: Worker) -> None:
    new = [row("1", "x"), row("2", "x"), row("3", "y")]
    assert found(judged(worker, CODES, new)) == wrong("1", "2")


def test_a_new_row_violates_that_has_a_value_of_main(worker: Worker) -> None:
    report = judged(worker, CODES, [row("9", "x")], main=[row("1", "x"), row("2", "y")])
    assert found(report) == wrong("9")


def test_a_value_is_free_once_its_row_is_deleted_or_changed(worker: Worker) -> None:
    main = [row("1", "x"), row("2", "y")]
    new = [row("9", "x"), row("2", "z"), row("8", "y")]
    assert found(judged(worker, CODES, new, main, deleted=["1"])) == set()
    assert found(judged(worker, CODES, new, main)) == wrong("9")


def test_rows_that_swap_their_values_violate_nothing(worker: Worker) -> None:
    main = [row("1", "x"), row("2", "y")]
    assert found(judged(worker, CODES, [row("1", "y"), row("2", "x")], main)) == set()


def test_a_row_that_was_double_before_is_no_new_violation(worker: Worker) -> None:
    main = [row("1", "x"), row("2", "x")]
    assert found(judged(worker, CODES, [row("1", "x")], main)) == {("one code", "code", "1", False)}


def test_nulls_are_not_alike_and_an_empty_text_is_a_value(worker: Worker) -> None:
    new = [row("1", None), row("2", None), row("3", ""), row("4", ""), row("5", "null")]
    assert found(judged(worker, CODES, new)) == wrong("3", "4")


def test_several_columns_are_unique_together_where_none_is_null(worker: Worker) -> None:
    places = [("a", 1), ("a", 2), ("b", 1), ("a", 1), ("a", None), ("a", None)]
    new = [{"row_id": str(n), "store": s, "shelf": i} for n, (s, i) in enumerate(places)]
    main = [{"row_id": "m", "store": "b", "shelf": 1}]
    found_in = {f.row_id for f in judged(worker, PLACES, new, main).findings}
    assert found_in == {"0", "2", "3"}


@pytest.mark.parametrize(
    ("type_", "same", "other"),
    [
        (DOUBLE, [0.0, -0.0], 1.0),
        (DOUBLE, [math.nan, -math.nan], math.inf),
        (LONG, [2**63 - 1, 2**63 - 1], 2**63 - 2),
        (WIDE, [Decimal(f"{'9' * 36}.99")] * 2, Decimal(f"{'9' * 36}.98")),
        (DATE, [date(9999, 12, 31)] * 2, date(1, 1, 1)),
        (
            TIMESTAMP,
            [datetime(2017, 1, 31, microsecond=1, tzinfo=UTC)] * 2,
            datetime(2017, 1, 31, microsecond=2, tzinfo=UTC),
        ),
        (STRING, ["é", "é"], "e\u0301"),
        (BINARY, [b"\0", b"\0"], b""),
        (BOOLEAN, [False, False], True),
    ],
    ids=str,
)
@pytest.mark.parametrize("columns", [("a",), ("a", "b")], ids=["one", "two"])
def test_values_occur_again_by_value(
    worker: Worker, type_: Type, same: list[Any], other: Any, columns: tuple[str, ...]
) -> None:
    definition = defined({"a": type_, "b": LONG}, RowRule("once", "unique", columns))
    new = [{"row_id": str(n), "a": value, "b": 1} for n, value in enumerate([same[0], other])]
    main = [{"row_id": "m", "a": same[1], "b": 1}]
    assert [f.row_id for f in judged(worker, definition, new, main).findings] == ["0"]


@SPARING
@given(
    before=st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("xyz") | st.none()),
    after=st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("xyz") | st.none()),
    deleted=st.sets(st.sampled_from("abcdef")),
)
def test_uniqueness_is_that_of_the_table_as_it_would_be(
    worker: Worker, before: dict[str, Any], after: dict[str, Any], deleted: set[str]
) -> None:
    gone = (deleted & set(before)) - set(after)
    then = {key: code for key, code in (before | after).items() if key not in gone}

    def double(codes: dict[str, Any]) -> set[str]:
        counts = Counter(codes.values())
        return {key for key, code in codes.items() if code is not None and counts[code] > 1}

    expected = {
        ("one code", "code", key, key not in double(before)) for key in double(then) & set(after)
    }
    rows = [row(key, code) for key, code in after.items()]
    main = [row(key, code) for key, code in before.items()]
    assert found(judged(worker, CODES, rows, main, [*gone])) == expected


STORE = RowRule(
    "known store", "references", ("store",), {"dataset": "stores", "column": "store_id"}
)
SHELVES = defined({"store": STRING}, STORE)


def stores(dataset: str, column: str) -> pa.RecordBatchReader:
    assert (dataset, column) == ("stores", "store_id")
    return pa.table({"store_id": ["S1", "S2", "S2", None]}).to_reader()


def test_a_value_has_to_be_in_the_other_dataset(worker: Worker) -> None:
    names = [("1", "S1"), ("2", "S2"), ("3", "S3"), ("4", None), ("5", "")]
    new = [{"row_id": key, "store": store} for key, store in names]
    main = [{"row_id": "5", "store": "gone"}]
    assert found(judged(worker, SHELVES, new, main, others=stores)) == {
        ("known store", "store", "3", True),
        ("known store", "store", "5", False),
    }


def test_a_cell_is_judged_without_the_table_and_the_report_says_by_what_it_was_not(
    worker: Worker,
) -> None:
    definition = defined({"code": STRING}, CODE, RowRule("filled", "not_null", ("code",)))
    report = judged(worker, definition, [row("1", None)], main=[row("2", "x")], point="cell")
    assert report.deferred == ("one code",)
    assert [f.rule for f in report.findings] == ["filled"]


def test_rows_that_cannot_be_read_are_a_refusal_and_no_verdict(worker: Worker) -> None:
    def torn() -> Any:
        yield pa.record_batch({"code": ["x"]})
        raise OSError("the disk is gone")

    new = table(CODES, [row("1", "x")])
    with pytest.raises(GovernanceError, match="the disk is gone") as refusal:
        validated(
            "merge",
            CODES,
            new,
            new.slice(0, 0),
            lambda _: pa.RecordBatchReader.from_batches(pa.schema({"code": pa.string()}), torn()),
            nothing_else,
            worker,
        )
    assert refusal.value.code == "storage_unavailable"
