"""Sources of tests: parquet files in folders, and what their rows are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq

from lakeshelf.lake import Lake

NAME = "sales/lines"


def put(folder: Path, name: str, table: pa.Table | dict[str, Any], **given: Any) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table) if isinstance(table, dict) else table, path, **given)
    return path


def lines(folder: Path, files: int = 3) -> Path:
    """A source of some files in folders by store."""
    for n in range(files):
        put(folder, f"store_id={n}/part-0.parquet", {"sku": [f"s{n}", None], "qty": [n, n + 1]})
    return folder


def place(values: dict[str, Any]) -> str:
    """Folders of a partition."""
    return "/".join(
        f"{k}={'__HIVE_DEFAULT_PARTITION__' if v is None else quote(str(v), safe='')}"
        for k, v in values.items()
    )


def counted(rows: list[dict[str, Any]]) -> Counter[str]:
    """Rows as a multiset, by column names."""
    return Counter(repr(sorted((k, _in_utc(v)) for k, v in row.items())) for row in rows)


def _in_utc(value: Any) -> Any:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else value


def in_lake(lake: Lake, name: str = NAME) -> Counter[str]:
    return counted(lake.read(name).read_all().to_pylist())


def left_over(root: Path) -> list[str]:
    """What lies in the lake besides tables and locks."""
    return [
        p.relative_to(root).as_posix()
        for p in (root / "_migrations").rglob("*")
        if p.suffix != ".lock"
    ]
