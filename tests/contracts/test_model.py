"""Declarations that cannot be are refused when they are made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from lakeshelf.contracts import (
    CATALOG,
    LONG,
    STRING,
    Bounds,
    Catalog,
    Decimal,
    Field,
    Rule,
    Table,
    Topic,
)
from lakeshelf.errors import ContractError

NAME = Field("name", STRING, "A name.")


def topic(**changes: Any) -> Topic:
    declared: dict[str, Any] = {
        "name": "things",
        "key": ("name",),
        "cleanup": "delete",
        "owner": "someone",
        "fields": (NAME,),
        "doc": "Things.",
        "retention_ms": 1,
    }
    return Topic(**(declared | changes))


def table(**changes: Any) -> Table:
    declared: dict[str, Any] = {
        "name": "raw/things",
        "key": ("name",),
        "owner": "someone",
        "columns": (NAME,),
        "doc": "Things.",
    }
    return Table(**(declared | changes))


BROKEN: list[tuple[Callable[[], object], str]] = [
    (lambda: Field("Name", STRING, "A name."), "'Name'"),
    (lambda: Field("name", STRING, "A name"), "name has no sentence"),
    (lambda: Field("name", STRING, ""), "name has no sentence"),
    (lambda: Field("name", STRING, "A name.", minimum=0), "name (string): bounds"),
    (lambda: Field("size", LONG, "A size.", enum=("a",)), "size (bigint): enum"),
    (lambda: Field("size", LONG, "A size.", minimum=2, maximum=1), "minimum above maximum"),
    (lambda: Decimal(5, 6), "decimal(5,6)"),
    (lambda: topic(key=("id",)), "topic things names id"),
    (lambda: topic(key=()), "one of key, fixed_key"),
    (lambda: topic(fixed_key="x"), "one of key, fixed_key"),
    (lambda: topic(cleanup="shred"), "shred"),
    (lambda: topic(cleanup="compact"), "retention_ms 1"),
    (lambda: topic(retention_ms=None), "retention_ms None"),
    (lambda: topic(partitions=0), "0 partitions"),
    (lambda: topic(fields=(NAME, NAME)), "declares name twice"),
    (lambda: topic(rules=(Rule(("theft",)),)), "theft"),
    (lambda: topic(event_types=("a",), rules=(Rule(("a",), required=("x",)),)), "names x"),
    (lambda: topic(event_types=("a",), rules=(Rule(("a",), bounds=(Bounds("y", 0, 1),)),)), "y"),
    (lambda: table(name="things"), "'table things'"),
    (lambda: table(key=("id",)), "table raw/things names id"),
    (lambda: table(key=()), "lacks"),
    (lambda: table(partition_by=("day",)), "names day"),
    (lambda: table(profile="fast"), "fast"),
    (lambda: table(columns=(Field("x", LONG, "X.", internal=True), NAME)), "internal columns"),
    (lambda: table(constraints=(("a", "1 = 1"), ("a", "2 = 2"))), "constraint twice"),
    (lambda: Catalog.of([topic(), topic()], []), "things is declared twice"),
    (lambda: Catalog.of([], [table(topic="things")]), "'things'"),
]


@pytest.mark.parametrize(("declare", "message"), BROKEN, ids=[m for _, m in BROKEN])
def test_a_broken_declaration_names_what_is_wrong(
    declare: Callable[[], object], message: str
) -> None:
    with pytest.raises(ContractError) as error:
        declare()
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_name_lists_its_neighbours() -> None:
    with pytest.raises(ContractError, match="did you mean raw/shelf_events"):
        CATALOG.tables["raw/shelf_event"]
    with pytest.raises(ContractError, match="did you mean"):
        CATALOG.topics["zzzzzz"]
    with pytest.raises(ContractError, match=r"topic shelf_events has no qty; it has event_id"):
        CATALOG.topics["shelf_events"].field("qty")
    assert "raw/shelf_event" not in CATALOG.tables


def test_internal_columns_are_not_public() -> None:
    declared = CATALOG.tables["cleansed/shelf_state"]
    internal = [c.name for c in declared.columns if c not in declared.public]
    assert internal == ["first_event_time", "first_event_id"]


def test_the_key_of_a_row() -> None:
    row = {"shelf_id": "S1-I2", "discount_date": dt.date(2017, 1, 31)}
    assert CATALOG.topics["daily_discounts"].key_of(row) == "S1-I2::2017-01-31"
    assert CATALOG.topics["clock"].key_of({}) == "clock"
