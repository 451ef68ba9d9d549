"""Conditions: whatever the value, exactly the rows that meet them are read."""

from __future__ import annotations

import math
import operator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.lake import PredicateError, predicates, reading

SCHEMA = pa.schema(
    [
        ("row", pa.int64()), ("Number", pa.int32()), ("real", pa.float64()), ("a word", pa.string()),
        ('q"uote', pa.string()), ("money", pa.decimal128(12, 2)), ("ok", pa.bool_()),
        ("day", pa.date32()), ("at", pa.timestamp("us", tz="UTC")), ("raw", pa.binary()),
    ]
)  # fmt: skip
EVIL = ["a;b", "it's", "'; DROP TABLE x; --", '"', "%41", "\\", "é\n", "", "NULL", "a' OR '1'='1"]
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "Number": st.integers(-(2**31), 2**31 - 1) | st.integers(-2, 2),
    "real": st.floats(allow_nan=False) | st.sampled_from([0.0, 1.5, math.inf, -math.inf]),
    "a word": st.sampled_from(EVIL)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    'q"uote': st.sampled_from(EVIL),
    "money": st.decimals(-9999, 9999, places=2),
    "ok": st.booleans(),
    "day": st.dates(date(1970, 1, 1), date(2100, 1, 1)),
    "at": TIMES,
    "raw": st.binary(max_size=3),
}
COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[DeltaTable, list[dict[str, Any]]]:
    """A table of every type, and its rows."""
    rows = [
        {
            "row": n, "Number": n - 3, "real": [0.0, 1.5, -math.inf, math.inf, None][n % 5],
            "a word": EVIL[n % len(EVIL)] if n % 7 else None, 'q"uote': EVIL[-n % len(EVIL)],
            "money": Decimal(n) / 4 if n % 3 else None, "ok": [True, False, None][n % 3],
            "day": date(2024, 1, 1 + n) if n % 4 else None, "raw": bytes([n % 4]),
            "at": datetime(2024, 1, 1, 0, 0, 0, 333 * n + 1, UTC),
        }
        for n in range(20)
    ]  # fmt: skip
    place = str(tmp_path_factory.mktemp("table"))
    for half in (rows[:10], rows[10:]):
        write_deltalake(place, pa.Table.from_pylist(half, schema=SCHEMA), mode="append")
    return DeltaTable(place), rows


def meets(row: dict[str, Any], condition: predicates.Condition) -> bool:
    """The rule, in Python: null meets no comparison."""
    column, op, *value = condition
    found = row[column]
    if op in ("is null", "is not null"):
        return (found is None) == (op == "is null")
    if found is None:
        return False
    if op in COMPARE:
        return bool(COMPARE[op](found, value[0]))
    return (found in value[0]) == (op == "in")


@st.composite
def conditions(draw: st.DrawFn, rows: list[dict[str, Any]]) -> predicates.Condition:
    column = draw(st.sampled_from(sorted(VALUES)))
    op = draw(st.sampled_from(predicates.OPERATORS))
    there = [row[column] for row in rows if row[column] is not None]
    values = st.sampled_from(there) | VALUES[column]
    if op in ("is null", "is not null"):
        return (column, op)  # type: ignore[return-value]
    return (column, op, draw(st.lists(values, max_size=3) if op.endswith("in") else values))


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_conditions_choose_the_rows_that_meet_them(
    table: tuple[DeltaTable, list[dict[str, Any]]], data: st.DataObject
) -> None:
    handle, rows = table
    where = data.draw(st.lists(conditions(rows), min_size=1, max_size=2))
    expected = sorted(r["row"] for r in rows if all(meets(r, c) for c in where))
    scanned = reading.scan(handle, "a/b", ["row"], where).read_all()["row"].to_pylist()
    assert sorted(scanned) == expected
    everything = reading.scan(handle, "a/b").read_all()
    chosen = everything.filter(predicates.to_expression(where, SCHEMA))["row"].to_pylist()
    assert sorted(chosen) == expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (("nope", "=", 1), "no column 'nope'"),
        (("Number; DROP", "=", 1), "no column"),
        (("number", "=", 1), "no column 'number'"),
        (("Number", "= 1 OR 1 =", 1), "no operator"),
        (("Number", "=", "1"), "column Number is int32, the condition has '1' \\(str\\)"),
        (("Number", "=", True), "the condition has True"),
        (("Number", "=", None), "compares Number with null"),
        (("Number", "="), "needs one value"),
        (("Number", "in", 1), "no list"),
        (("a word", "in", "abc"), "no list"),
        (("day", "=", datetime(2024, 1, 1, tzinfo=UTC)), "column day is date32"),
        (("at", "=", datetime(2024, 1, 1)), "give the time with its zone"),  # noqa: DTZ001 - refused
        (("at", "=", date(2024, 1, 1)), "column at"),
        (("ok", "=", 1), "column ok is bool"),
        (5, "5 is no condition"),
    ],
)
def test_a_condition_that_cannot_be_is_refused(
    table: tuple[DeltaTable, list[dict[str, Any]]], condition: Any, message: str
) -> None:
    with pytest.raises(PredicateError, match=message):
        reading.scan(table[0], "a/b", where=[condition])


def test_plain_delta_ignores_what_follows_a_semicolon(
    table: tuple[DeltaTable, list[dict[str, Any]]],
) -> None:
    """The trap that no condition is ever pasted into SQL for."""
    handle, rows = table
    pasted = '"Number" > -100; this is not SQL at all'
    assert len(pa.table(handle.scan(["row"], pasted))) == len(rows)
