"""Values of results as Python, JSON and CSV have them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

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
