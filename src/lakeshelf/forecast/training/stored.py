"""Features and demand as a lake has stored them, at the versions that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from lakeshelf.contracts.layers import Curated
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.frames import HORIZON, KEY
from lakeshelf.lake.rows.port import ReadTables

FEATURES, DEMAND = Curated.FEATURES_STORE, Curated.DAILY_DEMAND
TABLES = (FEATURES, DEMAND)
"""What a training reads."""
SHELF, DAY = KEY
SOLD = ("shelf_id", "day", "units", "lines", "lost_units", "stockout_hours")


def days(lake: ReadTables) -> pa.Table:
    """The days that have features: `feature_date`, `horizon_days`, oldest first.

    The horizon is null off cutoffs, and where rows were stored before there were features of a forecast.
    """
    batches = lake.read(FEATURES, columns=(DAY, HORIZON))
    parts = [_distinct(pa.table(batch)) for batch in batches]
    schema = pa.schema([SCHEMA.field(DAY), SCHEMA.field(HORIZON)])
    return _distinct(pa.concat_tables([schema.empty_table(), *parts])).sort_by(DAY)


def features(lake: ReadTables, some: Sequence[date]) -> pa.RecordBatchReader:
    """Features of all shelves on days, as they were stored."""
    return lake.read(FEATURES, columns=SCHEMA.names, where=[(DAY, "in", list(some))])


def demand(lake: ReadTables, until: date) -> pa.Table:
    """Daily demand of the days before one, with all that has come late, by shelf and day."""
    rows = lake.read(DEMAND, columns=SOLD, where=[("day", "<", until)]).read_all()
    return rows.sort_by([(SHELF, "ascending"), ("day", "ascending")])


def begun(demand: pa.Table) -> pa.Table:
    """`shelf_id` and `day` of the first sale of each shelf."""
    sold = demand.filter(pc.greater(demand["lines"], 0))
    firsts = sold.group_by(SHELF, use_threads=False).aggregate([("day", "min")])
    return firsts.select([SHELF, "day_min"]).rename_columns([SHELF, "day"])


def _distinct(rows: pa.Table) -> pa.Table:
    return rows.group_by([DAY, HORIZON], use_threads=False).aggregate([])
