"""A lake in a bucket: rows appear in one commit, and a run that died goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.lake import Conflict, Lake
from lakeshelf.lake.place.storage import filesystem
from lakeshelf.lake.rows import tables
from lakeshelf.migration import Options, migrate, staging, verify
from tests.migration.layouts import NAME, in_lake, lines
from tests.s3.serving import Server, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture
def lake(server: Server) -> Lake:
    """A lake in a bucket of its own."""
    return Lake(f"s3://{server.bucket()}/root", storage_options=server.options)


def left_over(lake: Lake) -> list[str]:
    from pyarrow import fs

    files, base = filesystem(lake.root)
    found = files.get_file_info(fs.FileSelector(base, recursive=True))
    return [info.path for info in found if info.is_file and "_migrations" in info.path]


@pytest.mark.slow
def test_files_are_migrated_into_a_bucket_and_added_to_it(tmp_path: Path, lake: Lake) -> None:
    source = lines(tmp_path / "in", 2)
    made = migrate(lake, source, NAME, Options())
    assert (made.outcome, made.version) == ("migrated", 1)
    assert lake.names() == [NAME]
    lines(source, 3)
    assert migrate(lake, source, NAME, Options(), incremental=True).rows == 2
    assert sum(in_lake(lake).values()) == 6
    assert verify(lake, source, NAME, Options()).outcome == "verified"
    assert left_over(lake) == []


@pytest.mark.slow
def test_a_run_that_died_between_the_table_and_its_rows_goes_on(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = lines(tmp_path / "in", 2)

    def died(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(staging, "_copy", died)
    with pytest.raises(KeyboardInterrupt):
        migrate(lake, source, NAME, Options())
    assert in_lake(lake) == {}
    monkeypatch.undo()
    assert migrate(lake, source, NAME, Options()).rows == 4
    assert sum(in_lake(lake).values()) == 4
    assert left_over(lake) == []


@pytest.mark.slow
def test_an_empty_table_of_somebody_else_is_not_taken(tmp_path: Path, lake: Lake) -> None:
    source = lines(tmp_path / "in", 1)
    lake.append(NAME, [{"sku": "a"}])
    with pytest.raises(Conflict, match="--incremental"):
        migrate(lake, source, NAME, Options())
    assert tables.row_count(lake.root, NAME) == 1
