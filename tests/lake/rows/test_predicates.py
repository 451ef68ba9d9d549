"""Conditions: whatever the value, exactly the rows that meet them are read."""

from __future__ import annotations

import itertools
import math
import operator
import tempfile
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakeshelf.lake import Lake, PredicateError
from lakeshelf.lake.rows import conditions, predicates, reading

SCHEMA = pa.schema(
    [
        ("row", pa.int64()), ("Number", pa.int32()), ("big", pa.int64()), ("real", pa.float64()),
        ("half", pa.float32()), ("a word", pa.string()), ('q"uote', pa.string()),
        ("money", pa.decimal128(12, 2)), ("wide", pa.decimal128(38, 10)), ("ok", pa.bool_()),
        ("day", pa.date32()), ("at", pa.timestamp("us", tz="UTC")), ("raw", pa.binary()),
    ]
)  # fmt: skip
EVIL = ["a;b", "it's", "'; DROP TABLE x; --", '"', "%41", "\\", "é\n", "", "NULL", "a' OR '1'='1",
        "x" * 40 + "ü", "x" * 40 + "\U0001f600", "x" * 40]  # fmt: skip
TIMES = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis adds the zone
EXACT = [Decimal("1.005"), Decimal("-1E+3"), Decimal("1E-400"), Decimal("-1E-999999"), Decimal("9E+999999"),
         Decimal("12345678901234567890.1234567890"), Decimal("9" * 40), Decimal("Infinity"),
         2**53, 2**53 + 1, -(2**63), 2**63, 10**400, 0.1, 0.5, 2.0**53, -0.0, math.inf, -math.inf]  # fmt: skip
NUMBERS = (
    st.sampled_from(EXACT)
    | st.integers(-3, 20)
    | st.integers()
    | st.decimals(allow_nan=False)
    | st.decimals(-20, 20, places=3)
    | st.floats(allow_nan=False)
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("Number", "big", "real", "half", "money", "wide"), NUMBERS),
    "a word": st.sampled_from(EVIL)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    'q"uote': st.sampled_from(EVIL),
    "ok": st.booleans(),
    "day": st.dates(),
    "at": TIMES,
    "raw": st.binary(max_size=3),
}
COMPARE = {
    "=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le,
    ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
REALS = [0.0, 1.5, -math.inf, math.inf, None, math.nan, -0.0, 0.1, 2.0**53]
WIDE = [Decimal("12345678901234567890.1234567890"), Decimal("12345678901234567890.1234567891"),
        Decimal(2**53), Decimal(2**53 + 1), Decimal("0.0000000001"), None]  # fmt: skip
BIG = [2**53, 2**53 + 1, -(2**63), 2**63 - 1, 0, None]
ROWS: list[dict[str, Any]] = [
    {
        "row": n, "Number": n - 3, "big": BIG[n % len(BIG)], "real": REALS[n % len(REALS)],
        "half": REALS[-n % len(REALS)], "a word": EVIL[n % len(EVIL)] if n % 7 else None,
        'q"uote': EVIL[-n % len(EVIL)], "money": Decimal(n) / 4 if n % 3 else None,
        "wide": WIDE[n % len(WIDE)], "ok": [True, False, None][n % 3],
        "day": date(2024, 1, 1 + n) if n % 4 else None, "raw": bytes([n % 4]),
        "at": datetime(2024, 1, 1, 0, 0, 0, 333 * n + 1, UTC),
    }
    for n in range(20)
]  # fmt: skip
CUTS = {"by two files": [10], "by many files": list(range(1, 20)), "by one file": []}


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> dict[str, DeltaTable]:
    """The same rows of every type in files of several lengths, so that statistics choose among them."""
    found = {}
    for layout, cuts in CUTS.items():
        place = str(tmp_path_factory.mktemp("table"))
        for start, end in itertools.pairwise([0, *cuts, len(ROWS)]):
            part = pa.Table.from_pylist(ROWS[start:end], schema=SCHEMA)
            write_deltalake(place, part, mode="append")
        found[layout] = DeltaTable(place)
    return found


@pytest.fixture(scope="module")
def table(laid_out: dict[str, DeltaTable]) -> tuple[DeltaTable, list[dict[str, Any]]]:
    """One of them, and its rows as they are read."""
    return laid_out["by two files"], rows_of(laid_out["by two files"])


def rows_of(handle: DeltaTable) -> list[dict[str, Any]]:
    return list(reading.scan(handle, "a/b").read_all().sort_by("row").to_pylist())


def meets(row: dict[str, Any], condition: conditions.Condition) -> bool | None:
    """The rule, in Python, whose numbers compare exactly; None: null is compared."""
    if isinstance(condition, conditions.Group):
        found = [meets(row, part) for part in condition.parts]
        if condition.kind == "not":
            return None if found[0] is None else not found[0]
        decides = condition.kind == "any"
        return decides if decides in found else None if None in found else not decides
    column, op, *value = condition
    if op in conditions.NULLS:
        return (row[column] is None) == (op == "is null")
    return None if row[column] is None else compares(row[column], op, value[0])


def compares(there: Any, op: str, value: Any) -> bool:
    if isinstance(there, float) and math.isnan(there):
        return op in ("!=", "not in")
    if op in COMPARE:
        return bool(COMPARE[op](there, value))
    return any(there == one for one in value) == (op == "in")


@st.composite
def leaves(draw: st.DrawFn, columns: Sequence[str] = tuple(VALUES)) -> conditions.Condition:
    column = draw(st.sampled_from(sorted(columns)))
    op = draw(st.sampled_from(conditions.OPERATORS))
    there = [r[column] for r in ROWS if r[column] is not None and r[column] == r[column]]
    values = st.sampled_from(there) | VALUES[column]
    if op in conditions.NULLS:
        return (column, op)
    return (column, op, draw(st.lists(values, max_size=3) if op.endswith("in") else values))


def nested(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=3).map(lambda parts: conditions.any_of(*parts))
            | st.lists(inner, max_size=3).map(lambda parts: conditions.all_of(*parts))
            | inner.map(conditions.not_)
        ),
        max_leaves=5,
    )


@pytest.mark.slow
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(where=st.lists(nested(leaves()), max_size=3), layout=st.sampled_from(sorted(CUTS)))
def test_conditions_choose_the_rows_that_meet_them(
    laid_out: dict[str, DeltaTable], where: list[conditions.Condition], layout: str
) -> None:
    handle = laid_out[layout]
    expected = [r["row"] for r in rows_of(handle) if all(meets(r, c) for c in where)]
    scanned = reading.scan(handle, "a/b", ["row"], where).read_all()["row"].to_pylist()
    assert sorted(scanned) == expected
    everything, chosen = (
        reading.scan(handle, "a/b").read_all(),
        predicates.expression(conditions.checked(where, SCHEMA)),
    )
    if chosen is not None:
        assert sorted(everything.filter(chosen)["row"].to_pylist()) == expected


SLICED = ("Number", "big", "money", "wide", 'q"uote', "ok", "day", "at", "raw")
SLICES = pa.schema([SCHEMA.field(name) for name in ("row", "real", *SLICED)])


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    where=st.lists(nested(leaves(SLICED)), min_size=1, max_size=2),
    parted=st.sampled_from(["", "day", "ok", "Number"]),
)
def test_a_slice_is_what_the_same_conditions_read(
    where: list[conditions.Condition], parted: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder, catalog={})
        lake.create("a/b", SLICES, partition_by=(parted,) if parted else ())
        for start in (0, 7, 14):
            lake.append("a/b", pa.Table.from_pylist(ROWS[start : start + 7], schema=SLICES))
        kept = [r["row"] for r in ROWS if not all(meets(r, c) for c in where)]
        chosen = lake.read("a/b", columns=["row"], where=where).read_all()["row"].to_pylist()
        assert sorted(chosen) == [n for n in range(len(ROWS)) if n not in kept]
        lake.replace("a/b", [], where)
        left = lake.read("a/b", columns=["row"]).read_all()["row"].to_pylist()
        assert sorted(left) == kept


@pytest.mark.slow
@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.decimal128(21, 2), pa.string()])
def test_a_list_of_a_hundred_thousand_values_is_read(tmp_path: Path, kind: pa.DataType) -> None:
    """Delta-rs overflows its stack with some ten thousand, and the process ends."""
    rows = pa.table({"k": pa.array(range(0, 300_000, 3), pa.int64()).cast(kind)})
    write_deltalake(str(tmp_path), rows)
    wanted = rows["k"].to_pylist()
    found = reading.scan(DeltaTable(str(tmp_path)), "a/b", where=[("k", "in", wanted[::2] * 2)])
    assert found.read_all().num_rows == 50_000
    others = reading.scan(DeltaTable(str(tmp_path)), "a/b", where=[("k", "not in", wanted[::2])])
    assert others.read_all().num_rows == 50_000


def test_a_thousand_conditions_side_by_side_are_read(table: tuple[DeltaTable, Any]) -> None:
    handle, _ = table
    one_of = conditions.any_of(*(("a word", "=", f"w{n}") for n in range(999)), ("row", "=", 3))
    assert reading.scan(handle, "a/b", ["row"], [one_of]).read_all().to_pylist() == [{"row": 3}]


def deep(levels: int) -> Any:
    found: Any = ("Number", "=", 1)
    for _ in range(levels):
        found = conditions.not_(conditions.any_of(found))
    return found


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
        (("Number", "=", Decimal("NaN")), "with NaN"),
        (("a word", "=", "\ud800"), "no text"),
        (("at", "<", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5)))), "beyond the years"),
        (("Numb", "=", 1), "did you mean Number\\?"),
        (deep(50_000), "nested more than 16 levels"),
        (conditions.any_of(*[("row", "=", 1)] * 100_000), "100,000 conditions are more than 1,000"),
        (("Number", "is null", 5), "takes no value"),
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
