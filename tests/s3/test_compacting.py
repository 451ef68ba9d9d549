"""Files of a table in a bucket are merged once, however many do so at once, and whatever slept meanwhile."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.errors import LakeError
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import HOOKS, Write
from lakeshelf.lake.place.errors import Conflict
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import compacting, maintenance, optimizing

NAME = "curated/counts"
FILES = 8
MB = 1024 * 1024


@pytest.fixture
def table(lake: Lake) -> Lake:
    """A table of small files."""
    for n in range(FILES):
        lake.append(NAME, [{"n": n, "word": f"w{n}"}])
    return lake


def counted(lake: Lake) -> Counter[int]:
    return Counter(row["n"] for row in lake.read(NAME).read_all().to_pylist())


def opened(lake: Lake) -> DeltaTable:
    return tables.open_table(lake.root, NAME)


def merged(handle: DeltaTable) -> dict[str, int]:
    return compacting.merge(handle, NAME, optimizing.files_of(handle), MB, Write())


def test_files_are_merged_and_every_row_stands_as_it_was(lake: Lake) -> None:
    rows = pa.table(
        {
            "day": [date(2026, 1, 1 + n % 2) for n in range(40)],
            "shop": [("S 0", "S 1%")[n % 2] if n % 4 else None for n in range(40)],
            "n": range(40),
            "price": [Decimal(n) / 4 for n in range(40)],
            "at": [datetime(2026, 1, 1, n % 24, tzinfo=UTC) for n in range(40)],
            "note": [None if n % 3 else "it's \u00fc" for n in range(40)],
        }
    )
    lake.create(NAME, rows.schema, partition_by=["day", "shop"])
    for n in range(0, 40, 2):
        lake.append(NAME, rows.slice(n, 2))
    before = lake.read(NAME).read_all().sort_by("n")
    report = maintenance.optimize(opened(lake), min_small_files=2)
    parts = {part.partition: (part.files, part.made) for part in report.done}
    assert parts == {
        "day=2026-01-01/shop=": (10, 1),
        "day=2026-01-01/shop=S 0": (10, 1),
        "day=2026-01-02/shop=S 1%": (20, 1),
    }
    assert not report.failed
    assert lake.read(NAME).read_all().sort_by("n").equals(before)
    assert len(opened(lake).file_uris()) == 3
    assert not maintenance.optimize(opened(lake), min_small_files=2).done


def test_what_was_merged_by_another_meanwhile_is_not_merged_again(table: Lake) -> None:
    late = opened(table)
    merged(opened(table))
    with pytest.raises(Conflict, match="committed to by others"):
        merged(late)
    assert counted(table) == Counter(range(FILES))
    late.update_incremental()
    assert merged(late) == {"numFilesAdded": 0, "numFilesRemoved": 0}


def test_without_the_condition_every_row_would_stand_twice(table: Lake) -> None:
    """The guarantee taken away: delta-rs commits over whatever was merged meanwhile."""
    late = opened(table)
    merged(opened(table))
    late.optimize.compact(post_commithook_properties=HOOKS)
    assert counted(table) == Counter(dict.fromkeys(range(FILES), 2))


def test_many_merge_while_others_append(table: Lake) -> None:
    def merge() -> None:
        for _ in range(4):
            maintenance.optimize(opened(table), min_small_files=2)

    def append(first: int) -> None:
        for n in range(first, first + 10):
            Lake(table.root).append(NAME, [{"n": n, "word": "more"}])

    threads = [threading.Thread(target=merge) for _ in range(2)]
    threads += [threading.Thread(target=append, args=(first,)) for first in (100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counted(table) == Counter([*range(FILES), *range(100, 110), *range(200, 210)])
    kinds = {entry["operation"] for entry in opened(table).history()}
    assert {"OPTIMIZE", "WRITE"} <= kinds


def test_an_overwrite_replaces_also_what_was_merged_meanwhile(table: Lake) -> None:
    mine = table.dataset(NAME)
    merged(opened(table))
    table.overwrite(mine.name, [{"n": 1, "word": "only"}])
    assert counted(table) == Counter([1])


def test_z_order_is_refused_with_the_way_out(table: Lake) -> None:
    with pytest.raises(LakeError, match="without doubling") as refused:
        maintenance.optimize(opened(table), columns=["n"])
    assert "--zorder" in str(refused.value.hint)
