"""Features of past cutoff days are those that the daily job would have written."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.layers import Curated, Raw
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.place.locks import FileLock
from lakeshelf.modules import load
from tests.streams.strategies import event

from .model import begin
from .test_stored_features import COMPONENT, DAY, OWNER, STORE, D, Shop

BACKFILL = load(Path(COMPONENT.__file__).with_name("features_backfill.py"))
FIRST = D - 12 * DAY
SOLD = {FIRST: 2, FIRST + 3 * DAY: 1, FIRST + 8 * DAY: 5, D - DAY: 3}
CUTOFFS = [date(2026, 2, 22), date(2026, 2, 24), date(2026, 2, 26), date(2026, 3, 1)]
LOTS = [("L1", 3, D + 9 * DAY), ("L2", 20, D + 30 * DAY)]
OF_FORECAST = [field.name for field in CATALOG.tables[STORE].columns if not field.required]
CUTOFFS += [date(2026, 3, 3), date(2026, 3, 5)]


def sell(shop: Shop, day: date) -> None:
    """What is sold on a day."""
    if day in SOLD:
        shop.sell(day, SOLD[day])
        shop.visit(day)


def stock(shop: Shop) -> None:
    """Two lots come before the first day; the older one is sold out within these days."""
    for number, (code, quantity, expiry) in enumerate(LOTS):
        lot = {"shelf_id": "A", "item_id": "I1", "batch_code": code, "quantity": quantity}
        for kind in ("wh_in", "wh_out"):
            made = event("wh_events", 2 * number + (kind == "wh_out"), begin(FIRST - DAY), **lot)
            times = {"event_date": FIRST - DAY, "event_type": kind, "expiry_date": expiry}
            shop.write(Raw.WH_EVENTS, made | times)


def fill(shop: Shop, **asked: Any) -> Any:
    """Back-fill a lake."""
    progress = asked.pop("progress", lambda *_: None)
    days = (asked.get("since"), asked.get("until"))
    return BACKFILL.backfill(shop.lake, shop.root / "_stack", *days, progress)


def past(root: Path) -> Shop:
    """A shop without features."""
    shop = Shop(root)
    for day in SOLD:
        sell(shop, day)
    return shop


def stored(shop: Shop) -> pa.Table:
    """Features of all days, and the demand that they come from."""
    return shop.lake.read(STORE).read_all().sort_by("feature_date")


def demand(shop: Shop) -> pa.Table:
    return shop.lake.read(Curated.DAILY_DEMAND).read_all().sort_by("day")


def test_features_of_a_back_fill_are_those_of_the_daily_job(tmp_path: Path) -> None:
    living = Shop(tmp_path / "living")
    stock(living)
    for n in range((D - FIRST).days + 1):
        day = FIRST + n * DAY
        if day in CUTOFFS:
            living.tick(day)
        sell(living, day)
    filled = past(tmp_path / "filled")
    stock(filled)
    assert fill(filled) == BACKFILL.Filled(tuple(CUTOFFS), len(CUTOFFS), len(SOLD), max(SOLD))
    assert stored(filled).equals(stored(living))
    left = stored(filled).select(["feature_date", "days_to_expiry"]).to_pylist()
    expiring = [row["feature_date"] + row["days_to_expiry"] * DAY for row in left]
    assert expiring == [LOTS[0][2]] * 2 + [LOTS[1][2]] * 4
    assert demand(filled).equals(demand(living))
    assert filled.lake.history(STORE)[0].metadata["inputs"].keys() >= {Curated.DAILY_DEMAND}


def test_a_back_fill_that_is_ended_goes_on_where_it_was(tmp_path: Path) -> None:
    shop = past(tmp_path)

    def ended(step: str, done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(shop, progress=ended)
    assert stored(shop)["feature_date"].to_pylist() == CUTOFFS[:3]
    assert fill(shop).days == tuple(CUTOFFS[3:])
    assert stored(shop)["feature_date"].to_pylist() == CUTOFFS
    assert fill(shop) == BACKFILL.Filled(last=max(SOLD))


@pytest.mark.parametrize("changed", [dict.fromkeys(OF_FORECAST, "NULL"), {"horizon_days": "9"}])
def test_rows_that_no_forecast_can_read_are_replaced(
    tmp_path: Path, changed: dict[str, str]
) -> None:
    """As an older version stored them, with features of stock alone; or with another calendar."""
    shop = past(tmp_path)
    fill(shop)
    whole = stored(shop)
    DeltaTable(str(tmp_path / STORE)).update(changed, predicate=f"feature_date < '{CUTOFFS[3]}'")
    assert {*stored(shop)["horizon_days"].to_pylist()[:3]} & {3, 4} == set()
    assert list(fill(shop).days) == CUTOFFS[:3]
    assert stored(shop).equals(whole)
    assert fill(shop) == BACKFILL.Filled(last=max(SOLD))


@pytest.mark.parametrize(
    ("since", "until", "days"),
    [
        (None, date(2026, 2, 26), CUTOFFS[:3]),
        (date(2026, 3, 1), None, CUTOFFS[3:]),
        (date(2026, 3, 2), date(2026, 3, 2), []),
        (date(2020, 1, 1), date(2030, 1, 1), CUTOFFS),
    ],
)
def test_only_days_that_are_asked_for_are_filled(
    tmp_path: Path, since: date | None, until: date | None, days: list[date]
) -> None:
    shop = past(tmp_path)
    assert list(fill(shop, since=since, until=until).days) == days
    latest = max(demand(shop)["day"].to_pylist(), default=None)
    assert latest is None or latest < days[-1]


def test_days_that_are_still_to_be_done_are_left_to_the_component(tmp_path: Path) -> None:
    shop = past(tmp_path)
    shop.tick(date(2026, 2, 27))
    assert list(fill(shop).days) == CUTOFFS[:3]


def test_a_lake_without_receipts_has_nothing_to_fill(tmp_path: Path) -> None:
    assert fill(Shop(tmp_path)) == BACKFILL.Filled()


def test_while_the_component_is_up_nothing_is_filled(tmp_path: Path) -> None:
    shop = past(tmp_path)
    lock = tmp_path / "_stack" / "locks" / f"{OWNER}.lock"
    with FileLock(lock, OWNER), pytest.raises(Conflict, match="lakeshelf down"):
        fill(shop)
    assert stored(shop).num_rows == 0
