from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake

NAME = "sales/lines"


def rows(*ids: int) -> pa.Table:
    return pa.table({"id": pa.array(ids, pa.int64()), "item": [f"item {n}" for n in ids]})


@pytest.fixture
def shop(tmp_path: Path) -> Lake:
    """Two tables; `sales/lines` holds rows 1, then 1 to 2, then 1 to 3 in versions 1 to 3."""
    lake = Lake(tmp_path / "lake", clock=lambda: datetime.now(UTC) + timedelta(seconds=1))
    for number in (1, 2, 3):
        lake.append(NAME, rows(number))
    lake.append("sales/prices", pa.table({"id": [1, 2], "price": [0.5, 1.5]}))
    return lake
