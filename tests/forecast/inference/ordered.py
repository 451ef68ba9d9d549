"""A lake on disk whose shelves are ordered for: the first half by a model's levels, the others by the rule."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakeshelf.contracts import CATALOG, arrow
from lakeshelf.contracts.layers import Curated, Ops, Staging
from lakeshelf.forecast.inference import day as d
from lakeshelf.forecast.inference.levels import messages, valid_until
from lakeshelf.forecast.inference.use import Choice, InUse
from lakeshelf.forecast.model.boosted import FACTORS
from lakeshelf.forecast.versions.folders import Version
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.write import writing
from lakeshelf.settings import project_home
from lakeshelf.shop.shortage import ENGINES
from lakeshelf.streams.declare.job import Job
from lakeshelf.streams.declare.registry import discover

from . import shop

Row = dict[str, Any]
LOT, POINT = 4, 5
BEGIN = datetime(shop.LAST.year, shop.LAST.month, shop.LAST.day, tzinfo=UTC)
STAMPS = {"version": 1, "deleted": False, "updated_at": BEGIN}
SHELVES = shop.SHELVES
BY_MODEL, BY_RULE = SHELVES[: len(SHELVES) // 2], SHELVES[len(SHELVES) // 2 :]
TABLES = (
    *("cleansed/wh_state", "cleansed/shelf_state"),
    *("cleansed/wh_batch_state", "cleansed/shelf_batch_state"),
    *("staging/shelf_transit", "staging/shelf_policies", Staging.SUPPLIER_ORDERS),
    *(Ops.WH_SUPPLIER_PLAN, Ops.MODEL_HEALTH),
)
"""Tables that are empty."""


@cache
def engine() -> Job:
    """The job that orders."""
    return discover(project_home())[ENGINES["warehouse"]]


def write(root: Path, name: str, *rows: Row, day: date = shop.LAST) -> None:
    """Append rows, as the owner of the table does on a business day."""
    contract = CATALOG.tables[name]
    tables.ensure(root, contract)
    seconds = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    table = pa.Table.from_pylist(list(rows), arrow.schema(contract.columns))
    handle, once = tables.open_table(root, name), Write.once(Txn(contract.owner, seconds))
    if rows:
        writing.append(handle, name, table, once)
    else:
        writing.note(handle, name, once)


def again(root: Path, name: str, *rows: Row) -> None:
    """Other rows than there were."""
    shutil.rmtree(root / name)
    write(root, name, *rows)


def features(**changed: Any) -> list[Row]:
    """Rows of features of the cutoff day as they are stored, of empty shelves."""
    required = [f.name for f in CATALOG.tables[Curated.FEATURES_STORE].columns if f.required]
    plain = dict.fromkeys(required, 0) | {"is_weekend": False, "created_at": BEGIN}
    rows = shop.of_day(shop.LAST).to_pylist()
    items = [{"item_id": row["shelf_id"].partition("-")[2]} for row in rows]
    pairs = zip(items, rows, strict=True)
    return [plain | item | row | {"discount": Decimal(0)} | changed for item, row in pairs]


def make(root: Path) -> Version:
    """The lake, with a champion whose means are corrected, by store."""
    version = shop.published(root, **{FACTORS: {"": 1.1, "S0": 0.9}})
    for table in TABLES:
        tables.ensure(root, CATALOG.tables[table])
    write(root, Ops.MODELS, *shop.deciding(version, BEGIN))
    write(root, Curated.SHELF_PROFILES, *map(_profile, SHELVES))
    write(root, Staging.WH_POLICIES, *map(_policy, SHELVES))
    write(root, Curated.FEATURES_STORE, *features())
    said = d.predictions(_day(), Choice(InUse("champion", version), None, {}), _until(), BEGIN)
    rows = said.rows.to_pylist()
    write(root, Curated.PREDICTIONS, *rows)
    write(root, Staging.ORDER_LEVELS, *({**STAMPS, **level} for level in messages(rows)))
    return version


def _until() -> datetime:
    return valid_until(shop.LAST)


def _profile(shelf: str) -> Row:
    store, _, item = shelf.partition("-")
    goods = {"unit_price": Decimal(2), "max_stock": 20, "standard_batch_size": LOT}
    names = {"shelf_id": shelf, "store_id": store, "item_id": item, "name": f"Goods {item}"}
    return {**names, **goods, **STAMPS, "shelf_life_days": 30}


def _policy(shelf: str) -> Row:
    source = "ml" if shelf in BY_MODEL else "rule"
    policy = {"plan_source": source, "reorder_point_qty": POINT, "active": True}
    return {"shelf_id": shelf, **policy, **STAMPS}


def _day() -> d.CutoffDay:
    shelves = [_profile(shelf) for shelf in SHELVES]
    held = ("shelf_id", "store_id", "item_id", "unit_price", "shelf_life_days")
    goods = pa.Table.from_pylist(
        [{n: row[n] for n in (*held, "standard_batch_size")} for row in shelves]
    )
    room = [
        {**_policy(s), "service_level": None, "allow_zero": False, "batch_multiplier": 1}
        for s in SHELVES
    ]
    stock = dict.fromkeys(("current_stock", "wh_current_stock", "in_transit"), 0)
    empty = {"shelf_id": pa.array([], pa.string()), "total_qty": pa.array([], pa.int64())}
    known = d.DayInputs(
        pa.Table.from_pylist([{"shelf_id": s, **stock} for s in SHELVES]),
        goods,
        pa.Table.from_pylist(room),
        pa.Table.from_pylist([{"shelf_id": s, "min_qty": 1} for s in SHELVES]),
        pa.table(empty),
    )
    return d.of(shop.LAST, known, shop.of_day(shop.LAST))
