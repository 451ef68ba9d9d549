"""A cutoff day of a small shop: what its versions say, and of which shelves the engine hears."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.forecast.inference import day as d
from lakeshelf.forecast.inference.levels import valid_until
from lakeshelf.forecast.inference.use import NOBODY, Choice, InUse

from . import shop

pytestmark = [pytest.mark.slow, pytest.mark.ml]  # a model is trained
BEGIN = datetime(shop.LAST.year, shop.LAST.month, shop.LAST.day, tzinfo=UTC)
UNTIL = valid_until(shop.LAST)


def table(**columns: Any) -> pa.Table:
    """A row a shelf; one value stands for all."""
    shelves = shop.SHELVES
    return pa.table(
        {"shelf_id": shelves}
        | {n: v if isinstance(v, list) else [v] * len(shelves) for n, v in columns.items()}
    )


def known(features: pa.Table | None = None, **room: Any) -> d.DayInputs:
    """A shop whose shelves hold nothing; the first half is ordered for by a model."""
    half = len(shop.SHELVES) // 2
    sources = ["ml"] * half + ["rule"] * (len(shop.SHELVES) - half)
    policies = {"service_level": pa.nulls(len(sources), pa.float64()), "allow_zero": False}
    policies |= {"plan_source": sources, "batch_multiplier": 1, **room}
    goods = {
        "store_id": "S1",
        "item_id": "I1",
        "unit_price": 2.0,
        "shelf_life_days": 30,
        "standard_batch_size": 4,
    }
    empty = {"shelf_id": pa.array([], pa.string()), "total_qty": pa.array([], pa.int64())}
    columns = {n: v for n, v in policies.items() if not isinstance(v, pa.Array)}
    wide = table(**columns).append_column("service_level", policies["service_level"])
    stock = table(current_stock=0, wh_current_stock=0, in_transit=0)
    return d.DayInputs(
        stock if features is None else features,
        table(**goods),
        wide,
        table(min_qty=1),
        pa.table(empty),
    )


def choice(root: Path) -> Choice:
    """A champion, and a challenger beside it."""
    versions = [shop.published(root, rate=rate) for rate in (0.1, 0.2)]
    return Choice(InUse("champion", versions[0]), InUse("challenger", versions[1]), {})


def test_each_version_says_something_of_each_shelf_and_the_champion_is_heard(
    tmp_path: Path,
) -> None:
    of = d.of(shop.LAST, known(), shop.of_day(shop.LAST))
    said = d.predictions(of, choice(tmp_path), UNTIL, BEGIN)
    rows = said.rows.to_pylist()
    assert said.rows.schema == d.ROWS
    keys = {(row["model_version"], row["shelf_id"]) for row in rows}
    assert len(keys) == len(rows) == 2 * len(shop.SHELVES)
    sent = [row["shelf_id"] for row in rows if row["valid_until"] == UNTIL]
    assert sent == shop.SHELVES[: len(shop.SHELVES) // 2]
    assert {row["role"] for row in rows if row["valid_until"]} == {"champion"}
    ordered = [row for row in rows if row["role"] == "champion" and row["suggested_qty"]]
    of_tail = {row["segment"] == "tail": row["top_reasons"] is None for row in ordered}
    assert of_tail == {False: False, True: True}
    assert all((row["top_reasons"] is None) == (row["segment"] == "tail") for row in ordered)
    assert all(row["suggested_qty"] == 4 * row["predicted_batches"] for row in rows)
    assert said.fallen == dict.fromkeys(said.fallen, 0.0)


def test_the_same_day_is_predicted_the_same_again(tmp_path: Path) -> None:
    of = d.of(shop.LAST, known(), shop.of_day(shop.LAST))
    versions = choice(tmp_path)
    first, second = (d.predictions(of, versions, UNTIL, BEGIN) for _ in range(2))
    assert first.rows.equals(second.rows)


def test_past_the_cutoff_nothing_is_sent(tmp_path: Path) -> None:
    of = d.of(shop.LAST, known(), shop.of_day(shop.LAST))
    said = d.predictions(of, choice(tmp_path), None, BEGIN)
    assert said.rows.num_rows == 2 * len(shop.SHELVES)
    assert said.rows["valid_until"].null_count == said.rows.num_rows


def test_where_features_are_missing_the_rule_decides_for_all(tmp_path: Path) -> None:
    stock = table(current_stock=0, wh_current_stock=0, in_transit=0)[1:]
    of = d.of(shop.LAST, known(stock), shop.of_day(shop.LAST)[1:])
    said = d.predictions(of, choice(tmp_path), UNTIL, BEGIN)
    assert said.rows.num_rows == 0
    assert set(said.fallen.values()) == {1.0}
    assert all("lack 1 shelf" in problem for problem in said.problems.values())


def test_what_is_there_and_coming_needs_no_order(tmp_path: Path) -> None:
    stock = table(current_stock=400, wh_current_stock=0, in_transit=0)
    of = d.of(shop.LAST, known(stock), shop.of_day(shop.LAST))
    said = d.predictions(of, choice(tmp_path), UNTIL, BEGIN)
    assert set(said.rows["suggested_qty"].to_pylist()) == {0}
    assert said.rows["top_reasons"].null_count == said.rows.num_rows


def test_without_versions_nothing_is_said() -> None:
    of = d.of(shop.LAST, known(), shop.of_day(shop.LAST))
    assert d.predictions(of, NOBODY, UNTIL, BEGIN).rows.num_rows == 0
