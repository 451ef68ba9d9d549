"""Holidays of days, whatever other days are asked for with them."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.demand.holidays import holidays

DAYS = st.dates(date(2016, 1, 1), date(2027, 12, 31))


def of(since: date, until: date) -> list[date]:
    days: list[date] = holidays(since, until)["day"].to_pylist()
    return days


@given(since=DAYS, days=st.integers(0, 500), more=st.integers(0, 100))
@settings(max_examples=30)
def test_a_day_is_a_holiday_whatever_days_are_asked_for(since: date, days: int, more: int) -> None:
    until = since + timedelta(days=days)
    wider = of(since - timedelta(days=more), until + timedelta(days=more))
    assert of(since, until) == [day for day in wider if since <= day < until]


def test_easter_and_federal_holidays_are_among_them() -> None:
    known = of(date(2017, 1, 1), date(2018, 1, 1))
    assert known == sorted(known)
    assert {date(2017, 4, 16), date(2017, 7, 4), date(2017, 11, 23), date(2017, 12, 25)} <= {*known}
