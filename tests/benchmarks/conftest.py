"""The benchmarks stand beside `src`, so the checkout has to be importable; some ask for a small year of receipts."""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.modules import load
from lakeshelf.settings import project_home

if str(project_home()) not in sys.path:
    sys.path.insert(0, str(project_home()))

PRODUCTS = [
    {"product_id": 1, "department": "PRODUCE", "product_category": "APPLES"},
    {"product_id": 2, "department": None, "product_category": None},
    {"product_id": 3, "department": "FUEL", "product_category": "FUEL"},
]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose files stand for the year: transactions, products, promotions."""
    replay = load(project_home() / "kafka-components" / "replay" / "replay_tables.py")
    monkeypatch.setattr(replay, "data_file", lambda name: tmp_path / f"{name}.parquet")
    pq.write_table(pa.Table.from_pylist(PRODUCTS), tmp_path / "products.parquet")
    promotion = {"display_location": "0", "mailer_location": "A"}
    planned = [
        {"store_id": store, "product_id": product, "week": week} | promotion
        for store, product in ((7, 1), (7, 2), (8, 1))
        for week in (1, 2)
    ]
    pq.write_table(pa.Table.from_pylist(planned), tmp_path / "promotions.parquet")
    return tmp_path
