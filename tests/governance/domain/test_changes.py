"""A definition grows: what rows, readers and the contract rely on stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.types import LONG, STRING
from lakeshelf.governance.domain.binding import bound
from lakeshelf.governance.domain.changes import (
    DefinitionChange,
    changes,
    completed,
    require_allowed,
)
from lakeshelf.governance.domain.definition import ApprovalPolicy, Column, Definition, RowRule
from lakeshelf.governance.errors import GovernanceError

from .cases import PRICE, column

SKU, PRICES, ACTOR = column("sku", STRING), column("price", PRICE), column("actor", STRING)
OLD = Definition(4, (SKU, PRICES, replace(ACTOR, system=True)), ("sku",))
BOUND = bound(CATALOG.topics["shelf_policies"])


def field(there: Column, **parts: Any) -> Column:
    return replace(there, field=replace(there.field, **parts))


@pytest.mark.parametrize(
    "change",
    [
        {"columns": (*OLD.columns, column("stock", LONG))},
        {"columns": (SKU, replace(PRICES, hidden=True, label="Price"), OLD.columns[2])},
        {"columns": (SKU, field(PRICES, doc="What it costs."), OLD.columns[2])},
        {"rules": (RowRule("positive", "between", ("price",), {"minimum": 0}),)},
        {"policy": ApprovalPolicy(2)},
        {"deletes": False},
        {"strictness": "row"},
    ],
    ids=range(7),
)
def test_what_a_definition_may_change(change: dict[str, Any]) -> None:
    require_allowed(OLD, OLD.next(**change))
    assert changes(OLD, OLD.next(**change))


REFUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"columns": (SKU, OLD.columns[2])}, ["price is gone"]),
    ({"columns": (SKU, column("cost", PRICE), OLD.columns[2])}, ["price is gone"]),
    ({"columns": (SKU, column("price", LONG), OLD.columns[2])}, ["cannot become bigint"]),
    ({"columns": (SKU, field(PRICES, required=True), OLD.columns[2])}, ["other properties"]),
    ({"columns": (SKU, field(PRICES, maximum=5), OLD.columns[2])}, ["other properties"]),
    ({"columns": (PRICES, SKU, OLD.columns[2])}, ["another order"]),
    ({"columns": (SKU, PRICES, ACTOR)}, ["a system column"]),
    ({"columns": (*OLD.columns, column("stock", LONG, required=True))}, ["cannot be required"]),
    ({"columns": (*OLD.columns, replace(column("by", STRING), system=True))}, ["system column"]),
    ({"key": ("sku", "price")}, ["the key is sku"]),
    ({"topic": "shelf_policies"}, ["bound to no topic"]),
    ({"rules": (RowRule("mine", "unique", ("price",), fixed=True),)}, ["does not come"]),
    ({"columns": (SKU,), "key": ("sku",)}, ["price is gone", "actor is gone"]),
]


@pytest.mark.parametrize(("change", "problems"), REFUSED, ids=range(len(REFUSED)))
def test_what_a_definition_may_not_change_is_told_problem_by_problem(
    change: dict[str, Any], problems: list[str]
) -> None:
    with pytest.raises(GovernanceError) as refusal:
        require_allowed(OLD, OLD.next(**change))
    assert refusal.value.code == "definition_invalid"
    told = refusal.value.details["problems"]
    assert len(told) == len(problems)
    assert all(problem in text for problem, text in zip(problems, told, strict=True))


@pytest.mark.parametrize("kept", [(), tuple(replace(r, severity="info") for r in BOUND.rules)])
def test_rules_that_come_with_the_topic_stay(kept: tuple[RowRule, ...]) -> None:
    with pytest.raises(GovernanceError) as refusal:
        require_allowed(BOUND, BOUND.next(rules=kept))
    assert len(refusal.value.details["problems"]) == len(BOUND.rules)
    require_allowed(BOUND, BOUND.next(rules=(*BOUND.rules, RowRule("low", "unique", ("min_qty",)))))


def test_a_new_column_of_a_bound_dataset_takes_no_name_of_a_field() -> None:
    topic = CATALOG.topics["shelf_policies"]
    require_allowed(BOUND, BOUND.next(columns=(*BOUND.columns, column("note", STRING))), topic)
    with pytest.raises(GovernanceError, match="version is a field of shelf_policies"):
        require_allowed(BOUND, BOUND.next(columns=(*BOUND.columns, column("version", LONG))), topic)


WAREHOUSE = CATALOG.topics["wh_policies"]
NOW_BOUND = bound(WAREHOUSE)
GAINED = ("plan_source", "service_level", "allow_zero")
BEFORE = replace(
    NOW_BOUND,
    columns=tuple(c for c in NOW_BOUND.columns if c.name not in GAINED),
    rules=tuple(r for r in NOW_BOUND.rules if r.columns[0] not in GAINED),
)
"""The definition of a dataset that was bound before its topic gained fields."""


def gained(name: str) -> Column:
    return next(column for column in NOW_BOUND.columns if column.name == name)


@pytest.mark.parametrize("names", [GAINED[:1], GAINED[1:], GAINED])
def test_a_bound_dataset_takes_over_fields_that_its_topic_gained_with_their_rules(
    names: tuple[str, ...],
) -> None:
    columns = tuple(replace(gained(name), label="A label") for name in names)
    new = completed(BEFORE, BEFORE.next(columns=(*BEFORE.columns, *columns)), WAREHOUSE)
    require_allowed(BEFORE, new, WAREHOUSE)
    expected = [rule for rule in NOW_BOUND.rules if rule.columns[0] in names]
    assert list(new.rules[len(BEFORE.rules) :]) == expected
    assert completed(BEFORE, new, WAREHOUSE) == new


def test_without_its_rules_or_as_another_type_a_field_is_refused() -> None:
    columns = (*BEFORE.columns, gained("plan_source"))
    with pytest.raises(GovernanceError, match="comes with its column"):
        require_allowed(BEFORE, BEFORE.next(columns=columns), WAREHOUSE)
    for other in (field(gained("plan_source"), enum=()), column("service_level", STRING)):
        new = completed(BEFORE, BEFORE.next(columns=(*BEFORE.columns, other)), WAREHOUSE)
        with pytest.raises(GovernanceError, match="which the binding alone brings"):
            require_allowed(BEFORE, new, WAREHOUSE)


def test_a_version_follows_the_one_before_and_changes_something() -> None:
    with pytest.raises(GovernanceError, match="does not follow"):
        require_allowed(OLD, replace(OLD, version=6, deletes=False))
    with pytest.raises(GovernanceError) as refusal:
        require_allowed(OLD, OLD.next())
    assert refusal.value.code == "nothing_changed"


def test_changes_are_told_part_by_part() -> None:
    new = OLD.next(deletes=False, columns=(*OLD.columns, column("stock", LONG)))
    found = changes(OLD, new)
    assert [(c.part, c.name, c.old) for c in found] == [
        ("column", "stock", None),
        ("deletes", "deletes", True),
    ]
    assert found[1] == DefinitionChange("deletes", "deletes", old=True, new=False)
