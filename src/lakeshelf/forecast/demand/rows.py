"""Rows of features: the same for one cutoff day and for many (docs/design/forecasting.md#features)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.features_sql import LOOKED_BACK_ON, MACROS, REACH, SQL
from lakeshelf.forecast.frames import HORIZON, KEY

if TYPE_CHECKING:
    import duckdb

DISCOUNT = "discount"
AT_ONCE = 13
"""Cutoff days that look back on the same tables, a month: what a year takes at once is more memory, not less time."""


@dataclass(frozen=True)
class ForecastInputs:
    """What a forecast may look at; none of it has stock, plans, orders or sizes.

    Args:
        demand: Rows of `curated/daily_demand`, from twice `REACH` days before the first cutoff day on.
        shelves: `shelf_id`, `store_id`, `item_id`, `category`, `subcategory`, `shelf_life_days`.
        visits: `store_id`, `day`, `visits`.
        promotions: `shelf_id`, `week` (its Monday), `display`, `mailer`, `known_at`.
        discounts: `shelf_id`, `discount_date`, `discount`.
        holidays: `day`.
    """

    demand: pa.Table
    shelves: pa.Table
    visits: pa.Table
    promotions: pa.Table
    discounts: pa.Table
    holidays: pa.Table

    def tables(self) -> dict[str, pa.Table]:
        """The tables by their names in SQL."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def features(
    chosen: pa.Table, known: ForecastInputs, bounds: EngineBounds = BOUNDS
) -> Iterator[pa.Table]:
    """Features of rows, by `AT_ONCE` cutoff days.

    Args:
        chosen: `shelf_id`, `feature_date`, `horizon_days`; shelves that `known.shelves` has.
        known: What there was; of events only those before a row's day count.
        bounds: Memory and threads.

    Yields:
        Tables of `SCHEMA`, by day and shelf.
    """
    days = sorted(chosen[KEY[1]].unique().to_pylist())
    for n in range(0, len(days), AT_ONCE):
        some = days[n : n + AT_ONCE]
        of_some = pc.is_in(chosen[KEY[1]], pa.array(some, pa.date32()))
        with looking_back(known, some[0], some[-1], bounds) as features_of:
            yield features_of(chosen.filter(of_some))


@contextmanager
def looking_back(
    known: ForecastInputs, first: date, last: date, bounds: EngineBounds = BOUNDS
) -> Iterator[Callable[[pa.Table], pa.Table]]:
    """What makes features of rows, time and again, while it is open; what they look back on is made once.

    Args:
        known: As `features` takes it.
        first: Day of the oldest rows.
        last: Day of the newest rows.
        bounds: Memory and threads.

    Yields:
        What takes chosen rows and gives a table of `SCHEMA`, by day and shelf.
    """
    with engine(known.tables(), bounds) as connection:
        prepare(connection, first, last)

        def features_of(chosen: pa.Table) -> pa.Table:
            connection.register("chosen", chosen)
            return connection.execute(SQL).to_arrow_table().cast(SCHEMA)

        yield features_of


def prepare(connection: duckdb.DuckDBPyConnection, first: date, last: date) -> None:
    """Make what rows of days from `first` to `last` look back on, in a database of what is known."""
    connection.execute(MACROS)
    for name, sql in LOOKED_BACK_ON.items():
        ends = {"first": first, "last": last} if "$first" in sql else {}
        connection.execute(f"CREATE TEMP TABLE {name} AS {sql}", ends)


def of_store(stored: pa.Table) -> pa.Table:
    """What a forecast may read of stored rows: of those whose window is that of the calendar.

    A row without a horizon, or with another one, is as if it was not stored.

    Args:
        stored: Rows of `curated/features_store`.

    Returns:
        A table of `SCHEMA`, by day and shelf.
    """
    week, weekday = windows.week(), pc.day_of_week(stored[KEY[1]], count_from_zero=False)
    places = pc.index_in(weekday, value_set=week[windows.WEEKDAY].combine_chunks())
    of_calendar = pc.equal(pc.take(week[HORIZON], places), stored[HORIZON])
    rows = stored.select(SCHEMA.names).filter(of_calendar)
    place = rows.column_names.index(DISCOUNT)
    # As text: Arrow's own cast of a decimal to a double is not always the nearest one.
    discounts = rows[DISCOUNT].cast(pa.string()).cast(pa.float64())
    rows = rows.set_column(place, DISCOUNT, discounts).cast(SCHEMA)
    return rows.sort_by([(KEY[1], "ascending"), (KEY[0], "ascending")])


__all__ = ["REACH", "ForecastInputs", "features", "looking_back", "of_store", "prepare"]
