"""Tables and files beside the canonical table: added once, read back as they were."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.table import TableOptimizer

from lakeshelf.governance.domain.editing.edits import EDITS
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.storage.files import read_json, write_json
from lakeshelf.governance.storage.layout import Folder
from lakeshelf.governance.storage.logs import FILES, Log, ReadLog
from lakeshelf.lake.place.location import Root


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(Root.at(tmp_path), "retail", "limits")


def edits(*numbers: int) -> pa.Table:
    return pa.Table.from_pylist([{"edit_id": str(n), "seq": n} for n in numbers], EDITS)


def test_a_log_is_empty_until_something_is_added(folder: Folder) -> None:
    log = Log(folder.root, folder.edits("ab12"), EDITS)
    assert log.rows().num_rows == 0
    log.append(edits(1, 2))
    log.append(edits(3))
    assert sorted(log.rows(["seq"])["seq"].to_pylist()) == [1, 2, 3]


def test_what_has_an_identity_is_added_once(folder: Folder) -> None:
    for _ in range(2):
        log = Log(folder.root, folder.edits("ab12"), EDITS)
        log.append(edits(1), ("batch", 1))
    assert log.rows().num_rows == 1


def test_a_log_that_is_removed_is_not_there(folder: Folder) -> None:
    log = Log(folder.root, folder.edits("ab12"), EDITS)
    log.append(edits(1))
    log.remove()
    log.remove()
    assert not log.exists


def test_json_comes_back_and_the_same_value_gives_the_same_bytes(folder: Folder) -> None:
    path = f"{folder.request(1, 1)}/diff.json"
    first = write_json(folder.root, path, {"b": [1, None, "é"], "a": 2**70})
    assert read_json(folder.root, path) == {"a": 2**70, "b": [1, None, "é"]}
    assert write_json(folder.root, path, {"a": 2**70, "b": [1, None, "é"]}) == first


@pytest.mark.parametrize("id_", ["", "..", "a/b", "../x", "g1", "A1"])
def test_no_id_leads_out_of_the_folder(folder: Folder, id_: str) -> None:
    for place in (folder.edits, folder.session, folder.upload, folder.validation):
        with pytest.raises(GovernanceError, match="no id"):
            place(id_)


@pytest.mark.parametrize("name", ["..", "Retail", "a", "x/y", "1ab"])
def test_no_name_leads_out_of_the_lake(tmp_path: Path, name: str) -> None:
    with pytest.raises(GovernanceError, match="no id"):
        Folder(Root.at(tmp_path), name, "limits")
    with pytest.raises(GovernanceError, match="no id"):
        Folder(Root.at(tmp_path), "retail", name)


@pytest.mark.slow
def test_a_log_of_many_commits_is_a_few_files_and_holds_what_was_added(folder: Folder) -> None:
    for number in range(1, 2 * FILES + 3):
        log = Log(folder.root, folder.edits("ab12"), EDITS)
        log.append(edits(number), ("batch", number))
    assert sorted(log.rows()["seq"].to_pylist()) == list(range(1, 2 * FILES + 3))
    table = DeltaTable(folder.root.of(log.path))
    assert len(table.file_uris()) < FILES
    assert folder.root.folder is not None
    assert list((folder.root.folder / log.path / "_delta_log").glob("*.checkpoint.parquet"))


def test_without_the_merging_a_log_is_as_many_files_as_commits(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Log, "_merge_files", lambda _: None)
    log = Log(folder.root, folder.edits("ab12"), EDITS)
    for number in range(1, FILES + 2):
        log.append(edits(number))
    assert len(DeltaTable(folder.root.of(log.path)).file_uris()) == FILES + 1


def all_but_one(folder: Folder) -> Log:
    """A log whose files are merged with what is added next."""
    log = Log(folder.root, folder.edits("ab12"), EDITS)
    for number in range(1, FILES):
        log.append(edits(number))
    return log


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_rows_are_added_whatever_becomes_of_the_merge_of_files(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = all_but_one(folder)
    with monkeypatch.context() as patch:
        patch.setattr(TableOptimizer, "compact", full)
        log.append(edits(FILES))
    log.append(edits(FILES + 1))
    assert sorted(log.rows()["seq"].to_pylist()) == list(range(1, FILES + 2))


def test_a_log_that_was_merged_by_somebody_quicker_has_no_row_twice(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, merge = all_but_one(folder), Log._merge_files

    def overtaken(own: Log) -> None:
        DeltaTable(own.root.of(own.path)).optimize.compact()
        merge(own)

    monkeypatch.setattr(Log, "_merge_files", overtaken)
    log.append(edits(FILES))
    assert sorted(log.rows()["seq"].to_pylist()) == list(range(1, FILES + 1))


def test_who_has_read_a_log_reads_what_others_added_and_merged(folder: Folder) -> None:
    log = all_but_one(folder)
    held = ReadLog.of(log).newest()
    Log(folder.root, log.path, EDITS).append(edits(FILES))
    behind = held.appended(edits(FILES + 1))
    assert sorted(behind.newest().rows["seq"].to_pylist()) == list(range(1, FILES + 2))


def test_a_log_whose_files_somebody_else_merges_meanwhile_takes_rows_all_the_same(
    folder: Folder,
) -> None:
    log, other = (Log(folder.root, folder.edits("ab12"), EDITS) for _ in range(2))
    log.append(edits(1))
    for number in range(2, FILES):
        other.append(edits(number))
    log.append(edits(FILES))
    other.append(edits(FILES + 1))
    assert sorted(log.rows()["seq"].to_pylist()) == list(range(1, FILES + 2))
