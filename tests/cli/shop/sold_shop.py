"""A lake of two stores whose receipts are known, as its jobs would have written it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.forecast.whatif.history import DemandHistory
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.shop.naming import PROFILES
from tests.forecast.whatif import shops

TABLES = (
    PROFILES,
    "raw/pos_transactions",
    "raw/lost_sales",
    "staging/shelf_policies",
    "staging/wh_policies",
)
FIRST = shops.FIRST
PUBLISHED = datetime(2017, 1, 1, tzinfo=UTC)
POLICY = {"version": 1, "deleted": False, "active": True, "actor": "ann", "updated_at": PUBLISHED}


def past(shelves: int = 16, days: int = 70, seed: int = 7, stores: int = 2) -> DemandHistory:
    """What was sold; shelves are in the order of their ids, and prices are those of a profile."""
    made = shops.history(shelves, days, stores, seed)
    goods = made.goods
    goods.shelf_id[:] = [f"S{n:04}" for n in range(shelves)]
    goods.store_id[:] = [f"store {n // 2 % stores}" for n in range(shelves)]
    prices = pa.array([Decimal(f"{price:.2f}") for price in goods.price], pa.decimal128(12, 2))
    goods.price[:] = prices.cast(pa.float64())
    made.begins[:] = np.where(made.units.any(axis=0), (made.units > 0).argmax(axis=0), days)
    return made


def make(root: Path, sold: DemandHistory) -> Path:
    """The lake: profiles, receipts, no lost sale, and the default policies."""
    for name in TABLES:
        tables.ensure(root, CATALOG.tables[name])
    write(root, PROFILES, profiles(sold))
    write(root, "raw/pos_transactions", receipts(sold))
    return root


def write(root: Path, name: str, rows: Iterable[dict[str, Any]]) -> None:
    """Append rows in one commit."""
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    handle = tables.open_table(root, name)
    once = Write.once(Txn("test", handle.version() + 1))
    writing.append(handle, name, pa.Table.from_pylist(list(rows), schema=schema), once)


def profiles(sold: DemandHistory) -> Iterable[dict[str, Any]]:
    """Rows of `curated/shelf_profiles`."""
    goods = sold.goods
    for n, shelf in enumerate(goods.shelf_id):
        yield {
            "shelf_id": shelf,
            "store_id": goods.store_id[n],
            "item_id": f"I{n}",
            "name": f"Item {n}",
            "category": goods.category[n],
            "max_stock": int(goods.max_stock[n]),
            "unit_price": Decimal(f"{goods.price[n]:.2f}"),
            "standard_batch_size": int(goods.batch[n]),
            "shelf_life_days": None if np.isnan(goods.life[n]) else int(goods.life[n]),
            "version": 1,
            "updated_at": PUBLISHED,
        }


def receipts(sold: DemandHistory) -> Iterable[dict[str, Any]]:
    """A receipt a store and day, with a line for each shelf that sold."""
    goods = sold.goods
    for day, units in enumerate(sold.units):
        at = datetime.combine(FIRST, datetime.min.time(), UTC) + timedelta(days=day, hours=10)
        for store in sorted(set(goods.store_id)):
            bought = np.flatnonzero((units > 0) & (goods.store_id == store))
            if bought.size:
                items = [line(sold, n, int(units[n]), number) for number, n in enumerate(bought, 1)]
                yield {
                    **event(f"t{day}-{store}", at, "sale"),
                    "store_id": store,
                    "transaction_id": f"t{day}-{store}",
                    "customer_id": "C1",
                    "items": items,
                }


def line(sold: DemandHistory, shelf: int, units: int, number: int) -> dict[str, Any]:
    """A line of a receipt."""
    price = Decimal(f"{sold.goods.price[shelf]:.2f}")
    return {
        "line": number,
        "item_id": f"I{shelf}",
        "shelf_id": sold.goods.shelf_id[shelf],
        "quantity": units,
        "unit_price": price,
        "discount": Decimal(0),
        "total_price": price * units,
    }


def lost(sold: DemandHistory, shelf: int, day: date, units: int) -> dict[str, Any]:
    """A row of `raw/lost_sales`."""
    at = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
    return {
        **event(f"l{shelf}-{day}", at, "lost_sale"),
        "store_id": sold.goods.store_id[shelf],
        "shelf_id": sold.goods.shelf_id[shelf],
        "item_id": f"I{shelf}",
        "customer_id": "C2",
        "quantity": units,
    }


def event(name: str, at: datetime, kind: str) -> dict[str, Any]:
    """What all events have."""
    return {
        "event_id": name,
        "event_type": kind,
        "event_time": at,
        "schema_version": 1,
        "kafka_partition": 0,
        "kafka_offset": 0,
        "kafka_timestamp": at,
        "ingested_at": at,
        "event_date": at.date(),
    }
