"""Views show the rows that a plain reading, filtering and sorting would, at every depth."""

from __future__ import annotations

from math import isnan, nan
from threading import Barrier, Thread
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts.types import DATE, DOUBLE, LONG, STRING, TIMESTAMP, Field, Type
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.keys import row_id, row_ids
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.services.memory import SizedCache
from lakeshelf.governance.services.reading.tables import HeldTable
from lakeshelf.governance.services.reading.views import (
    Filter,
    OrderedView,
    Sort,
    ViewQuery,
    ordered,
)
from tests.governance.domain import cases
from tests.governance.domain.cases import TYPES, values

COLUMNS = tuple(
    Column(Field(name, type_, "What it is.", required=False))
    for name, type_ in (("shelf", STRING), ("store", STRING), ("least", LONG), ("share", DOUBLE))
)
DEFINITION = Definition(1, COLUMNS, ("shelf",))
Row = dict[str, Any]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "shelf": st.text("abcd", min_size=1, max_size=5),
            "store": st.sampled_from(["s1", "s2", "S3", None]),
            "least": st.none() | st.integers(-3, 3),
            "share": st.none() | st.sampled_from([0.5, 1.0, -1.0, nan]),
        }
    ),
    unique_by=lambda row: row["shelf"],
    max_size=30,
)


def held(rows: list[Row], batch: int = 7) -> HeldTable:
    table = pa.Table.from_pylist(rows, DEFINITION.schema)
    return HeldTable.of(DEFINITION, table.to_reader(max_chunksize=batch))


def shown(rows: list[Row], query: ViewQuery) -> OrderedView:
    table = held(rows)
    return OrderedView(table, ordered(table, query))


def shelves(of: OrderedView, offset: int = 0, limit: int = 1000) -> list[str]:
    listed: list[str] = of.page(offset, limit)["shelf"].to_pylist()
    return listed


KEYS: tuple[tuple[Type, ...], ...] = ((STRING,), (LONG,), (LONG, STRING), (STRING, DATE, TIMESTAMP))
SORTS = st.lists(
    st.tuples(st.sampled_from([f"c{n}" for n in range(len(TYPES))] + ["k0"]), st.booleans()),
    max_size=3,
)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Definition, list[Row]]:
    """Rows of every type in no order, with few different values, so that many are equal."""
    key = draw(st.sampled_from(KEYS))
    names = {f"k{n}": kind for n, kind in enumerate(key)}
    others = {f"c{n}": kind for n, kind in enumerate(TYPES)}
    columns = tuple(cases.column(name, kind) for name, kind in {**names, **others}.items())
    pools = {
        name: draw(st.lists(values(kind), min_size=1, max_size=4)) for name, kind in others.items()
    }
    cells = {name: st.none() | st.sampled_from(pool) for name, pool in pools.items()}
    parts = {name: values(kind).filter(lambda value: value != "") for name, kind in names.items()}
    rows = draw(
        st.lists(
            st.fixed_dictionaries({**parts, **cells}),
            max_size=25,
            unique_by=lambda row: tuple(row[name] for name in names),
        )
    )
    return Definition(1, columns, tuple(names)), rows


def plainly(definition: Definition, rows: list[Row], sort: list[tuple[str, bool]]) -> list[str]:
    """Keys in the order of plain Python: a column after another, the last first."""

    def is_last(value: Any) -> int:
        return 2 if value is None else int(isinstance(value, float) and isnan(value))

    listed = sorted(rows, key=lambda row: tuple(row[name] for name in definition.key))
    for name, descending in reversed(sort):
        first = [row for row in listed if not is_last(row[name])]
        first.sort(key=lambda row, name=name: row[name], reverse=descending)
        rest = sorted((row for row in listed if is_last(row[name])), key=lambda r: is_last(r[name]))
        listed = [*first, *rest]
    return [row_id(definition, row) for row in listed]


@given(tables(), SORTS)
def test_rows_of_every_type_stand_as_plain_sorting_puts_them(
    table: tuple[Definition, list[Row]], sort: list[tuple[str, bool]]
) -> None:
    definition, rows = table
    reader = pa.Table.from_pylist(rows, definition.schema).to_reader(max_chunksize=7)
    known = HeldTable.of(definition, reader)
    query = ViewQuery(sort=tuple(Sort(name, descending) for name, descending in sort))
    page = OrderedView(known, ordered(known, query)).page(0, 1000)
    assert row_ids(definition, page).to_pylist() == plainly(definition, rows, sort)


@given(tables(), st.data())
def test_a_row_is_found_by_its_key_and_no_other_is(
    table: tuple[Definition, list[Row]], data: st.DataObject
) -> None:
    definition, rows = table
    reader = pa.Table.from_pylist(rows, definition.schema).to_reader()
    known = HeldTable.of(definition, reader)
    ids = [row_id(definition, row) for row in rows]
    assert row_ids(definition, known.of_ids(ids)).to_pylist() == ids
    if ids:
        gone = data.draw(st.integers(0, len(rows) - 1))
        rest = pa.Table.from_pylist(rows[:gone] + rows[gone + 1 :], definition.schema)
        assert HeldTable.of(definition, rest.to_reader()).place(ids[gone]) is None
    assert known.place("no key [") is None or "no key [" in ids


CHECKS = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


@given(
    ROWS, st.sampled_from(sorted(CHECKS)), st.integers(-3, 3), st.sampled_from(["s1", "S3", "x"])
)
def test_rows_are_filtered(rows: list[Row], op: str, least: int, store: str) -> None:
    for column, value in (("least", least), ("store", store)):
        passed = [
            r["shelf"] for r in rows if r[column] is not None and CHECKS[op](r[column], value)
        ]
        assert shelves(shown(rows, ViewQuery((Filter(column, op, value),)))) == sorted(passed)


@given(ROWS)
def test_words_of_filters_mean_what_they_say(rows: list[Row]) -> None:
    def passed(op: str, column: str, value: Any = None) -> set[str]:
        return set(shelves(shown(rows, ViewQuery((Filter(column, op, value),)))))

    def those(test: Any) -> set[str]:
        return {row["shelf"] for row in rows if test(row)}

    assert passed("is_null", "store") == those(lambda r: r["store"] is None)
    assert passed("not_null", "store") == those(lambda r: r["store"] is not None)
    assert passed("in", "store", ["s1", "none"]) == those(lambda r: r["store"] == "s1")
    assert passed("in", "store", ["s1", None]) == those(lambda r: r["store"] in ("s1", None))
    assert passed("in", "least", [None]) == those(lambda r: r["least"] is None)
    assert passed("contains", "store", "s") == those(lambda r: r["store"] is not None)
    assert passed("=", "share", "NaN") == those(
        lambda r: r["share"] is not None and isnan(r["share"])
    )
    assert passed("!=", "share", "NaN") == those(
        lambda r: r["share"] is not None and not isnan(r["share"])
    )
    assert passed("starts_with", "shelf", "A") == those(lambda r: r["shelf"].startswith("a"))


@given(ROWS, st.integers(0, 35), st.integers(1, 10))
def test_pages_are_parts_of_the_whole(rows: list[Row], offset: int, limit: int) -> None:
    all_of_it = shown(rows, ViewQuery())
    assert shelves(all_of_it, offset, limit) == shelves(all_of_it)[offset : offset + limit]
    assert [all_of_it.position(shelf) for shelf in shelves(all_of_it)] == list(range(len(rows)))
    assert all_of_it.position("not there") is None


@given(ROWS)
def test_facets_count_values(rows: list[Row]) -> None:
    listed, total = shown(rows, ViewQuery()).facets("store")
    assert dict(listed) == {
        value: sum(row["store"] == value for row in rows)
        for value in {row["store"] for row in rows}
    }
    assert total == len(listed)


@pytest.mark.parametrize(
    "query",
    [
        ViewQuery((Filter("nothing", "=", 1),)),
        ViewQuery((Filter("least", "like", 1),)),
        ViewQuery((Filter("least", "=", "1.5"),)),
        ViewQuery((Filter("least", "contains", "1"),)),
        ViewQuery((Filter("store", "in", "s1"),)),
        ViewQuery(sort=(Sort("nothing"),)),
    ],
)
def test_what_cannot_be_asked_is_refused(query: ViewQuery) -> None:
    with pytest.raises(GovernanceError) as error:
        shown([{"shelf": "a", "store": "s1", "least": 1, "share": 1.0}], query)
    assert error.value.status == 422


def test_what_was_not_used_for_longest_goes_first() -> None:
    kept: SizedCache[str] = SizedCache(most=2)
    made: list[str] = []

    def make(name: str) -> str:
        made.append(name)
        return name

    def get(name: str) -> None:
        kept.get(name, lambda: make(name), len)

    for name in ("a", "b", "a", "c", "a", "b"):
        get(name)
    assert made == ["a", "b", "c", "b"]


def test_what_many_ask_for_at_once_is_made_once() -> None:
    kept: SizedCache[int] = SizedCache(most=100)
    asked, made, answers = Barrier(8), [], []

    def make() -> int:
        made.append(1)
        return len(made)

    def ask() -> None:
        asked.wait()
        answers.append(kept.get("a", make, int))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [1] * 8


def test_what_could_not_be_made_is_made_when_it_is_asked_for_again() -> None:
    kept: SizedCache[int] = SizedCache(most=100)

    def fails() -> int:
        raise OSError("no disk")

    with pytest.raises(OSError, match="no disk"):
        kept.get("a", fails, int)
    assert kept.get("a", lambda: 3, int) == 3
