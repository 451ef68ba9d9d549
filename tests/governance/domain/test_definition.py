"""A definition is one record: what cannot be is refused, and JSON keeps all of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lakeshelf.contracts.types import DOUBLE, LONG, STRING
from lakeshelf.governance.domain.definition import ApprovalPolicy, Column, Definition, RowRule
from lakeshelf.governance.errors import GovernanceError

from .cases import PRICE, column

COLUMNS = (
    column("sku", STRING, required=True),
    column("price", PRICE, minimum=0, unit="currency"),
    Column(column("seen", LONG).field, "Seen", hidden=True),
    Column(column("actor", STRING).field, system=True),
)
DATASET = Definition(
    3,
    COLUMNS,
    ("sku",),
    (RowRule("positive", "between", ("price",), {"minimum": 0}, "fatal", fixed=True),),
    ApprovalPolicy(2, {"price": "pricing"}, ("nightly",), restore_by_owner=True),
    deletes=False,
    strictness="row",
    topic="prices",
)


def test_json_keeps_all_of_a_definition() -> None:
    assert Definition.of_json(json.loads(DATASET.dumps())) == DATASET


def test_people_edit_neither_the_key_nor_what_the_merge_writes() -> None:
    assert [c.name for c in DATASET.editable] == ["price", "seen"]
    assert [c.name for c in DATASET.content] == ["sku", "price", "seen"]


IMPOSSIBLE: list[dict[str, Any]] = [
    {"version": 0},
    {"version": True},
    {"columns": (*COLUMNS, COLUMNS[1])},
    {"key": ()},
    {"key": ("sku", "sku")},
    {"key": ("nothing",)},
    {"key": ("actor",)},
    {"columns": (*COLUMNS, column("weight", DOUBLE)), "key": ("weight",)},
    {"strictness": "none"},
    {"policy": ApprovalPolicy(approvals=0)},
    {"policy": ApprovalPolicy(groups={"nothing": "pricing"})},
    {"rules": (RowRule("a", "between", ("price",)), RowRule("a", "unique", ("price",)))},
    {"rules": (RowRule("a", "between", ("nothing",)),)},
    {"rules": (RowRule("a", "between", ()),)},
    {"rules": (RowRule("a", "sql", ("price",)),)},
    {"rules": (RowRule("a", "between", ("price",), severity="grave"),)},
]


@pytest.mark.parametrize("change", IMPOSSIBLE, ids=range(len(IMPOSSIBLE)))
def test_a_definition_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    parts = {name: getattr(DATASET, name) for name in ("version", "columns", "key", "rules")}
    with pytest.raises(GovernanceError) as refusal:
        Definition(**{**parts, **change})
    assert refusal.value.code == "definition_invalid"


@pytest.mark.parametrize(
    "change",
    [
        {"columns": [5]},
        {"columns": [{"name": "Hostile; --", "type": "string", "doc": "A."}]},
        {"columns": [{"name": "a", "type": "blob", "doc": "A."}]},
        {"columns": [{"name": "a", "type": "decimal(50,2)", "doc": "A."}]},
        {"rules": [{"name": "a"}]},
        {"policy": None},
        {"key": None},
    ],
    ids=range(7),
)
def test_json_that_is_no_definition_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(GovernanceError) as refusal:
        Definition.of_json({**DATASET.as_json(), **change})
    assert refusal.value.code == "definition_invalid"


def with_column(**parts: Any) -> dict[str, Any]:
    return {"columns": [{"name": "sku", "type": "string", "doc": "A.", **parts}]}


@pytest.mark.parametrize(
    "change",
    [
        {"deletes": "no"},
        {"topic": 5},
        {"key": "sku"},
        {"rules": [{"name": None, "kind": "not_null", "columns": ["sku"]}]},
        {"rules": [{"name": "a", "kind": "not_null", "columns": "sku"}]},
        {"rules": [{"name": "a", "kind": "not_null", "columns": ["sku"], "params": None}]},
        {"rules": [{"name": "a", "kind": "not_null", "columns": ["sku"], "fixed": "yes"}]},
        {"policy": {"restore_by_owner": "false"}},
        {"policy": {"groups": {"sku": 5}}},
        {"policy": {"nobody": True}},
        with_column(hidden="x"),
        with_column(label=5),
        with_column(doc=5),
        with_column(enum="abc"),
        with_column(unknown=1),
        with_column(type="decimal(0,0)"),
        with_column(type="decimal(2,3)"),
    ],
    ids=str,
)
def test_nothing_in_json_is_taken_for_another_type(change: dict[str, Any]) -> None:
    with pytest.raises(GovernanceError) as refusal:
        Definition.of_json({**DATASET.as_json(), "rules": [], **change})
    assert refusal.value.code == "definition_invalid"


def test_every_part_that_is_wrong_is_told() -> None:
    with pytest.raises(GovernanceError) as refusal:
        Definition.of_json({**DATASET.as_json(), "deletes": "no", "topic": 5})
    assert [one.partition(":")[0] for one in refusal.value.details["problems"]] == [
        "deletes",
        "topic",
    ]
