"""`lakeshelf files`: what each command says, and its exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lakeshelf.cli.console.output import ROWS
from lakeshelf.cli.data import files as commands
from tests.conftest import Run
from tests.ingestion.conftest import DECLARED
from tests.ingestion.rig import Rig, sales
from tests.ingestion.test_workbooks import sheets
from tests.support import eventually

NOW = ("--settle", "0")


@pytest.fixture
def shop(lake: Path) -> Rig:
    made = Rig(lake)
    made.drop("pos/_dataset.toml", DECLARED)
    made.drop("pos/a.csv", sales(1, 2))
    return made


def test_scan_is_fine_when_all_is_loaded_and_2_when_rows_are_refused(
    lakeshelf: Run, shop: Rig
) -> None:
    done = lakeshelf("files", "scan", *NOW)
    assert (done.code, done.out.splitlines()[0]) == (
        0, "1 file found; 1 success; 2 rows loaded, 0 refused",
    )  # fmt: skip
    shop.drop("pos/b.csv", sales(1, "x"))
    shop.drop("pos/c.txt", "x")
    again = lakeshelf("files", "scan", *NOW, "--json")
    assert again.code == 2
    told = json.loads(again.out)
    assert (told["files"], told["rows_refused"]) == ({"partial": 1}, 1)
    assert [one["path"] for one in told["waiting"]] == ["pos/c.txt"]


def test_a_declaration_that_cannot_be_is_one_line_and_2(lakeshelf: Run, shop: Rig) -> None:
    shop.drop("bad/_dataset.toml", '[columns]\na = "int64"')
    for name in ("a", "b", "c"):
        shop.drop(f"bad/{name}.csv", "a\n1\n")
    done = lakeshelf("files", "scan", *NOW)
    assert done.code == 2
    (line,) = [line for line in done.out.splitlines() if line.startswith("waits: ")]
    assert line.startswith("waits: 3 files of bad: ")
    assert "no type 'int64'; did you mean bigint?" in line
    told = json.loads(lakeshelf("files", "scan", *NOW, "--json").out)
    assert [(one["folder"], one["files"]) for one in told["refused_folders"]] == [("bad", 3)]


def test_a_list_without_files_says_so(lakeshelf: Run, shop: Rig) -> None:
    lakeshelf("files", "scan", *NOW)
    assert lakeshelf("files", "list", "--status", "failed").out.splitlines() == ["No files."]


@pytest.mark.slow
def test_list_show_and_retry_tell_what_became_of_files(lakeshelf: Run, shop: Rig) -> None:
    shop.drop("pos/b.csv", sales(1, "\x1b[31mred"))
    shop.drop("pos/c.csv", "wrong\n1\n")
    lakeshelf("files", "scan", *NOW)
    listed = json.loads(lakeshelf("files", "list", "--json").out)
    assert [(f["file_id"], f["status"]) for f in listed] == [
        (3, "failed"),
        (2, "partial"),
        (1, "success"),
    ]
    assert "1 of 3 files; --all shows them" in lakeshelf("files", "list", "--limit", "1").out
    assert [
        f["file_id"]
        for f in json.loads(lakeshelf("files", "list", "--status", "failed", "--json").out)
    ] == [3]
    assert lakeshelf("files", "list", "--status", "lost").code == 2
    shown = lakeshelf("files", "show", "2").out
    assert "type" in shown
    assert "\x1b" not in shown, "a file cannot send commands to the terminal"
    refused = json.loads(lakeshelf("files", "show", "2", "--json").out)["refused"]
    assert [(r["file_line"], r["rule"], r["column"]) for r in refused] == [(3, "type", "qty")]
    assert "unknown column 'wrong'" in lakeshelf("files", "list").out
    assert lakeshelf("files", "retry").code == 2
    assert "is success and cannot be retried" in lakeshelf("files", "retry", "1").error
    assert lakeshelf("files", "retry", "1", "--force").code == 0
    assert "no file 99" in lakeshelf("files", "show", "99").error
    assert "--force needs files" in lakeshelf("files", "retry", "--force").error


@pytest.mark.parametrize("command", ["scan", "list", "retry"])
def test_a_dataset_that_no_file_is_for_is_an_error_with_its_neighbours(
    lakeshelf: Run, shop: Rig, command: str
) -> None:
    lost = lakeshelf("files", command, "--dataset", "silver.pso")
    assert (lost.code, "did you mean silver/pos?" in lost.error) == (1, True)
    assert lakeshelf("files", command, "--dataset", "silver.pos").code == 0


def test_lists_are_whole_as_json_unless_a_limit_is_given(lakeshelf: Run, shop: Rig) -> None:
    for n in range(ROWS + 1):
        shop.drop(f"pos/{n}.csv", sales(n))
    shop.drop("pos/bad.csv", sales(*("x" * ROWS), "y"))
    lakeshelf("files", "scan", *NOW)
    assert len(json.loads(lakeshelf("files", "list", "--json").out)) == ROWS + 3
    assert len(json.loads(lakeshelf("files", "list", "--json", "--limit", "2").out)) == 2
    assert "50 of 53 files; --all shows them" in lakeshelf("files", "list").out
    assert "pos/a.csv" in lakeshelf("files", "list", "--all").out
    [bad] = json.loads(lakeshelf("files", "list", "--status", "quarantined", "--json").out)
    told = json.loads(lakeshelf("files", "show", bad["file_id"], "--json").out)
    assert len(told["refused"]) == told["refused_total"] == ROWS + 1
    shown = lakeshelf("files", "show", bad["file_id"]).out
    assert "50 of 51 refusals; --all shows them" in shown
    assert "type: a value has not the form" in shown
    assert f"files retry {bad['file_id']}" in shown


def test_what_was_left_out_of_a_workbook_is_told(lakeshelf: Run, shop: Rig) -> None:
    shop.drop("sheets/a.xlsx", sheets())
    told = "sheets/a.xlsx: sheet 'May'; left out: 'codes' (hidden)"
    assert told in lakeshelf("files", "scan", *NOW).out
    assert "left out: 'codes' (hidden)" in lakeshelf("files", "show", "2").out


def test_dry_runs_do_nothing(lakeshelf: Run, shop: Rig) -> None:
    shop.drop("pos/b.csv", sales("x"))
    lakeshelf("files", "scan", *NOW)
    before = shop.lake.snapshot("ops/files").version
    assert [
        f["file_id"] for f in json.loads(lakeshelf("files", "retry", "--dry-run", "--json").out)
    ] == [2]
    told = json.loads(lakeshelf("files", "rebuild", "silver.pos", "--dry-run", "--json").out)
    assert (told["files"], told["dry_run"]) == (2, True)
    assert shop.lake.snapshot("ops/files").version == before


def test_rebuild_gives_the_same_rows(lakeshelf: Run, shop: Rig) -> None:
    lakeshelf("files", "scan", *NOW)
    before = shop.rows()
    assert lakeshelf("files", "rebuild", "silver/pos").code == 0
    assert shop.rows() == before
    assert (
        "no file was ever loaded into silver/none"
        in lakeshelf("files", "rebuild", "silver/none").error
    )


def test_upload_loads_a_file_from_anywhere(lakeshelf: Run, shop: Rig, tmp_path: Path) -> None:
    outside = tmp_path / "till.csv"
    outside.write_text(sales(7))
    told = lakeshelf("files", "upload", "silver/pos", outside, "--json")
    assert told.code == 0
    assert [(f["source"], f["path"], f["status"]) for f in json.loads(told.out)] == [
        ("upload", "till.csv", "success")
    ]
    assert "cannot be read" in lakeshelf("files", "upload", "pos", tmp_path / "none.csv").error
    assert "is not taken" in lakeshelf("files", "upload", "pos", Path(__file__)).error


def test_a_lake_without_files_says_so(lakeshelf: Run, lake: Path) -> None:
    lake.mkdir()
    assert lakeshelf("files", "scan", *NOW).out.startswith("0 files found; none to load")
    assert json.loads(lakeshelf("files", "list", "--json").out) == []


@pytest.mark.faults
def test_watch_loads_what_comes_and_ends_after_the_batch(shop: Rig) -> None:
    command = [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(shop.root)]
    watching = subprocess.Popen(
        [*command, "files", "watch", "--interval", "0.1", *NOW],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
        env={"PYTHONPATH": "src", "PATH": ""},
    )  # fmt: skip
    eventually(lambda: len(shop.rows()) == 2, "the first file is loaded")
    shop.drop("pos/b.csv", sales(3))
    eventually(lambda: len(shop.rows()) == 3, "the second file is loaded")
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=180)
    assert (watching.returncode, err) == (0, "")
    assert "1 file found; 1 success; 2 rows loaded, 0 refused" in out


def test_a_long_value_is_cut_and_its_length_told() -> None:
    assert commands._shown("x" * 1000) == "x" * commands.SHOWN + "… (1,000 characters)"
