"""A lake in a bucket does what a lake in a folder does."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.lake import Conflict, Lake, NotFound, Vacuumed, VersionNotFound
from lakeshelf.lake.history.cursors import Consumer
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.location import Root
from lakeshelf.lake.rows import tables
from lakeshelf.streams.declare.duck import Duck
from lakeshelf.streams.take.index import IdIndex

NAME = "curated/notes"


def notes(*pairs: tuple[int, str]) -> list[dict[str, Any]]:
    return [{"k": k, "v": v} for k, v in pairs]


def read(lake: Lake, **given: Any) -> dict[int, str]:
    return {row["k"]: row["v"] for row in lake.read(NAME, **given).read_all().to_pylist()}


def test_each_way_of_writing_is_one_commit_that_is_read_back(lake: Lake) -> None:
    lake.merge(NAME, notes((1, "a"), (2, "a")), ["k"])
    assert lake.append(NAME, notes((3, "a"))).version == 2
    assert lake.merge(NAME, notes((3, "b"), (4, "b"))).version == 3
    assert lake.merge(NAME, notes((3, "b"))).skipped
    assert lake.replace(NAME, notes((1, "c")), [("k", "<", 3)]).version == 4
    assert read(lake) == {1: "c", 3: "b", 4: "b"}
    assert lake.overwrite(NAME, notes((9, "z"))).version == 5
    assert read(lake) == {9: "z"}
    assert read(lake, at=4, where=[("v", "=", "b")]) == {3: "b", 4: "b"}
    assert lake.names() == [NAME]


def test_whether_a_table_moved_is_seen_without_opening_it(lake: Lake) -> None:
    assert not storage.has_version(lake.root, NAME, 0)
    version = lake.append(NAME, notes((1, "a"))).version
    assert version is not None
    assert storage.has_version(lake.root, NAME, version)
    assert not storage.has_version(lake.root, NAME, version + 1)


def test_a_write_with_an_identity_is_made_once(lake: Lake) -> None:
    assert lake.append(NAME, notes((1, "a")), txn=("me", 1)).version == 1
    assert lake.append(NAME, notes((1, "a")), txn=("me", 1)).skipped
    assert read(lake) == {1: "a"}


def test_the_past_is_read_by_version_and_time_and_restored(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    then = datetime.now(UTC)
    lake.append(NAME, notes((2, "b")))
    assert read(lake, at=then) == read(lake, at=1) == {1: "a"}
    difference = lake.diff(NAME, 1, 2).read_all().to_pylist()
    assert [(r["_change_type"], r["k"]) for r in difference] == [("insert", 2)]
    lake.restore(NAME, 1)
    assert read(lake) == {1: "a"}
    assert [entry.version for entry in lake.history(NAME)] == [3, 2, 1, 0]
    with pytest.raises(VersionNotFound):
        lake.read(NAME, at=7)


def test_a_consumer_reads_each_change_once(lake: Lake) -> None:
    lake.create(NAME, pa.schema([("k", pa.int64()), ("v", pa.string())]), key=("k",))
    lake.merge(NAME, notes((1, "a")))
    consumer = Consumer("copy", "curated/copy")
    first = lake.changes(NAME, consumer)
    assert [row["k"] for row in first.rows.read_all().to_pylist()] == [1]
    lake.merge("curated/copy", first.rows.read_all().select(["k", "v"]), ["k"], txn=first.txns)
    lake.merge(NAME, notes((2, "b")))
    assert [r["k"] for r in lake.changes(NAME, consumer).rows.read_all().to_pylist()] == [2]


def test_a_run_is_published_and_read_by_its_name(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    with lake.run("monday") as run:
        run.append(NAME, notes((2, "b")))
    lake.append(NAME, notes((3, "c")))
    assert read(lake, at="monday") == {1: "a", 2: "b"}


def test_a_dataset_is_exported_to_a_folder(lake: Lake, tmp_path: Path) -> None:
    lake.append(NAME, notes((1, "a"), (2, "b")))
    lake.export_parquet(NAME, tmp_path / "out")
    assert pq.read_table(tmp_path / "out").num_rows == 2
    assert json.loads((tmp_path / "out" / "_export.json").read_text())["version"] == 1


def test_what_is_not_there_is_not_found(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    with pytest.raises(NotFound, match="curated/notes"):
        lake.read("curated/note")
    with pytest.raises(Conflict, match="exists"):
        lake.create(NAME, pa.schema([("k", pa.int64())]))


def test_a_file_that_is_gone_is_told_as_such_and_not_as_a_fault_of_the_store(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    files, base = storage.filesystem(lake.root)
    (add,) = pa.table(lake.snapshot(NAME).handle.get_add_actions(flatten=True))["path"].to_pylist()
    files.delete_file(f"{base}/{NAME}/{add}")
    with pytest.raises(Vacuumed):
        lake.read(NAME).read_all()


@pytest.mark.slow
def test_all_tables_of_the_product_are_created_once(root: str) -> None:
    made = tables.ensure_all(root)
    assert {one.outcome for one in made} == {"created"}
    assert {one.outcome for one in tables.ensure_all(root)} == {"unchanged"}
    assert tables.existing(root) == sorted(one.table for one in made)


def test_a_table_is_removed_with_all_that_lies_below_it(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    lake.append("curated/others", notes((1, "a")))
    storage.remove(lake.root, NAME)
    assert lake.names() == ["curated/others"]
    assert not storage.is_empty(lake.root)
    storage.remove(lake.root)
    assert storage.is_empty(lake.root)


def test_state_beside_the_layers_is_no_table(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    tables.create(Root.at(lake.root.of("_stack")), lake.snapshot(NAME).dataset)
    assert lake.names() == [NAME]


def test_events_are_found_by_id_in_files_that_a_merge_wrote(lake: Lake) -> None:
    name = "raw/lost_sales"
    tables.ensure(lake.root, CATALOG.tables[name])
    rows = [{"event_id": f"e{n}", "quantity": n} for n in (1, 2)]
    schema = arrow_contract.schema(CATALOG.tables[name].columns)
    owner = Lake(lake.root, writer="foot-traffic-raw-sink")
    owner.merge(name, pa.Table.from_pylist(rows, schema=schema), ["event_id"])
    index = IdIndex(tables.open_table(lake.root, name), 0, Duck(threads=1))
    assert index.seen(pa.chunked_array([["e2", "e3"]]))["quantity"].to_pylist() == [2]


def test_a_table_is_moved_out_of_the_way_as_a_whole(lake: Lake) -> None:
    lake.append(NAME, notes((1, "a")))
    lake.append(NAME, notes((2, "b")))
    storage.set_aside(lake.root, NAME, f"_aside/{NAME}")
    assert lake.names() == []
    moved = Lake(lake.root.of("_aside"), catalog={})
    assert read(moved) == {1: "a", 2: "b"}
