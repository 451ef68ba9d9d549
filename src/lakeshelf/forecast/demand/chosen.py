"""Which rows are made: all of some cutoff days, or those of training (docs/design/forecasting.md#features)."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from lakeshelf.forecast.demand import windows
from lakeshelf.forecast.demand.engine import BOUNDS, EngineBounds, engine
from lakeshelf.forecast.demand.features import SCHEMA
from lakeshelf.forecast.demand.segments import ACTIVE_DAYS, ACTIVE_LINES, LINES
from lakeshelf.forecast.frames import WEIGHT

ALL = """
SELECT shelf_id, feature_date, horizon_days, 1.0::DOUBLE AS weight
FROM shelves CROSS JOIN cutoffs ORDER BY feature_date, shelf_id
"""

SAMPLE_SQL = """
WITH change AS (
    SELECT shelf_id, day + 1 AS since, lines FROM demand WHERE lines > 0
    UNION ALL SELECT shelf_id, day + 1 + $days::INTEGER, -lines FROM demand WHERE lines > 0),
step AS (SELECT shelf_id, since, sum(lines) AS lines FROM change GROUP BY shelf_id, since),
span AS MATERIALIZED (
    SELECT shelf_id, since, lead(since, 1, 'infinity'::DATE) OVER w AS until, sum(lines) OVER w AS lines,
        numbered(shelf_id) AS number
    FROM step WINDOW w AS (PARTITION BY shelf_id ORDER BY since)),
candidate AS (
    SELECT shelf_id, feature_date, horizon_days, lines >= $active AS active,
        is_drawn(number, feature_date, $seed, $of) AS sampled
    FROM span JOIN cutoffs ON feature_date >= since AND feature_date < until)
SELECT shelf_id, feature_date, horizon_days, CASE WHEN active THEN 1 ELSE $of END::DOUBLE AS weight
FROM candidate WHERE active OR sampled ORDER BY feature_date, shelf_id
"""

STORED_SQL = f"""
SELECT {", ".join(SCHEMA.names)}, CASE WHEN {LINES} >= $active THEN 1 ELSE $of END::DOUBLE AS {WEIGHT}
FROM stored JOIN begun USING (shelf_id)
    SEMI JOIN week ON isodow(feature_date) = week.weekday AND stored.horizon_days = week.horizon_days
WHERE feature_date > begun.day
    AND ({LINES} >= $active OR is_drawn(numbered(shelf_id), feature_date, $seed, $of))
ORDER BY feature_date, shelf_id
"""

SCATTER = """
CREATE MACRO mix(n) AS ((n % 2147483647) * 48271 + 12345) % 2147483647;
CREATE MACRO scatter(n) AS mix(mix(mix(n)));
CREATE MACRO numbered(id) AS (md5_number_lower(id) % 2147483647)::BIGINT;
CREATE MACRO is_drawn(number, day, seed, n) AS
    scatter(mix(number + seed) + (day - DATE '2000-01-01')) % n = 0
"""


def every(shelves: pa.Table, cutoffs: pa.Table, bounds: EngineBounds = BOUNDS) -> pa.Table:
    """A row for every shelf and cutoff day, as a prediction needs it.

    Args:
        shelves: `shelf_id` and whatever else.
        cutoffs: As `windows.cutoffs` makes them.
        bounds: Memory and threads.

    Returns:
        `shelf_id`, `feature_date`, `horizon_days`, `weight` (1), by day and shelf.
    """
    with engine({"shelves": shelves, "cutoffs": cutoffs}, bounds) as connection:
        return connection.execute(ALL).to_arrow_table()


@dataclass(frozen=True)
class Sample:
    """How much of the tail takes part in training.

    Args:
        of: One row in so many of shelves that are not active.
        seed: Which of them.
    """

    of: int = 20
    seed: int = 0


SAMPLE = Sample()


def sampled(
    demand: pa.Table, cutoffs: pa.Table, sample: Sample = SAMPLE, bounds: EngineBounds = BOUNDS
) -> pa.Table:
    """Rows of all active shelves and of some of the tail, which count for the others.

    A shelf is in it from the day after its first sale: before that nobody can tell whether there will be one.

    Args:
        demand: Rows of `curated/daily_demand`.
        cutoffs: As `windows.cutoffs` makes them.
        sample: Share of the tail.
        bounds: Memory and threads.

    Returns:
        `shelf_id`, `feature_date`, `horizon_days`, `weight` (rows that it stands for), by day and shelf.
    """
    values = {"days": ACTIVE_DAYS, "active": ACTIVE_LINES, "of": sample.of, "seed": sample.seed}
    with engine({"demand": demand, "cutoffs": cutoffs}, bounds) as connection:
        connection.execute(SCATTER)
        return connection.execute(SAMPLE_SQL, values).to_arrow_table()


def of_stored(
    stored: pa.Table | pa.RecordBatchReader,
    begun: pa.Table,
    sample: Sample = SAMPLE,
    bounds: EngineBounds = BOUNDS,
) -> pa.Table:
    """The same of rows as they were stored: what came late makes no shelf of theirs active.

    Args:
        stored: Rows of `curated/features_store`, with the columns of `features.SCHEMA` at least.
        begun: `shelf_id` and `day` of each shelf's first sale.
        sample: Share of the tail.
        bounds: Memory and threads.

    Returns:
        Columns of `features.SCHEMA` and `weight`, by day and shelf.
    """
    values = {"active": ACTIVE_LINES, "of": sample.of, "seed": sample.seed}
    tables = {"stored": stored, "begun": begun, "week": windows.week()}
    with engine(tables, bounds) as connection:
        connection.execute(SCATTER)
        rows = connection.execute(STORED_SQL, values).to_arrow_table()
        return rows.cast(SCHEMA.append(pa.field(WEIGHT, pa.float64())))
