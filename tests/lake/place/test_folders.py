"""A lake is in the folder that was named and nowhere else, or it is refused before anything is made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lakeshelf import query
from lakeshelf.errors import ConfigurationError
from lakeshelf.lake import Lake
from lakeshelf.lake.place import storage
from lakeshelf.settings import load_settings

ROWS = [{"shelf": "S1", "units": 3}, {"shelf": "S2", "units": 4}]
USABLE = (
    "filé", "e\u0301", "lager für tee", "店舗", "🛒", "a,b", "#1", "{b}", "q'q", 'q"q', "a:b",
    "a&b", "a=b;c", "-x", "~t", "$HOME", "@a", "a`b", "(x)",
)  # fmt: skip
UNUSABLE = ("[a]", "a*b", "a?b", "a|b", "a^b", "a\\b", "50%", "a%20b", "a\nb", "a\x1bb", "a\udce9b")


def test_whether_a_table_moved_is_seen_without_opening_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert not storage.has_version(lake.root, "curated/stock", 0)
    version = lake.append("curated/stock", ROWS).version
    assert version is not None
    assert storage.has_version(lake.root, "curated/stock", version)
    assert not storage.has_version(lake.root, "curated/stock", version + 1)


@pytest.mark.parametrize("name", USABLE)
def test_a_lake_can_be_in_a_folder_of_any_language(tmp_path: Path, name: str) -> None:
    lake = Lake(load_settings(lake_root=str(tmp_path / name / "lake")).lake_root)
    lake.append("curated/stock", ROWS[:1])
    lake.append("curated/stock", ROWS[1:])
    assert sorted(lake.read("curated/stock").read_all().to_pylist(), key=str) == ROWS
    with query.run(lake, "SELECT sum(units) AS units FROM curated.stock") as found:
        assert [batch.to_pylist() for batch in found.batches()] == [[{"units": 7}]]
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_folder_that_engines_read_otherwise_is_refused_and_nothing_is_made(
    tmp_path: Path, name: str
) -> None:
    for attempt in (lambda at: load_settings(lake_root=at), Lake):
        with pytest.raises(ConfigurationError, match="no lake can be in") as refused:
            attempt(str(tmp_path / name / "lake"))
        str(refused.value).encode()
    assert os.listdir(tmp_path) == []
