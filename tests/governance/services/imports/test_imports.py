"""Files become change requests, whole or with every cell named that cannot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata.tables.requests import ChangeRequest
from lakeshelf.governance.services import imports
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.imports import LoadedUpload, loading, uploading
from tests.governance.services.acting import (
    ROW,
    approved,
    done,
    insert,
    merged,
    rows,
    set_,
)
from tests.governance.services.conftest import ANN, BEN, CAT, DATASET, EVE, PROJECT, VIC
from tests.governance.services.imports.filing import (
    csv,
    edited,
    exported,
    loaded,
    refused,
    sent,
    workbook,
)

pytestmark = pytest.mark.timeout(300)


def put_through(context: Context, made: LoadedUpload) -> ChangeRequest:
    assert made.request is not None
    return merged(context, approved(context, made.request))


def folders(context: Context) -> list[Path]:
    root = context.root.folder
    assert root is not None
    return list(root.glob("projects/*/datasets/*/imports/*"))


def test_a_file_becomes_a_change_request_that_is_reviewed_like_others(context: Context) -> None:
    made = loaded(context, csv({"shelf_id": "00123"}, {"shelf_id": "NA", "min_qty": 4}))
    assert made.request is not None
    assert (made.request.kind, made.request.status) == ("import", "pending_review")
    assert made.upload.status == "submitted"
    assert made.upload.report["request"] == made.request.number
    put_through(context, made)
    assert {shelf: row["min_qty"] for shelf, row in rows(context).items()} == {"00123": 1, "NA": 4}


@pytest.mark.parametrize(("large", "is_held"), [(0, False), (1_000, True)])
def test_a_large_file_has_the_room_that_grids_held(
    context: Context, monkeypatch: pytest.MonkeyPatch, large: int, is_held: bool
) -> None:
    monkeypatch.setattr(loading, "LARGE", large)
    context.memory.inserted.put("rows", pa.table({}), 0)
    loaded(context, csv({"shelf_id": "A1"}))
    assert (context.memory.inserted.known("rows") is not None) is is_held


def test_upsert_changes_what_differs_and_leaves_the_rest(context: Context) -> None:
    done(context, insert("A1"), insert("A2"), insert("A3"))
    put_through(context, loaded(context, b"shelf_id,min_qty\nA2,9\nA3,1\n"))
    assert {shelf: row["min_qty"] for shelf, row in rows(context).items()} == {
        "A1": 1,
        "A2": 9,
        "A3": 1,
    }
    assert rows(context)["A2"]["target_pct"] == ROW["target_pct"]


def test_a_file_that_changes_nothing_makes_no_request(context: Context) -> None:
    done(context, insert("A1"))
    made = loaded(context, csv({"shelf_id": "A1"}))
    assert (made.upload.status, made.request) == ("unchanged", None)


def test_replace_deletes_what_is_absent(context: Context) -> None:
    done(context, insert("A1"), insert("A2"))
    put_through(context, loaded(context, csv({"shelf_id": "A2", "min_qty": 3}), mode="replace"))
    assert {shelf: row["min_qty"] for shelf, row in rows(context).items()} == {"A2": 3}


def test_append_only_adds(context: Context) -> None:
    done(context, insert("A1"))
    made = loaded(context, csv({"shelf_id": "A1", "min_qty": 3}, {"shelf_id": "A2"}), mode="append")
    assert refused(context, made) == [(2, "shelf_id", "A1", "present_key")]


def test_every_cell_that_cannot_be_is_named_and_nothing_is_made(context: Context) -> None:
    good: list[dict[str, Any]] = [{"shelf_id": f"S{n}"} for n in range(20_000)]
    bad: list[dict[str, Any]] = [
        {"shelf_id": "X1", "min_qty": "many"},
        {"shelf_id": "X2", "threshold_pct": 130},
        {"shelf_id": "S7", "min_qty": 2},
    ]
    made = loaded(context, csv(*good[:9], bad[0], *good[9:], bad[1], bad[2]))
    assert (made.upload.status, made.request) == ("refused", None)
    assert refused(context, made) == [
        (9, "shelf_id", "S7", "repeated_key"),
        (11, "min_qty", "many", "type"),
        (20_003, "threshold_pct", "130.0", "contract_threshold_pct_between"),
        (20_004, "shelf_id", "S7", "repeated_key"),
    ]
    with context.metadata.reading() as tx:
        assert tx.requests.all(PROJECT) == []


def test_the_rest_is_taken_where_that_is_asked_for(context: Context) -> None:
    content = csv(
        {"shelf_id": "A1", "min_qty": "x"}, {"shelf_id": "A2"}, {"shelf_id": "A3", "target_pct": -4}
    )
    made = loaded(context, content, leave_out=True)
    assert {line for line, *_ in refused(context, made)} == {2, 4}
    put_through(context, made)
    assert sorted(rows(context)) == ["A2"]


def test_rows_that_are_left_out_are_not_deleted(context: Context) -> None:
    with pytest.raises(GovernanceError) as error:
        loaded(context, csv({"shelf_id": "A1"}), mode="replace", leave_out=True)
    assert error.value.code == "request_invalid"


@pytest.mark.parametrize("format_", ["csv", "xlsx", "parquet"])
def test_an_export_that_comes_back_changes_nothing(context: Context, format_: str) -> None:
    done(context, insert("A1"), insert("=A2"), insert("00123"))
    made = loaded(context, exported(context, format_), f"back.{format_}")
    assert made.upload.status == "unchanged"


def test_an_old_workbook_merges_with_what_others_did_since(context: Context) -> None:
    done(context, insert("A1"), insert("A2"), insert("A3"))
    yesterday = exported(context)
    done(context, set_("A1", "min_qty", 7), set_("A2", "min_qty", 8), insert("A4"))
    mine = edited(yesterday, {("A1", "target_pct"): 90, ("A3", "min_qty"): 5})
    put_through(context, loaded(context, mine, "mine.xlsx"))
    held = rows(context)
    assert (held["A1"]["min_qty"], held["A1"]["target_pct"]) == (7, 90)
    assert (held["A2"]["min_qty"], held["A3"]["min_qty"]) == (8, 5)
    assert "A4" in held


def test_a_cell_that_both_changed_is_a_conflict(context: Context) -> None:
    done(context, insert("A1"), insert("A2"))
    yesterday = exported(context)
    done(context, set_("A1", "min_qty", 7))
    made = loaded(
        context, edited(yesterday, {("A1", "min_qty"): 5, ("A2", "min_qty"): 6}), "mine.xlsx"
    )
    assert made.request is not None
    with pytest.raises(GovernanceError) as error:
        put_through(context, made)
    (conflict,) = error.value.details["conflicts"]
    assert (conflict["base"], conflict["main"], conflict["staged"]) == (1, 7, 5)


def test_rows_that_others_added_since_stay_when_an_old_workbook_replaces(context: Context) -> None:
    done(context, insert("A1"), insert("A2"))
    yesterday = exported(context)
    done(context, insert("A3"))
    put_through(context, loaded(context, edited(yesterday, {}, ["A2"]), "mine.xlsx", "replace"))
    assert sorted(rows(context)) == ["A1", "A3"]


def test_a_file_of_another_dataset_is_refused(context: Context) -> None:
    content = b"# lakeshelf: retail/wh_policies version 1\n" + csv({"shelf_id": "A1"})
    with pytest.raises(GovernanceError) as error:
        loaded(context, content)
    assert error.value.code == "upload_invalid"


@pytest.mark.parametrize(("caller", "code"), [(VIC, "forbidden"), (EVE, "not_found")])
def test_who_may_not_import_is_refused(context: Context, caller: Caller, code: str) -> None:
    upload = sent(context, csv({"shelf_id": "A1"}))
    with pytest.raises(GovernanceError) as error:
        imports.load(context, caller, PROJECT, upload)
    assert error.value.code == code
    with pytest.raises(GovernanceError) as error:
        imports.receive(context, caller, PROJECT, DATASET, "a.csv", [b"x"])
    assert error.value.code == code
    assert len(folders(context)) == 1


def test_an_upload_is_loaded_once(context: Context) -> None:
    upload = sent(context, csv({"shelf_id": "A1"}))
    imports.load(context, ANN, PROJECT, upload)
    with pytest.raises(GovernanceError) as error:
        imports.load(context, CAT, PROJECT, upload)
    assert error.value.code == "state_changed"


def test_who_imports_is_an_author(context: Context) -> None:
    made = loaded(context, csv({"shelf_id": "A1"}))
    assert made.request is not None
    with pytest.raises(GovernanceError) as error:
        approved(context, made.request, ANN)
    assert error.value.code == "author_approves"
    assert approved(context, made.request, BEN).status == "approved"


def test_a_file_that_is_too_large_leaves_nothing(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "MOST_BYTES", 2_000)
    taken: list[int] = []

    def endless() -> Any:
        while True:
            taken.append(1)
            yield b"x" * 500

    with pytest.raises(GovernanceError) as error:
        imports.receive(context, ANN, PROJECT, DATASET, "a.csv", endless())
    assert (error.value.code, error.value.status) == ("body_too_large", 413)
    assert len(taken) == 5
    assert folders(context) == []


@pytest.mark.parametrize(
    "name",
    [
        "../../../etc/passwd.csv",
        "..\\..\\x.csv",
        "/abs.csv",
        "a\0b\r\n\u202e.csv",
        "x" * 5000 + ".csv",
    ],
)
def test_the_name_of_a_file_names_nothing_in_the_lake(context: Context, name: str) -> None:
    upload = imports.receive(context, ANN, PROJECT, DATASET, name, [csv({"shelf_id": "A1"})])
    (folder,) = folders(context)
    assert [file.name for file in folder.iterdir()] == ["raw.csv"]
    assert len(upload.file_name) <= 200
    assert not set(upload.file_name) & set("/\\\0\r\n\u202e")


def test_a_file_that_cannot_be_read_is_told_and_not_loaded_again(context: Context) -> None:
    upload = sent(context, b"min_qty\n1\n")
    with pytest.raises(GovernanceError) as error:
        imports.load(context, ANN, PROJECT, upload)
    assert error.value.code == "upload_invalid"
    with context.metadata.reading() as tx:
        (told,) = tx.uploads.all(PROJECT)
    assert (told.status, told.report["code"]) == ("failed", "upload_invalid")


def test_a_hidden_sheet_is_not_imported_and_told(context: Context) -> None:
    full: list[list[Any]] = [["shelf_id", *ROW], ["A1", *ROW.values()]]
    made = loaded(context, workbook(full, [["shelf_id"], ["SECRET"]]), "a.xlsx")
    assert "hidden" in made.upload.report["note"]
    put_through(context, made)
    assert sorted(rows(context)) == ["A1"]
