"""What the log alone tells of a version."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.rows.snapshot import Snapshot

NAME = "silver/parted"


def parted(root: Path, *parts: list[str | None]) -> Snapshot:
    """A table in partitions by `kind`, a commit for each list of values."""
    lake = Lake(root)
    lake.create(NAME, pa.schema({"kind": pa.string(), "n": pa.int64()}), partition_by=["kind"])
    for kinds in parts:
        lake.append(NAME, pa.table({"kind": pa.array(kinds, pa.string()), "n": range(len(kinds))}))
    return lake.snapshot(NAME)


def forget_statistics(root: Path) -> None:
    """What a writer leaves that keeps none."""
    for entry in (root / NAME / "_delta_log").glob("*.json"):
        actions = [json.loads(line) for line in entry.read_text().splitlines()]
        for action in actions:
            action.get("add", {}).pop("stats", None)
        entry.write_text("".join(json.dumps(action) + "\n" for action in actions))


@pytest.mark.parametrize("known", [True, False])
def test_rows_of_each_partition(tmp_path: Path, known: bool) -> None:
    parts: list[list[str | None]] = [["a", "a", "b"], ["a", "c", None], ["b"]]
    snapshot = parted(tmp_path, *parts)
    if not known:
        forget_statistics(tmp_path)
        snapshot = Lake(tmp_path).snapshot(NAME)
    assert snapshot.rows_by("kind") == Counter(kind for part in parts for kind in part)


def test_a_table_without_files_has_no_rows_of_any(tmp_path: Path) -> None:
    assert parted(tmp_path).rows_by("kind") == {}
