"""Holidays that customers buy for: the federal ones of the United States, and Easter Sunday."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from lakeshelf import lean

SCHEMA = pa.schema([("day", pa.date32())])


def holidays(since: date, until: date) -> pa.Table:
    """The holidays of [since, until), oldest first.

    Args:
        since: First day.
        until: Day after the last one.

    Returns:
        `day`.
    """
    lean.admit(lean.PANDAS)
    import pandas as pd  # noqa: PLC0415 - slow to import
    from pandas.tseries.holiday import USFederalHolidayCalendar  # noqa: PLC0415 - slow to import
    from pandas.tseries.offsets import Easter  # noqa: PLC0415 - slow to import

    days = {day.date() for day in USFederalHolidayCalendar().holidays(str(since), str(until))}
    for year in range(since.year, until.year + 1):
        days.add((pd.Timestamp(year, 1, 1) + Easter()).date())
    return pa.table({"day": [day for day in sorted(days) if since <= day < until]}, SCHEMA)
