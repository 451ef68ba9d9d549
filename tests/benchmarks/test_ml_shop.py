"""A lake of real receipts has what the trial of forecasts has of them, and departments that the trial leaves out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from benchmarks import ml_shop, receipts
from lakeshelf.contracts.layers import Curated
from lakeshelf.forecast.demand.known import Pins, known
from lakeshelf.forecast.demand.lakes import outstanding
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.components.bench import module

from .test_receipts import line, sell

pytestmark = pytest.mark.slow  # makes each table of the contract
DEMAND = ["shelf_id", "day", "store_id", "item_id", "units", "lines", "revenue"]
SHELF = ["shelf_id", "store_id", "item_id", "category", "subcategory", "shelf_life_days"]


def of_trial(rows: pa.Table, names: list[str]) -> list[dict[str, object]]:
    """Rows of goods that the trial looks at, in order."""
    kept = rows.select(names).sort_by([(name, "ascending") for name in names[:2]]).to_pylist()
    return [row for row in kept if not str(row["shelf_id"]).endswith("-I3")]


def test_demand_shelves_and_promotions_are_those_of_the_trial(files: Path, tmp_path: Path) -> None:
    first, until = datetime(2017, 3, 1, 9, tzinfo=UTC), date(2017, 3, 9)
    sold = [
        line(7, 1 + n % 3, 10 + n // 2, first + timedelta(hours=5 * (n // 2)), n % 4)
        for n in range(40)
    ]
    sell(files, [*sold, line(8, 1, 99, first)])
    root, sources = tmp_path / "lake", module("shelf-daily-features").SOURCES
    assert ml_shop.made(root, [0], until) == 3
    new = outstanding(Lake(root), sources, until)
    assert new is not None
    made, year = known(Pins(Lake(root)), sources, first.date(), until), receipts.year([0])
    days = [row for row in of_trial(year.demand, DEMAND) if row["day"] < until]
    assert of_trial(new.rows, DEMAND) == days != []
    assert of_trial(made.shelves, SHELF) == of_trial(year.shelves, SHELF)
    assert tables.row_count(root, Curated.SHELF_PROFILES) == len(year.shelves) + 1
    planned = tables.rows(root, Curated.PROMOTIONS, ["shelf_id", "week", "mailer", "known_at"])
    assert of_trial(planned, planned.column_names) == of_trial(
        year.promotions, planned.column_names
    )
