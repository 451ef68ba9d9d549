"""Each kind of rule on each type that it takes, against the same rules in plain Python."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.contracts.types import DOUBLE, LONG, STRING, Type
from lakeshelf.governance.domain import values
from lakeshelf.governance.domain.definition import RowRule
from lakeshelf.governance.validation.kinds import SIGNS
from lakeshelf.governance.validation.remote import Worker
from tests.governance.validation import model
from tests.governance.validation.model import ALL, EDGES, MONEY, WIDE, defined, found, holds, judged

ORDERED = [type_ for type_ in EDGES if type_ != STRING]
SPARING = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)


def shown(type_: Type, value: Any) -> Any:
    return values.shown(model.column("a", type_), value)


def agrees(worker: Worker, types: dict[str, Type], rules: list[RowRule], rows: list[Any]) -> None:
    """Every finding is one of the model's, and the other way round."""
    named = [{"row_id": str(number), **row} for number, row in enumerate(rows)]
    expected = {
        (rule.name, rule.columns[0], row["row_id"], True)
        for rule in rules
        for row in named
        if not holds(rule, types, row)
    }
    assert found(judged(worker, defined(types, *rules), named)) == expected


@pytest.mark.parametrize("type_", ORDERED, ids=str)
def test_a_range_holds_for_the_values_in_it_and_at_its_bounds(worker: Worker, type_: Type) -> None:
    edges = [value for value in EDGES[type_] if value == value]  # noqa: PLR0124
    rules = [
        RowRule(f"{side} {n}", "between", ("a",), {side: shown(type_, bound)})
        for n, bound in enumerate(edges)
        for side in ("minimum", "maximum")
    ]
    both = {"minimum": shown(type_, edges[1]), "maximum": shown(type_, edges[-2])}
    rules.append(RowRule("both", "between", ("a",), both))
    agrees(worker, {"a": type_}, rules, [{"a": value} for value in [*EDGES[type_], None]])


@pytest.mark.parametrize("type_", [*ALL], ids=str)
def test_two_columns_of_a_row_are_compared_by_value(worker: Worker, type_: Type) -> None:
    operators = SIGNS if type_ in ORDERED else ["=", "!="]
    rules = [RowRule(f"a {op} b", "compare", ("a", "b"), {"operator": op}) for op in operators]
    pairs = [*ALL[type_], None]
    rows = [{"a": first, "b": second} for first in pairs for second in pairs]
    agrees(worker, {"a": type_, "b": type_}, rules, rows)


@pytest.mark.parametrize("type_", [*ALL], ids=str)
def test_a_set_holds_for_its_members_and_no_value_like_them(worker: Worker, type_: Type) -> None:
    edges = [*ALL[type_]]
    rules = [
        RowRule(f"in {n}", "in_set", ("a",), {"values": [shown(type_, value)]})
        for n, value in enumerate(edges)
    ]
    rules.append(RowRule("in all", "in_set", ("a",), {"values": [shown(type_, v) for v in edges]}))
    agrees(worker, {"a": type_}, rules, [{"a": value} for value in [*edges, None]])


@pytest.mark.parametrize("type_", [*ALL], ids=str)
def test_only_null_is_no_value(worker: Worker, type_: Type) -> None:
    rows = [{"a": value} for value in [*ALL[type_], None]]
    agrees(worker, {"a": type_}, [RowRule("filled", "not_null", ("a",))], rows)


def test_the_length_of_a_text_is_its_code_points(worker: Worker) -> None:
    rules = [
        RowRule("at most 1", "length", ("a",), {"maximum": 1}),
        RowRule("at least 1", "length", ("a",), {"minimum": 1}),
        RowRule("2", "length", ("a",), {"minimum": 2, "maximum": 2}),
    ]
    agrees(worker, {"a": STRING}, rules, [{"a": value} for value in [*EDGES[STRING], None]])


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("^a+$", {"a", "aa"}),  # no line end before `$`, as Python's would take it
        ("a", {"a", "aa", "a\n", "NaN"}),
        ("(?i)^a$", {"a", "A"}),
        ("^.$", {"a", "é", "😀", "A"}),
        ("^$", {""}),
        (r"\n", {"a\n"}),
    ],
)
def test_a_pattern_is_found_as_re2_finds_it(
    worker: Worker, pattern: str, matched: set[str]
) -> None:
    definition = defined({"a": STRING}, RowRule("shape", "regex", ("a",), {"pattern": pattern}))
    rows = [{"row_id": text or "empty", "a": text} for text in EDGES[STRING] if text != "null"]
    rows.append({"row_id": "null", "a": None})
    wrong = {row["row_id"] for row in rows if row["a"] is not None and row["a"] not in matched}
    assert {f.row_id for f in judged(worker, definition, rows).findings} == wrong


def test_a_pattern_that_drives_others_mad_answers(worker: Worker) -> None:
    definition = defined({"a": STRING}, RowRule("shape", "regex", ("a",), {"pattern": "(a+)+$"}))
    rows = [{"row_id": "1", "a": "a" * 30 + "b"}, {"row_id": "2", "a": "a" * 30}]
    assert [f.row_id for f in judged(worker, definition, rows).findings] == ["1"]


NUMBERS = {
    LONG: st.integers(-(2**63), 2**63 - 1),
    DOUBLE: st.floats(),
    MONEY: st.decimals(-(10**9), 10**9, places=2),
    WIDE: st.decimals(-(10**35), 10**35, places=2),
}


@SPARING
@given(data=st.data(), type_=st.sampled_from([*NUMBERS]))
def test_ranges_comparisons_and_sets_agree_with_plain_python(
    worker: Worker, data: st.DataObject, type_: Type
) -> None:
    numbers = NUMBERS[type_] | st.sampled_from(EDGES[type_])
    bound = numbers.filter(lambda value: value == value)  # noqa: PLR0124
    low, high = sorted([data.draw(bound), data.draw(bound)])
    bounds = {"minimum": shown(type_, low), "maximum": shown(type_, high)}
    allowed = [shown(type_, v) for v in data.draw(st.lists(numbers, min_size=1, max_size=4))]
    operator = data.draw(st.sampled_from([*SIGNS]))
    rules = [
        RowRule("range", "between", ("a", "b"), bounds),
        RowRule("order", "compare", ("a", "b"), {"operator": operator}),
        RowRule("set", "in_set", ("a",), {"values": allowed}),
        RowRule("filled", "not_null", ("b",)),
    ]
    cell = st.none() | numbers | st.sampled_from([low, high])
    pair = st.fixed_dictionaries({"a": cell, "b": cell})
    rows = data.draw(st.lists(pair, max_size=8))
    named = [{"row_id": str(number), **row} for number, row in enumerate(rows)]
    types = {"a": type_, "b": type_}
    expected = {
        (rule.name, name, row["row_id"], True)
        for rule in rules
        for name in (rule.columns if rule.kind != "compare" else ["a"])
        for row in named
        if not holds(_about(rule, name), types, row)
    }
    assert found(judged(worker, defined(types, *rules), named)) == expected


def _about(rule: RowRule, name: str) -> RowRule:
    return rule if rule.kind == "compare" else RowRule(rule.name, rule.kind, (name,), rule.params)
