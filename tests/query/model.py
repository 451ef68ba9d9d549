"""What a snapshot is, in pure Python: versions of rows, chosen by conditions, compared as multisets."""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from lakeshelf.lake.rows.conditions import Group, all_of, any_of, not_
from lakeshelf.query import Served

Row = dict[str, Any]

SCHEMA = pa.schema(
    [
        ("n", pa.int64()),
        ("x", pa.float64()),
        ("price", pa.decimal128(10, 2)),
        ("s", pa.string()),
        ("ok", pa.bool_()),
        ("day", pa.date32()),
        ("at", pa.timestamp("us", "UTC")),
        ("raw", pa.binary()),
        ("tags", pa.list_(pa.int64())),
        ("spot", pa.struct([("a", pa.int32()), ("b", pa.string())])),
    ]
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.sampled_from([-(2**63), -1, 0, 1, 7, 2**53 + 1, 2**63 - 1]),
    "x": st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 0.0, 1.0, 1.5, -2.25, 1e300]),
    "price": st.decimals("-99999999.99", "99999999.99", places=2)
    | st.sampled_from([Decimal("0.00"), Decimal("1.10"), Decimal("1.20")]),
    "s": st.sampled_from(["", "a", "A", "b'; DROP", 'q"', "ä", "\\", "a%", "nul", "日本", "\n"]),
    "ok": st.booleans(),
    "day": st.sampled_from([date(1970, 1, 1), date(2026, 2, 28), date(1899, 12, 31)]),
    "at": st.sampled_from(
        [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)]
    ),
    "raw": st.sampled_from([b"", b"\x00", b"a'", b"\xff\xfe"]),
    "tags": st.lists(st.none() | st.integers(-3, 3), max_size=2),
    "spot": st.fixed_dictionaries(
        {"a": st.none() | st.integers(0, 3), "b": st.none() | st.just("q")}
    ),
}
NUMBERS = st.sampled_from(
    [Decimal("1.005"), Decimal("-1E+3"), Decimal("1E+400"), 10**30, 2.0**53, 0.1, -math.inf]
)
"""Numbers that most columns cannot hold."""
SCALARS = [name for name in VALUES if name not in ("tags", "spot")]
_COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

rows = st.lists(
    st.fixed_dictionaries({name: st.none() | values for name, values in VALUES.items()}), max_size=6
)
columns = st.none() | st.lists(st.sampled_from(list(VALUES)), min_size=1, unique=True)


@st.composite
def conditions(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    parts = st.lists(condition(), max_size=2)
    grouped = (
        parts.map(lambda parts: any_of(*parts))
        | parts.map(lambda parts: all_of(*parts))
        | condition().map(not_)
    )
    return draw(st.lists(condition() | grouped, max_size=2))


@st.composite
def condition(draw: st.DrawFn) -> tuple[Any, ...]:
    name = draw(st.sampled_from(SCALARS))
    op = draw(st.sampled_from([*_COMPARE, "in", "not in", "is null", "is not null"]))
    values = VALUES[name] | NUMBERS if name in ("n", "x", "price") else VALUES[name]
    wanted = values.filter(lambda value: value == value)  # noqa: PLR0124 - NaN
    if op in _COMPARE:
        return (name, op, draw(wanted))
    if op in ("in", "not in"):
        return (name, op, draw(st.lists(wanted, max_size=3)))
    return (name, op)


def chosen(
    held: Sequence[Row], names: Sequence[str] | None, where: Sequence[tuple[Any, ...]]
) -> list[Row]:
    met = (row for row in held if all(_meets(row, one) for one in where))
    return [{name: row[name] for name in (names or VALUES)} for row in met]


def multiset(found: Sequence[Mapping[str, Any]]) -> Counter[str]:
    return Counter(repr([(name, _plain(value)) for name, value in row.items()]) for row in found)


def read(served: Served) -> list[Row]:
    """Rows of whatever form an engine gives."""
    value = served.value
    ways = {
        "arrow": "read_all",
        "duckdb": "to_arrow_table",
        "ibis": "to_pyarrow",
        "datafusion": "to_arrow_table",
        "spark": "toArrow",
    }
    if served.engine == "pandas":
        table = pa.Table.from_pandas(value, preserve_index=False)
    elif served.engine == "polars":
        table = value.collect().to_arrow()
    else:
        table = getattr(value, ways[served.engine])()
    found: list[Row] = table.to_pylist()
    return found


def _meets(row: Row, condition: Any) -> bool | None:
    """Whether a row meets a condition; None: null is compared."""
    if isinstance(condition, Group):
        found = [_meets(row, one) for one in condition.parts]
        if condition.kind == "not":
            return None if found[0] is None else not found[0]
        decides = condition.kind == "any"
        return decides if decides in found else None if None in found else not decides
    name, op, *value = condition
    if op in ("is null", "is not null"):
        return (row[name] is None) == (op == "is null")
    return None if row[name] is None else _compares(row[name], op, value[0])


def _compares(held: Any, op: str, value: Any) -> bool:
    if isinstance(held, float) and math.isnan(held):
        return op in ("!=", "not in")
    if op in ("in", "not in"):
        return (held in value) == (op == "in")
    return bool(_COMPARE[op](held, value))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return sorted(value.items()) if isinstance(value, dict) else value
