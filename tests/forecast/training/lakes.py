"""A small lake whose shelves sell at rates of their own, as their owners write it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Raw
from lakeshelf.forecast.demand.chosen import every
from lakeshelf.forecast.demand.known import Pins, known
from lakeshelf.forecast.demand.lakes import outstanding
from lakeshelf.forecast.demand.rows import features
from lakeshelf.forecast.demand.windows import cutoffs
from lakeshelf.forecast.model.boosted import BoostingSettings
from lakeshelf.forecast.model.folds import FoldPlan
from lakeshelf.forecast.training.trials import Progress, Work
from lakeshelf.forecast.versions.registry import Attribution
from lakeshelf.lake import Lake
from lakeshelf.lake.rows import tables
from tests.components.bench import module

BEGIN = date(2026, 1, 1)
SIZE = (2, 12)
"""Stores, and items of each."""
SOURCES = module("shelf-daily-features").SOURCES
OF_STOCK = ("current_stock", "wh_current_stock", "in_transit")
"""Columns of stored features that no forecast reads."""
PLAN = FoldPlan(folds=2, weeks=2, least_weeks=2, least_rows=100)
SETTINGS = BoostingSettings(trees=4, step=2, leaves=4, least_rows=5, sample=2_000)
WORK = Work(SETTINGS, PLAN)
ACT = Attribution("ada", datetime(2026, 7, 1, tzinfo=UTC), "a test")
Row = dict[str, Any]
Size = tuple[int, int]


def work(progress: Progress) -> Work:
    """`WORK`, which tells how far it is."""
    return replace(WORK, progress=progress)


def written(root: Path, days: int = 140, seed: int = 1, size: Size = SIZE) -> Path:
    """A lake with receipts of so many days from `BEGIN` on, and the features that were stored."""
    for name in (*vars(SOURCES).values(), Curated.FEATURES_STORE):
        tables.ensure(root, CATALOG.tables[name])
    put(root, Curated.SHELF_PROFILES, profiles(size))
    put(root, Raw.POS_TRANSACTIONS, receipts(0, days, seed, size))
    put(root, Raw.FOOT_TRAFFIC, visits(days, size[0]))
    store(root, days)
    return root


def put(root: Path, name: str, rows: list[Row] | pa.Table) -> None:
    """Append rows as the owner of the table does; what a row does not name is null."""
    contract = CATALOG.tables[name]
    if isinstance(rows, list):
        rows = pa.Table.from_pylist(rows, arrow.schema(contract.columns))
    Lake(root, writer=contract.owner).append(name, rows)


def settle(root: Path, days: int) -> None:
    """Bring daily demand up to date, late receipts among it."""
    new = outstanding(Lake(root), SOURCES, BEGIN + timedelta(days=days))
    if new is not None:
        writer = Lake(root, writer=CATALOG.tables[Curated.DAILY_DEMAND].owner)
        writer.merge(Curated.DAILY_DEMAND, new.rows, txn=new.txns)


def store(root: Path, days: int) -> None:
    """Daily demand and, of cutoff days, what was known when they began, as the daily job stores it."""
    settle(root, days)
    first, last = BEGIN + timedelta(days=1), BEGIN + timedelta(days=days)
    if last < first:
        return
    world = known(Pins(Lake(root)), SOURCES, first, last)
    chosen = every(world.shelves, cutoffs(first, last + timedelta(days=1)))
    made = pa.concat_tables(features(chosen, world))
    put(root, Curated.FEATURES_STORE, _with_stock(made))


def _with_stock(made: pa.Table) -> pa.Table:
    schema = arrow.schema(CATALOG.tables[Curated.FEATURES_STORE].columns)
    fill = dict.fromkeys(OF_STOCK, 0) | {"created_at": ACT.at}
    columns = [
        made[field.name]
        if field.name in made.column_names
        else pa.array([fill.get(field.name)] * made.num_rows, field.type)
        for field in schema
    ]
    return pa.table(dict(zip(schema.names, columns, strict=True))).cast(schema)


def shelves(size: Size = SIZE) -> list[tuple[str, str, str]]:
    """Shelf, store and item."""
    places = product(*(range(1, number + 1) for number in size))
    return [(f"S{s}-I{i}", f"S{s}", f"I{i}") for s, i in places]


def profiles(size: Size = SIZE) -> list[Row]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "shelf_id": shelf,
            "store_id": store,
            "item_id": item,
            "name": f"item {item}",
            "category": "food" if int(item[1:]) % 2 else "drinks",
            "subcategory": f"kind {int(item[1:]) % 3}",
            "max_stock": 20,
            "unit_price": 2,
            "standard_batch_size": 4,
            "shelf_life_days": None if int(item[1:]) % 3 else 7,
            "version": 1,
            "updated_at": at,
            "deleted": False,
        }
        for shelf, store, item in shelves(size)
    ]


def receipts(first: int, days: int, seed: int = 1, size: Size = SIZE) -> list[Row]:
    """A receipt a shelf and day with a sale."""
    random = np.random.default_rng(seed)
    rates = np.random.default_rng(7).gamma(1.0, 0.8, size[0] * size[1])
    rows = []
    for n in range(first, first + days):
        for (shelf, store, item), units in zip(shelves(size), random.poisson(rates), strict=True):
            if units:
                rows.append(receipt(f"{n}:{shelf}", n, store, shelf, item, int(units)))
    return rows


def receipt(name: str, n: int, store: str, shelf: str, item: str, units: int) -> Row:
    """A receipt of one line."""
    line = {
        "shelf_id": shelf,
        "item_id": item,
        "quantity": units,
        "unit_price": 2,
        "discount": 0,
        "total_price": 2 * units,
    }
    own = {"transaction_id": name, "customer_id": "C", "total_gross": 2 * units, "items": [line]}
    return event(Raw.POS_TRANSACTIONS, name, n, store) | own


def event(name: str, key: str, n: int, store: str) -> Row:
    """An event at noon of a day, with every column that it has to have."""
    at = datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(days=n)
    return {
        "event_id": f"{name}:{key}",
        "event_type": "transaction_completed",
        "event_time": at,
        "event_date": at.date(),
        "store_id": store,
        "schema_version": 1,
        "kafka_partition": 0,
        "kafka_offset": 0,
        "kafka_timestamp": at,
        "ingested_at": at,
    }


def visits(days: int, stores: int = SIZE[0]) -> list[Row]:
    """A visit a store and day."""
    return [
        event(Raw.FOOT_TRAFFIC, f"{n}:S{s}", n, f"S{s}")
        | {"event_type": "entry", "visit_id": f"{n}:S{s}", "customer_id": "C"}
        for n in range(days)
        for s in range(1, stores + 1)
    ]
