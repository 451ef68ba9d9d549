"""Features of a day come from before it, and are the same whatever other days are made with it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.forecast.demand import rows
from lakeshelf.forecast.demand.engine import BOUNDS, engine
from lakeshelf.forecast.demand.features import SCHEMA, FeatureError, admitted, columns
from lakeshelf.forecast.demand.features_sql import SQL
from lakeshelf.forecast.demand.windows import cutoffs

from .worlds import BEGIN, DAYS, SHELVES, Row, chosen, day, known, lakes, promotion, sold

MANY = [row for row in cutoffs(BEGIN, day(DAYS)).to_pylist() if row["feature_date"] > day(380)]
TODAY, NEXT = MANY[40]["feature_date"], MANY[41]["feature_date"]
"""Two cutoff days in the midst of the lake, one after the other."""


def features(places: pa.Table, **tables: list[Row]) -> pa.Table:
    """All features of rows."""
    return pa.concat_tables(rows.features(places, known(**tables)))


def of(*days: date) -> pa.Table:
    """A row for each shelf on each of these days."""
    return chosen(*((shelf, n, 3) for shelf in SHELVES for n in days))


def one(places: pa.Table, **tables: list[Row]) -> dict[str, Any]:
    """The features of a row."""
    (row,) = features(places, **tables).to_pylist()
    return row


def test_the_statement_itself_gives_the_types_of_features() -> None:
    """Sums that are wider, and narrowed later, take longer to sort and to hand over."""
    tables = known(demand=[sold(SHELVES[0], 400)]).tables()
    with engine({**tables, "chosen": of(TODAY)}, BOUNDS) as connection:
        rows.prepare(connection, TODAY, TODAY)
        made = connection.execute(SQL).to_arrow_table()
    assert made.column_names == SCHEMA.names
    assert made.schema.types == SCHEMA.types


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    before=lakes(last=(TODAY - BEGIN).days - 1),
    after=lakes(first=(TODAY - BEGIN).days),
    other=lakes(first=(TODAY - BEGIN).days),
)
def test_what_happens_from_the_day_on_changes_no_feature_of_it(
    before: dict[str, list[Row]], after: dict[str, list[Row]], other: dict[str, list[Row]]
) -> None:
    """M1, also where later days are made with it; promotions count by when they became known."""
    first, second = (
        {
            n: before[n] + [r for r in later[n] if _key(n, r) not in _keys(n, before[n])]
            for n in before
        }
        for later in (after, other)
    )
    one, another = (features(of(TODAY, NEXT), **lake) for lake in (first, second))
    today = pc.equal(one["feature_date"], TODAY)
    assert one.filter(today).equals(another.filter(today))


def _key(name: str, row: Row) -> tuple[Any, ...]:
    names = {"demand": ("shelf_id", "day"), "visits": ("store_id", "day")}
    return tuple(row[n] for n in names.get(name, ("shelf_id", "week")))


def _keys(name: str, table: list[Row]) -> set[tuple[Any, ...]]:
    return {_key(name, row) for row in table}


@pytest.mark.slow
@settings(max_examples=8, deadline=None)
@given(lake=lakes(), picked=st.sets(st.sampled_from(range(len(MANY))), min_size=1, max_size=30))
def test_one_day_alone_and_many_at_once_are_equal(
    lake: dict[str, list[Row]], picked: set[int]
) -> None:
    """To the last byte, means and ratios too, and with nothing older than the two reaches."""
    days = [MANY[n]["feature_date"] for n in sorted(picked)]
    together = features(of(*days), **lake)
    with rows.looking_back(known(**lake), days[0], days[-1]) as features_of:
        for n in days[:: max(1, len(days) // 2)]:
            oldest = n - timedelta(days=2 * rows.REACH)
            recent = {**lake, "demand": [r for r in lake["demand"] if r["day"] >= oldest]}
            alone = features(of(n), **recent)
            of_day = together.filter(pc.equal(together["feature_date"], n)).combine_chunks()
            assert alone.equals(of_day)
            assert features_of(of(n)).equals(of_day)


def test_sums_are_of_the_days_before() -> None:
    """Day by day, for windows of every length."""
    d = (TODAY - BEGIN).days
    row = one(
        chosen((SHELVES[0], TODAY, 3)),
        demand=[
            sold(SHELVES[0], d - n, 1, lost_units=2) for n in (1, 3, 7, 14, 28, 56, 91, 182, 183)
        ]
        + [sold(SHELVES[2], d - 5, 10), sold(SHELVES[1], d - 20, 100)],
        visits=[{"store_id": "S1", "day": day(d - n), "visits": 10} for n in (0, 1, 2, 8, 29)],
    )
    assert [row[f"units_sold_{n}d"] for n in (1, 3, 7, 14, 28, 56, 91, 182)] == list(range(1, 9))
    assert [row[f"lines_{n}d"] for n in (28, 91, 182)] == [5, 7, 8]
    assert (row["lost_sales_7d"], row["lost_sales_28d"]) == (6, 10)
    assert (row["days_since_sale"], row["days_known"], row["peak_91d"]) == (1, 182, 1)
    assert (row["item_units_7d"], row["item_units_28d"], row["item_units_91d"]) == (13, 15, 17)
    assert row["item_rate_91d"] == 17 / 2
    assert (row["category_units_7d"], row["category_units_28d"]) == (3, 105)
    assert (row["subcategory_units_28d"], row["subcategory_rate_91d"]) == (5, 7)
    assert (row["store_units_7d"], row["store_units_28d"]) == (3, 105)
    assert [row[f"store_visits_{n}d"] for n in (1, 7, 28)] == [10, 20, 30]
    assert row["same_days_4w"] == 3, "days D-7, D-14 and D-28 are weekdays of the window"


def test_the_means_of_a_steady_shelf_are_its_rate() -> None:
    """A unit every fourth day: two a day in eight would be another."""
    d = (TODAY - BEGIN).days
    row = one(
        chosen((SHELVES[0], TODAY, 3)), demand=[sold(SHELVES[0], n, 2) for n in range(d - 4, 0, -4)]
    )
    assert (row["sale_size"], row["sale_interval"]) == (2, 4)
    assert row["sba"] == 0.95 * 2 / 4
    assert row["tsb"] == pytest.approx(0.5, rel=0.1)
    assert row["mean_28d"] == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(("ages", "interval"), [([10], 182), ([10, 40], (30 + 0.9 * 152) / 1.9)])
def test_the_wait_before_the_first_sale_in_reach_is_an_interval(ages, interval) -> None:
    """Rare goods would else seem to sell as often as by chance they did lately."""
    d = (TODAY - BEGIN).days
    row = one(chosen((SHELVES[0], TODAY, 3)), demand=[sold(SHELVES[0], d - age, 3) for age in ages])
    assert row["sale_interval"] == pytest.approx(interval)
    assert row["sba"] == pytest.approx(0.95 * 3 / interval)


def test_a_shelf_that_first_sells_on_the_day_has_sold_nothing() -> None:
    row = one(chosen((SHELVES[0], TODAY, 3)), demand=[sold(SHELVES[0], (TODAY - BEGIN).days, 7)])
    assert row["units_sold_182d"] == row["lines_91d"] == row["mean_7d"] == 0
    assert row["days_since_sale"] is row["sba"] is row["last_price"] is None


def test_days_of_zeros_and_no_days_at_all_have_a_row() -> None:
    """A lake without receipts, and one with nothing but lost sales."""
    d = (TODAY - BEGIN).days
    zeros = [sold(shelf, d - n, 0) for shelf in SHELVES for n in (1, 5)]
    for demand in ([], zeros):
        table = features(of(TODAY), demand=demand)
        assert len(table) == len(SHELVES)
        assert pc.sum(table["units_sold_182d"]).as_py() == 0
        assert admitted(table).schema == SCHEMA


def test_units_in_thousands_are_summed_without_loss() -> None:
    d = (TODAY - BEGIN).days
    most = [sold(SHELVES[0], d - n, 10_000_000, revenue=1) for n in range(1, 183)]
    row = one(chosen((SHELVES[0], TODAY, 3)), demand=most)
    assert row["units_sold_182d"] == 1_820_000_000
    assert row["mean_7d"] == pytest.approx(1e7, rel=1e-4)


def test_a_promotion_counts_once_it_is_known() -> None:
    """Window Sunday to Tuesday: two of its days are in the week that begins on Monday."""
    sunday = next(r["feature_date"] for r in MANY if r["feature_date"].weekday() == 6)
    monday = sunday + timedelta(days=1)
    week_before = promotion(SHELVES[0], monday - timedelta(days=7), BEGIN, "5", "D")
    for announced, display, days in ((sunday, None, 1), (sunday - timedelta(days=1), "7", 3)):
        planned = [week_before, promotion(SHELVES[0], monday, announced, "7", "0")]
        row = one(chosen((SHELVES[0], sunday, 3)), promotions=planned)
        assert (row["display"], row["display_before"], row["mailer_before"]) == (display, "5", "D")
        assert row["promoted_days"] == days


def test_what_sold_on_promoted_days_is_told_apart() -> None:
    """A promotion counts for the days from the one after it became known on; the other store has one, too."""
    monday = TODAY - timedelta(days=TODAY.weekday() + 14)
    late = monday + timedelta(days=3)
    n = (monday - BEGIN).days
    row = one(
        chosen((SHELVES[0], TODAY, 3)),
        demand=[
            *(sold(SHELVES[0], n + k, 10**k) for k in (0, 3, 4, 6, 7)),
            sold(SHELVES[0], n - 1, 7),
            sold(SHELVES[2], n, 5),
            sold(SHELVES[2], n - 35, 9),
        ],
        promotions=[
            promotion(SHELVES[0], monday, late),
            promotion(SHELVES[2], monday, BEGIN, display="0"),
            promotion(SHELVES[2], monday - timedelta(days=35), BEGIN),
            promotion(SHELVES[0], monday - timedelta(days=7), BEGIN, display="0", mailer="0"),
        ],
    )
    assert row["promoted_days_91d"] == 3
    assert row["promoted_rate_91d"] == (10**4 + 10**6) / 3
    assert row["plain_rate_91d"] == (7 + 1 + 10**3 + 10**7) / 88
    assert row["item_promoted_units_91d"] == 10**4 + 10**6 + 5 + 9


def test_without_promotions_all_that_sold_is_plain() -> None:
    d = (TODAY - BEGIN).days
    row = one(chosen((SHELVES[0], TODAY, 3)), demand=[sold(SHELVES[0], d - 1, 91)])
    assert (row["plain_rate_91d"], row["promoted_days_91d"]) == (1, 0)
    assert row["promoted_rate_91d"] is None


def test_a_shelf_that_was_always_promoted_has_no_plain_rate() -> None:
    weeks = [TODAY - timedelta(days=TODAY.weekday() + 7 * n) for n in range(15)]
    row = one(
        chosen((SHELVES[0], TODAY, 3)), promotions=[promotion(SHELVES[0], w, BEGIN) for w in weeks]
    )
    assert (row["promoted_rate_91d"], row["promoted_days_91d"]) == (0, 91)
    assert row["plain_rate_91d"] is None


def test_days_in_stock_are_unknown_where_nobody_observes_them() -> None:
    d = (TODAY - BEGIN).days
    place = chosen((SHELVES[0], TODAY, 3))
    seen = [
        sold(SHELVES[0], d - n, 1, stockout_hours=h) for n, h in ((1, 0.0), (2, 3.0), (29, 24.0))
    ]
    assert one(place, demand=seen)["in_stock_days_28d"] == 27
    assert one(place, demand=[sold(SHELVES[0], d - 1)])["in_stock_days_28d"] is None


FORBIDDEN = (
    *("current_stock", "in_transit", "max_stock", "standard_batch_size", "reorder_point_qty"),
    *("suggested_qty", "unit_price", "days_to_expiry", "demand", "units_sold_next_3d"),
)
"""Columns that follow from decisions, and two from the future."""


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_column_that_no_forecast_may_read_is_refused_by_name(name: str) -> None:
    """Also the target itself, planted among the features."""
    table = features(of(TODAY))
    planted = table.append_column(name, pa.array([1] * len(table), pa.int64()))
    with pytest.raises(FeatureError, match=f": {name} is none"):
        admitted(planted)


def test_missing_mistyped_and_doubled_columns_are_named() -> None:
    table = features(of(TODAY)).drop(["sba"])
    text = pc.cast(table["peak_91d"], pa.float64())
    table = table.set_column(table.column_names.index("peak_91d"), "peak_91d", text)
    table = table.append_column("tsb", table["tsb"])
    with pytest.raises(FeatureError) as refused:
        admitted(table)
    assert refused.value.message == (
        "no features of a forecast: tsb is twice there, sba is missing, peak_91d is double, not int64"
    )


def test_whole_numbers_of_fewer_bytes_are_of_their_column() -> None:
    table = features(of(TODAY))
    place = table.column_names.index("peak_91d")
    fewer = table.set_column(place, "peak_91d", table["peak_91d"].cast(pa.int32()))
    assert admitted(fewer).equals(fewer)
    unsigned = table.set_column(place, "peak_91d", table["peak_91d"].cast(pa.uint32()))
    with pytest.raises(FeatureError, match="peak_91d is uint32, not int64"):
        admitted(unsigned)


def test_label_and_weight_go_along_when_they_are_named() -> None:
    table = features(of(TODAY))
    whole = table.append_column("weight", pa.array([1.0] * len(table)))
    assert admitted(whole, also=["weight"]).column_names == [*SCHEMA.names, "weight"]
    with pytest.raises(FeatureError, match="demand is missing"):
        admitted(table, also=["demand"])


def test_categories_are_frozen_as_the_rows_have_them() -> None:
    frozen = columns(features(of(TODAY)))
    assert set(frozen.names) == set(SCHEMA.names[2:])
    assert frozen.categories["subcategory"] == ("kind I1", "kind I2")
