"""Rules that cannot be judged are refused when a definition is saved, with every problem at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.types import (
    BOOLEAN,
    DATE,
    DOUBLE,
    LONG,
    STRING,
    TIMESTAMP,
    Decimal,
    Field,
    Type,
)
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.domain.definition import Column, Definition, RowRule, RuleKind
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.validation.definitions import checked, rule_problems
from lakeshelf.governance.validation.kinds import KINDS
from tests.governance.validation.model import column, defined

TYPES: Mapping[str, Type] = {
    "text": STRING,
    "text_2": STRING,
    "number": LONG,
    "number_2": LONG,
    "double": DOUBLE,
    "price": Decimal(12, 2),
    "day": DATE,
    "at": TIMESTAMP,
    "open": BOOLEAN,
}


def elsewhere(dataset: str, name: str) -> Column | None:
    known = {("stores", "store_id"): STRING, ("stores", "number"): LONG}
    return column(name, known[dataset, name]) if (dataset, name) in known else None


def problems(rule: RowRule) -> list[str]:
    return [*rule_problems(rule, {n: column(n, t) for n, t in TYPES.items()}, elsewhere)]


GOOD: list[tuple[RuleKind, tuple[str, ...], dict[str, Any]]] = [
    ("between", ("number",), {"minimum": 0, "maximum": 0}),
    ("between", ("number",), {"minimum": "-9223372036854775808"}),
    ("between", ("double",), {"maximum": "Infinity"}),
    ("between", ("price",), {"minimum": "0.10"}),
    ("between", ("day",), {"minimum": "0001-01-01", "maximum": "9999-12-31"}),
    ("between", ("at",), {"maximum": "2017-01-31T08:00:00+01:00"}),
    ("compare", ("number", "number_2"), {"operator": "<"}),
    ("compare", ("text", "text_2"), {"operator": "!="}),
    ("in_set", ("text", "text_2"), {"values": ["a", ""]}),
    ("in_set", ("open",), {"values": [True]}),
    ("length", ("text",), {"minimum": 0}),
    ("not_null", ("text", "price"), {}),
    ("references", ("text",), {"dataset": "stores", "column": "store_id"}),
    ("regex", ("text",), {"pattern": "(a+)+$"}),
    ("unique", ("text", "number"), {}),
]
BAD: list[tuple[RuleKind, tuple[str, ...], dict[str, Any], str]] = [
    ("between", ("number",), {}, "neither minimum nor maximum"),
    ("between", ("number",), {"minimum": 2, "maximum": 1}, "nothing from 2 to 1"),
    ("between", ("price",), {"minimum": "0.2", "maximum": "0.1"}, "nothing from 0.20 to 0.10"),
    ("between", ("day",), {"minimum": "2017-02-01", "maximum": "2017-01-31"}, "nothing from"),
    ("between", ("number",), {"minimum": 0.5}, "minimum|0.5"),
    ("between", ("number",), {"minimum": 2**63}, "too large"),
    ("between", ("price",), {"minimum": "0.105"}, "too many digits"),
    ("between", ("double",), {"minimum": "NaN"}, "NaN is no bound"),
    ("between", ("double",), {"minimum": "NaN", "maximum": 1}, "nothing from nan"),
    ("between", ("at",), {"minimum": "2017-01-31T08:00:00"}, "zone"),
    ("between", ("text",), {"minimum": "a"}, "no order"),
    ("between", ("number",), {"minimum": 0, "least": 1}, "knows no 'least'"),
    ("compare", ("number",), {"operator": "<"}, "two columns"),
    ("compare", ("number", "price"), {"operator": "<"}, "two columns of one type"),
    ("compare", ("number", "number_2"), {"operator": "like"}, "none of <"),
    ("compare", ("number", "number_2"), {"operator": ["<"]}, "none of <"),
    ("compare", ("text", "text_2"), {"operator": "<"}, "no order"),
    ("in_set", ("text",), {}, "no list of values"),
    ("in_set", ("text",), {"values": []}, "no list of values"),
    ("in_set", ("text",), {"values": "abc"}, "no list of values"),
    ("in_set", ("text",), {"values": ["a", None]}, "null is no value"),
    ("in_set", ("text",), {"values": ["a", 1]}, "text = 1"),
    ("in_set", ("number",), {"values": ["1.5"]}, "1.5"),
    ("length", ("number",), {"minimum": 1}, "is no text"),
    ("length", ("text",), {}, "neither minimum nor maximum"),
    ("length", ("text",), {"minimum": -1}, "-1 is no number of characters"),
    ("length", ("text",), {"minimum": True}, "True is no number of characters"),
    ("length", ("text",), {"minimum": 3, "maximum": 2}, "nothing from 3 to 2"),
    ("references", ("text",), {"dataset": "stores", "column": "city"}, "no column 'city'"),
    ("references", ("text",), {"dataset": "stores"}, "no column 'None'"),
    ("references", ("text",), {"dataset": ["x"], "column": "a"}, "no column 'a'"),
    ("references", ("text",), {"dataset": "stores", "column": "number"}, "stores.number is bigint"),
    ("regex", ("number",), {"pattern": "a"}, "is no text"),
    ("regex", ("text",), {"pattern": "(?<=a)b"}, "invalid perl operator"),
    ("regex", ("text",), {"pattern": r"(a)\1"}, "invalid escape"),
    ("regex", ("text",), {"pattern": "("}, "missing"),
    ("regex", ("text",), {"pattern": "\ud800"}, "surrogates"),
    ("regex", ("text",), {"pattern": None}, "is no text"),
    ("unique", ("text", "text"), {}, "about one twice"),
    ("not_null", (), {}, "about no column"),
    ("not_null", ("nothing",), {}, "no column 'nothing'"),
]


def test_every_kind_is_judged_and_tried() -> None:
    assert [*KINDS] == [*get_args(RuleKind)]
    assert {kind for kind, *_ in GOOD} == {*KINDS}


@pytest.mark.parametrize(("kind", "columns", "params"), GOOD)
def test_a_rule_that_can_be_judged_has_no_problem(
    kind: RuleKind, columns: tuple[str, ...], params: dict[str, Any]
) -> None:
    assert problems(RowRule("rule", kind, columns, params)) == []


@pytest.mark.parametrize(("kind", "columns", "params", "problem"), BAD)
def test_a_rule_that_cannot_be_judged_says_why(
    kind: RuleKind, columns: tuple[str, ...], params: dict[str, Any], problem: str
) -> None:
    (said,) = problems(RowRule("rule", kind, columns, params))
    assert said.startswith("rule rule: ")
    assert any(part in said for part in problem.split("|"))


def test_unknown_kinds_and_severities_are_told_with_those_that_there_are() -> None:
    unknown: Any = "sum"
    (kind,) = problems(RowRule("rule", unknown, ("text",)))
    assert "no kind 'sum'; there are between, compare" in kind
    (severity,) = problems(RowRule("rule", "not_null", ("text",), severity=unknown))
    assert "no severity 'sum'; there are info, warning, error, fatal" in severity


def test_a_column_that_the_merge_writes_has_no_rules() -> None:
    actor = Column(Field("actor", STRING, "Who."), system=True)
    (problem,) = rule_problems(RowRule("rule", "not_null", ("actor",)), {"actor": actor}, elsewhere)
    assert "actor is written by the merge" in problem


def test_all_problems_of_a_definition_are_refused_at_once() -> None:
    rules = [
        RowRule("range", "between", ("number", "price"), {"minimum": "0.105"}),
        RowRule("shape", "regex", ("text",), {"pattern": "("}),
        RowRule("good", "not_null", ("text",)),
    ]
    with pytest.raises(GovernanceError) as refusal:
        checked(defined(TYPES, *rules), elsewhere)
    assert refusal.value.code == "definition_invalid"
    assert [said.split(":")[0] for said in refusal.value.details["problems"]] == [
        "rule range",
        "rule range",
        "rule shape",
    ]


@pytest.mark.parametrize(
    "name", ["shelf_policies", "wh_policies", "shelf_profiles", "batch_catalog"]
)
def test_the_rules_of_a_contract_can_be_judged(name: str) -> None:
    definition = bound(CATALOG.topics[name])
    assert definition.rules
    assert checked(definition, elsewhere) is definition


def test_a_definition_whose_rules_can_be_judged_comes_back() -> None:
    rules = [RowRule(str(n), *parts) for n, parts in enumerate(GOOD)]
    definition = defined(TYPES, *rules)
    assert checked(definition, elsewhere) is definition


@pytest.mark.parametrize(
    ("columns", "key"),
    [
        (("a" * 64,), ("a" * 64,)),
        (("sku", "row_id"), ("sku",)),
        (("row_id", "sku"), ("row_id", "sku")),
    ],
)
def test_a_name_by_which_nobody_could_ask_is_refused(
    columns: tuple[str, ...], key: tuple[str, ...]
) -> None:
    described = tuple(Column(Field(name, STRING, "A.")) for name in columns)
    with pytest.raises(GovernanceError) as refusal:
        checked(Definition(1, described, key), elsewhere)
    assert refusal.value.code == "definition_invalid"


def test_a_key_that_the_server_makes_is_a_text() -> None:
    with pytest.raises(GovernanceError, match="the key that the server makes"):
        checked(Definition(1, (Column(Field("row_id", LONG, "A.")),)), elsewhere)


def test_a_rule_without_a_name_is_refused() -> None:
    rule = RowRule("", "not_null", ("text",))
    with pytest.raises(GovernanceError, match="1 to 63 characters"):
        checked(defined(TYPES, rule), elsewhere)
