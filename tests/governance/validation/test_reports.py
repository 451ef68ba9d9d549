"""What a report says: complete, by key, and what a change introduces apart from what was there."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.contracts.types import LONG, STRING, Decimal
from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.domain.findings import Finding
from lakeshelf.governance.validation import frame
from lakeshelf.governance.validation.judging import validated
from lakeshelf.governance.validation.remote import Worker
from tests.governance.validation.model import defined, found, judged, nothing_else, reading

POSITIVE = RowRule("positive", "between", ("a",), {"minimum": 0})
NUMBERS = defined({"a": LONG, "b": LONG}, POSITIVE)


def row(row_id: str, a: int | None, b: int | None = None) -> dict[str, Any]:
    return {"row_id": row_id, "a": a, "b": b}


def test_old_dirt_is_told_apart_from_what_a_change_introduces(worker: Worker) -> None:
    main = [row("old", -1), row("clean", 1), row("untouched", -9)]
    new = [row("inserted", -3), row("old", -1, 5), row("clean", -2)]
    report = judged(worker, NUMBERS, new, main)
    assert found(report) == {
        ("positive", "a", "old", False),
        ("positive", "a", "clean", True),
        ("positive", "a", "inserted", True),
    }
    assert report.introduced == {"error": 2}
    assert report.present == {"error": 1}
    assert report.blocked


def test_old_dirt_alone_does_not_block(worker: Worker) -> None:
    report = judged(worker, NUMBERS, [row("old", -1, 5)], [row("old", -1)])
    assert len([*report.findings]) == 1
    assert not report.blocked


def test_an_insert_that_lacks_a_value_is_not_excused_by_the_row_that_main_lacks(
    worker: Worker,
) -> None:
    definition = defined({"a": LONG}, RowRule("filled", "not_null", ("a",)))
    new = [{"row_id": "1", "a": None}, {"row_id": "2", "a": None}]
    report = judged(worker, definition, new, main=[{"row_id": "2", "a": None}])
    assert found(report) == {("filled", "a", "1", True), ("filled", "a", "2", False)}


@pytest.mark.parametrize(
    ("severity", "blocked"),
    [("info", False), ("warning", False), ("error", True), ("fatal", True)],
)
def test_errors_and_worse_block(worker: Worker, severity: Any, blocked: bool) -> None:
    rule = RowRule("positive", "between", ("a",), {"minimum": 0}, severity)
    report = judged(worker, defined({"a": LONG}, rule), [row("1", -1)])
    assert report.introduced == {severity: 1}
    assert report.blocked is blocked
    summary = report.summary()
    assert summary["introduced"] == {severity: 1}
    [told] = summary["rules"]
    assert (told["rule"], told["severity"], told["introduced"]) == ("positive", severity, 1)


def test_a_finding_has_key_value_and_the_sentence_that_does_not_hold(worker: Worker) -> None:
    rules = [
        RowRule("price", "between", ("price",), {"minimum": "0.10", "maximum": "9.99"}),
        RowRule("order", "compare", ("a", "b"), {"operator": "<"}, "warning"),
    ]
    definition = defined({"price": Decimal(12, 2), "a": LONG, "b": LONG}, *rules)
    new = pa.Table.from_pylist(
        [{"row_id": '["S1", "x"]', "a": 2**63 - 1, "b": 0}], definition.schema
    )
    price = pa.array(["0.09"]).cast(pa.decimal128(12, 2))
    new = new.set_column(1, definition.schema.field("price"), price)
    report = validated(
        "submit", definition, new, new.slice(0, 0), reading(new), nothing_else, worker
    )
    key, largest = '["S1", "x"]', str(2**63 - 1)
    assert [*report.findings] == [
        Finding("price", "error", key, "price", "0.09", "price must be from 0.10 to 9.99", True),
        Finding("order", "warning", key, "a", largest, "a must be < b", True),
    ]
    assert (report.point, report.definition, report.rows) == ("submit", 1, 1)


def test_an_expectation_that_raises_is_fatal(worker: Worker) -> None:
    """No definition that was checked has such a rule; that it raises is Great Expectations' own refusal."""
    impossible = RowRule("length", "length", ("code",), {"minimum": 5, "maximum": 1}, "info")
    definition = defined({"a": LONG, "b": LONG, "code": STRING}, impossible, POSITIVE)
    new = [{"row_id": "1", "a": -1, "code": "x"}, {"row_id": "2", "a": 1, "code": "y"}]
    failed, judged_too = judged(worker, definition, new).findings
    assert (failed.rule, failed.severity, failed.row_id, failed.introduced) == (
        "length",
        "fatal",
        None,
        True,
    )
    assert "min_value cannot be greater than max_value" in failed.message
    assert (judged_too.rule, judged_too.row_id) == ("positive", "1")


def test_only_rules_about_the_columns_that_are_asked_for_are_judged(worker: Worker) -> None:
    definition = defined({"a": LONG, "b": LONG}, POSITIVE, RowRule("b", "not_null", ("b",)))
    new = pa.Table.from_pylist([row("1", -1)], definition.schema)
    report = validated(
        "cell", definition, new, new.slice(0, 0), reading(new), nothing_else, worker, columns=["b"]
    )
    assert [finding.rule for finding in report.findings] == ["b"]


def test_frames_of_a_few_rows_say_what_one_frame_says(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    definition = defined({"a": LONG, "b": LONG}, POSITIVE, RowRule("once", "unique", ("b",)))
    main = [row(str(n), n % 3 - 1, n % 7) for n in range(20)]
    new = [row(str(n), n % 4 - 1, n % 5) for n in range(30, 5, -1)]
    whole = judged(worker, definition, new, main)
    monkeypatch.setattr(frame, "ROWS", 4)
    assert [*judged(worker, definition, new, main).findings] == [*whole.findings]
    assert len([*whole.findings]) > 20


@pytest.mark.parametrize("size", [100_000])
def test_very_many_bad_rows_are_all_named_by_key(worker: Worker, size: int) -> None:
    keys = [f"row {number}" for number in range(size)]
    bad = pa.nulls(size, pa.int64()).fill_null(-1)
    new = pa.table({"row_id": keys, "a": bad, "b": bad})
    report = validated("preview", NUMBERS, new, new.slice(0, 0), reading(new), nothing_else, worker)
    assert [finding.row_id for finding in report.findings] == keys
    assert report.introduced == {"error": size}


def test_nothing_is_found_where_there_is_no_rule_or_no_row(worker: Worker) -> None:
    without = defined({"a": LONG})
    assert [*judged(worker, without, [row("1", -1)]).findings] == []
    assert [*judged(worker, NUMBERS, [], [row("1", -1)], deleted=["1"]).findings] == []
