"""Values of results as Python, JSON and CSV have them."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lakeshelf.governance.domain.editing.exchange import escaped, restored
from lakeshelf.query import formats

FAR = 2**62
DAY = 2**30
UTC_TIME, LOCAL_TIME = pa.timestamp("us", "UTC"), pa.timestamp("us")
OUTSIDE: list[tuple[pa.DataType, Any, Any]] = [
    (pa.date32(), DAY, f"<value out of range: {DAY}>"),
    (LOCAL_TIME, FAR, f"<value out of range: {FAR}>"),
    (UTC_TIME, FAR, f"<value out of range: {FAR}>"),
    (pa.list_(UTC_TIME), [FAR], [f"<value out of range: {FAR}>"]),
    (pa.struct([("day", pa.date32())]), {"day": DAY}, {"day": f"<value out of range: {DAY}>"}),
    (pa.map_(pa.int32(), pa.date32()), [(1, DAY)], [(1, f"<value out of range: {DAY}>")]),
]


@pytest.mark.parametrize(("kind", "value", "shown"), OUTSIDE, ids=lambda one: str(one)[:30])
def test_a_time_that_pythons_calendar_lacks_is_shown_all_the_same(
    kind: pa.DataType, value: Any, shown: Any
) -> None:
    batch = pa.record_batch({"at": pa.array([value, None], kind)})
    assert list(formats.rows([batch])) == [(shown,), (None,)]
    assert "out of range" in "".join(formats.as_csv(batch.schema, [batch]))


def test_times_beside_one_that_the_calendar_lacks_are_times() -> None:
    batch = pa.record_batch(
        {"at": pa.array([FAR, 0], UTC_TIME), "day": pa.array([DAY, 0], pa.date32())}
    )
    _, row = formats.rows([batch])
    assert row == (datetime(1970, 1, 1, tzinfo=UTC), date(1970, 1, 1))


NUMBERS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "-whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "=decimal": (pa.decimal128(9, 2), st.decimals(-9_999_999, 9_999_999, places=2)),
    "+float": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
}
OTHERS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "@text": (pa.string(), st.text() | st.sampled_from("=+-@\t\r' ").map(lambda one: f"{one}1+1")),
    "\tendless": (pa.float64(), st.sampled_from([float("inf"), float("-inf")])),
    "span": (pa.duration("us"), st.timedeltas(timedelta(-9), timedelta(9))),
    "nested": (pa.list_(pa.string()), st.lists(st.text(), max_size=2)),
    "flag": (pa.bool_(), st.booleans()),
}
ROWS = st.fixed_dictionaries(
    {name: st.none() | values for name, (_, values) in (NUMBERS | OTHERS).items()}
)
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in (NUMBERS | OTHERS).items()])


def cells_of(rows: list[dict[str, Any]], **more: Any) -> list[list[str]]:
    batch = pa.RecordBatch.from_pylist(rows, SCHEMA)
    text = "".join(formats.as_csv(SCHEMA, [batch], **more))
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.lists(ROWS, max_size=3))
@example([{"-whole": -1, "=decimal": Decimal("-1.50"), "+float": -2.5, "@text": "-1"}])
def test_cells_that_a_spreadsheet_would_calculate_are_escaped_and_read_back(
    rows: list[dict[str, Any]],
) -> None:
    plain, safe = cells_of(rows), cells_of(rows, escape=escaped)
    assert [restored(pa.array(row, pa.string())).to_pylist() for row in safe] == plain
    for before, after in zip(plain[1:], safe[1:], strict=True):
        assert after[: len(NUMBERS)] == before[: len(NUMBERS)]
    texts = [safe[0], *(row[len(NUMBERS) :] for row in safe[1:])]
    assert not any(cell.startswith(tuple("=+-@\t\r")) for row in texts for cell in row)
