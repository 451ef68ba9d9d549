"""Files go in and out by commands alone: a supplier's workbook, an export that comes back late, rules that tighten."""

from __future__ import annotations

import json
import re
import shlex
from datetime import date
from pathlib import Path

import pytest
from fastapi import FastAPI

from lakeshelf.governance.api.app import application
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.datasets import table_of
from lakeshelf.governance.services.imports import uploading
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare.registry import discover
from tests.cli.shop.told_shop import SHELF, write_all
from tests.governance.api.shell import Shell, insert, merge, rows, shell
from tests.governance.services.acting import ROW
from tests.governance.services.conftest import DATASET, PROJECT
from tests.governance.services.imports.filing import edited, workbook

__all__ = ["shell"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
LOW = {"threshold_pct": 100, "target_pct": 100, "min_qty": 9}
"""With which a shelf of the shop is low."""
HEADER = ["shelf_id", *ROW]


def proposed(shell: Shell, user: str, *words: object) -> int:
    number: int = shell.json(user, *words)["request"]["number"]
    return number


def supplied(folder: Path, *lines: list[object]) -> Path:
    file = folder / "supplier.xlsx"
    file.write_bytes(workbook([HEADER, *lines]))
    return file


def test_a_supplier_s_workbook_is_looked_at_imported_and_merged(
    shell: Shell, tmp_path: Path
) -> None:
    file = supplied(tmp_path, ["S1", 30, 1, 80, 5, True], ["S2", 25, 2, 80, 5, False])
    seen = shell("ann", "import", file, "--dataset", DATASET, "--dry-run").out
    assert "2 inserted" in seen
    assert shell.json("vic", "cr", "list") == []
    number = proposed(shell, "ann", "import", file, "--dataset", DATASET, "--title", "Spring")
    merge(shell, number)
    assert rows(shell)["S2"]["threshold_pct"] == 25
    again = shell("ann", "import", file, "--dataset", DATASET).out
    assert "Nothing would change" in again


def test_a_first_load_makes_the_dataset_and_waits_for_a_review(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "prices.csv"
    file.write_bytes(b"sku,price\n00123,0.1\n")
    words = ("import", file, "--dataset", "prices", "--create", "--key", "sku")
    assert "decimal(38,1)" in shell("ann", *words, "--dry-run").out
    assert "prices" not in shell("ann", "data", "list").out
    merge(shell, proposed(shell, "ann", *words))
    assert shell.json("vic", "data", "show", "prices") == [{"sku": "00123", "price": "0.1"}]


def test_a_dataset_that_is_not_there_is_made_by_the_command_that_is_named(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "my prices.csv"
    file.write_bytes(b"sku,price\n00123,0.1\n")
    refused = shell("ann", "import", file, "--dataset", "prices", code=1).error
    assert f"name one that is there: {DATASET}" in refused
    (command,) = re.findall("`lakeshelf ([^`]+)`", refused)
    merge(shell, proposed(shell, "ann", *shlex.split(command)))
    assert shell.json("vic", "data", "show", "prices")[0]["sku"] == "00123"
    elsewhere = shell("ann", "import", file, "--dataset", "nowhere/prices", code=1).error
    assert "--create" not in elsewhere


def test_what_is_refused_of_a_file_is_shown_with_row_column_value_and_rule(
    shell: Shell, tmp_path: Path
) -> None:
    file = supplied(
        tmp_path,
        ["S1", 300, 1, 80, 5, True],
        ["S2", 30, "x", 80, 5, True],
        ["S3", 30, 1, 80, 5, True],
    )
    done = shell("ann", "import", file, "--dataset", DATASET, code=1)
    assert "supplier.xlsx has 2 refused cells" in done.error
    assert "--leave-out" in done.error
    for seen in ("threshold_pct", "300", "min_qty", "x", "no bigint"):
        assert seen in done.out
    assert "breaks the rule" not in done.out
    listed = json.loads(shell("ann", "import", file, "--dataset", DATASET, "--json", code=1).out)
    assert {(one["line"], one["column"]) for one in listed["refusals"]} == {
        (2, "threshold_pct"),
        (3, "min_qty"),
    }
    assert listed["request"] is None
    merge(shell, proposed(shell, "ann", "import", file, "--dataset", DATASET, "--leave-out"))
    assert rows(shell).keys() == {"S3"}


def test_a_file_that_is_written_otherwise_is_read_as_declared(shell: Shell, tmp_path: Path) -> None:
    insert(shell, "S1")
    file = tmp_path / "german.csv"
    file.write_bytes("shelf_id;threshold_pct\nS1;12,5\n".encode("cp1252"))
    done = shell("ann", "import", file, "--dataset", DATASET, code=1)
    assert 'declare delimiter = ";" with the import (`--declare`)' in done.error
    declared = ("--declare", 'delimiter = ";"', "--declare", 'decimal = ","')
    merge(shell, proposed(shell, "ann", "import", file, "--dataset", DATASET, *declared))
    assert rows(shell)["S1"]["threshold_pct"] == 12.5
    inferred = ("import", file, "--dataset", "made", "--create", "--dry-run", "--key", "shelf_id")
    assert "decimal" in shell("ann", *inferred, *declared).out
    for wrong in (
        f"header = {10**40}",
        "delimiter=",
        "colour = 1",
        "header = '1'",
        "nulls = [1]",
        'decimal = "x"',
    ):
        words = ("import", file, "--dataset", DATASET, "--declare", wrong)
        assert 'delimiter = ";"' in shell("ann", *words, code=1).error


def test_a_column_that_a_dataset_lacks_is_refused_with_what_can_be_done(
    shell: Shell, tmp_path: Path
) -> None:
    file = tmp_path / "prices.csv"
    file.write_bytes(b"shelf_id,colour\nS1,red\n")
    refused = shell("ann", "import", file, "--dataset", DATASET, code=1).error
    assert "unknown column 'colour'" in refused
    assert "definition" in refused
    assert "[columns]" not in refused
    file.write_bytes(b"min_qty\n1\n")
    refused = shell("ann", "import", file, "--dataset", DATASET, code=1).error
    assert "'shelf_id' is missing" in refused
    assert "optional" not in refused


@pytest.mark.parametrize("format_", ["csv", "xlsx", "parquet"])
def test_a_file_that_was_exported_brings_nothing_back_that_others_changed(
    shell: Shell, tmp_path: Path, format_: str
) -> None:
    insert(shell, "S1", "S2")
    file = tmp_path / f"kept.{format_}"
    assert f"import {file} --dataset" in shell("vic", "data", "export", DATASET, file).out
    assert "--overwrite" in shell("vic", "data", "export", DATASET, file, code=2).error
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=7")
    merge(shell, proposed(shell, "ann", "data", "submit", DATASET, "--title", "seven"))
    unchanged = shell("cat_", "import", file, "--dataset", DATASET).out
    assert "Nothing would change" in unchanged
    assert "left out" not in unchanged
    assert [one.name for one in tmp_path.glob("kept*")] == [file.name]


def test_an_old_workbook_merges_cell_by_cell_and_its_conflicts_are_listed(
    shell: Shell, tmp_path: Path
) -> None:
    insert(shell, "S1", "S2", "S3")
    file = tmp_path / "old.xlsx"
    shell("cat_", "data", "export", DATASET, file)
    shell("ann", "data", "edit", DATASET, "S1", "min_qty=7")
    shell("ann", "data", "edit", DATASET, "S2", "min_qty=7")
    merge(shell, proposed(shell, "ann", "data", "submit", DATASET, "--title", "seven"))
    file.write_bytes(edited(file.read_bytes(), {("S2", "min_qty"): 9, ("S3", "min_qty"): 3}))
    looked = shell.json("cat_", "import", file, "--dataset", DATASET, "--dry-run")
    assert looked["upload"]["report"]["counts"]["conflicts"] == 1
    number = proposed(shell, "cat_", "import", file, "--dataset", DATASET)
    cells = shell.json("ben", "cr", "show", number)["diff"]
    assert {(one["row_id"], one["column"]): one["conflict"] for one in cells} == {
        ("S2", "min_qty"): "cell",
        ("S3", "min_qty"): None,
    }
    shell("cat_", "cr", "resolve", number, "--all", "main")
    merge(shell, number)
    assert [row["min_qty"] for row in rows(shell).values()] == [7, 7, 3]
    assert shell.json("vic", "data", "blame", DATASET, "S3")["min_qty"]["actor"] == "cat_"
    yesterday = min(one["version"] for one in shell.json("vic", "data", "history", DATASET))
    merge(shell, proposed(shell, "ann", "data", "restore", DATASET, yesterday))
    assert [row["min_qty"] for row in rows(shell).values()] == [1, 1, 1]


def test_a_tighter_rule_has_open_requests_approved_anew(shell: Shell, tmp_path: Path) -> None:
    insert(shell, "S1")
    shell("cat_", "data", "edit", DATASET, "S1", "min_qty=7")
    number = proposed(shell, "cat_", "data", "submit", DATASET, "--title", "seven")
    shell("ben", "cr", "approve", number, "--yes")
    present = shell.json("ben", "data", "definition", DATASET)
    rule = {"name": "few", "kind": "between", "columns": ["min_qty"], "params": {"maximum": 50}}
    file = tmp_path / "next.json"
    file.write_text(json.dumps({**present, "rules": [*present["rules"], rule]}))
    next_ = proposed(shell, "ben", "data", "define", DATASET, file, "--title", "At most 50")
    assert "new rule few: name=few" in shell("ann", "cr", "show", next_).out
    shell("ann", "cr", "approve", next_, "--yes")
    shell("ann", "cr", "merge", next_, "--yes")
    states = {one["CR"]: one["state"] for one in shell.json("vic", "cr", "list")}
    assert states[number] == "pending_review"
    assert "approv" in shell("ben", "cr", "merge", number, "--yes", code=1).error
    merge(shell, number)
    assert "few" in shell("vic", "data", "definition", DATASET).out
    stale = shell("ben", "data", "define", DATASET, file, "--title", "again", code=1)
    assert "version 2" in stale.error


def test_a_rejected_request_is_taken_up_and_submitted_again(shell: Shell) -> None:
    insert(shell, "S1")
    shell("cat_", "data", "edit", DATASET, "S1", "min_qty=7")
    number = proposed(shell, "cat_", "data", "submit", DATASET, "--title", "seven")
    shell("ben", "cr", "reject", number, "--comment", "eight")
    taken = shell("cat_", "cr", "take-up", number).out
    assert "1 edit of CR" in taken
    assert f"data submit {DATASET} --title seven --session" in taken
    shell("cat_", "data", "edit", DATASET, "S1", "min_qty=8")
    assert proposed(shell, "cat_", "data", "submit", DATASET, "--title", "eight, as said") == number
    assert shell.json("ben", "cr", "show", number)["request"]["title"] == "eight, as said"
    merge(shell, number)
    assert rows(shell)["S1"]["min_qty"] == 8


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("import", "none.csv", "--dataset", DATASET), "none.csv"),
        (("import", ".", "--dataset", DATASET), "."),
        (("import", "file.exe", "--dataset", DATASET), "format"),
        (("import", "file.csv", "--dataset", "nothing"), "nothing"),
        (("data", "export", DATASET, "rows.doc"), "--format"),
        (("data", "export", DATASET, "none/rows.csv"), "none"),
        (("data", "export", DATASET, "rows.csv", "--version", 99), "99"),
        (("data", "define", DATASET, "file.csv", "--title", "x"), "no JSON"),
        (("cr", "take-up", 99), "99"),
        (("cr", "outcome", 99), "99"),
    ],
)
def test_a_file_that_cannot_be_is_told_in_one_line(
    shell: Shell,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[object, ...],
    expected: str,
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = {"file.exe", "file.csv"}
    for name in before:
        (folder / name).write_bytes(b"x")
    shell("ann", "data", "list")
    done = shell._lakeshelf(*words)
    assert done.code in (1, 2)
    assert expected in done.error
    assert {one.name for one in folder.iterdir()} == before


def test_a_file_that_is_too_large_is_refused_with_its_limit(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploading, "MOST_BYTES", 1_000_000)
    file = tmp_path / "large.csv"
    file.write_bytes(b"x" * 5_000_000)
    assert "1,000,000 bytes" in shell("ann", "import", file, "--dataset", DATASET, code=1).error


def test_what_another_tool_wrote_is_listed_and_taken_back(shell: Shell, context: Context) -> None:
    insert(shell, "S1")
    with context.metadata.reading() as tx:
        table = table_of(context, tx, PROJECT, DATASET).opened()
    table.snapshot.handle.update({"min_qty": "9"})
    shown = shell("vic", "data", "outside", DATASET).out
    assert "UPDATE" in shown
    assert "--take-up" in shown
    merge(shell, proposed(shell, "ann", "data", "outside", DATASET, "--take-back"))
    assert rows(shell)["S1"]["min_qty"] == 1
    assert shell.json("vic", "data", "outside", DATASET) == []
    refused = shell("ann", "data", "restore", DATASET, 1, "--at-once", "--yes", code=1)
    assert "policy of the dataset does not allow it" in refused.error


class TestBesideAShop:
    """Commands where a shop obeys the datasets."""

    @pytest.fixture
    def app(self, context: Context) -> FastAPI:
        assert context.root.folder is not None
        write_all(context.root.folder)
        jobs = discover(load_settings().home)
        return application(context, Shop(lambda: jobs, lambda: date(2026, 3, 1), lambda _: "id"))

    def test_the_effect_and_the_outcome_of_a_change_are_shown(self, shell: Shell) -> None:
        words = [f"{name}={json.dumps(value)}" for name, value in {**ROW, **LOW}.items()]
        shell("ann", "data", "insert", DATASET, SHELF, *words)
        previewed = shell("ann", "data", "preview", DATASET, "--effect").out
        assert "near expiry" in previewed
        [told] = shell.json("ann", "data", "preview", DATASET, "--effect")["effect"]
        number = proposed(shell, "ann", "data", "submit", DATASET, "--title", "nine")
        assert shell.json("ben", "cr", "effect", number) == [told]
        shown = shell("ben", "cr", "effect", number).out
        assert "store" in shown
        assert SHELF in shown
        assert shell.json("ben", "cr", "effect", number)[0]["known"] is True
        assert "not merged" in shell("ben", "cr", "outcome", number, code=1).error
        merge(shell, number)
        assert "1 merged" in shell("ben", "cr", "outcome", number).out
        assert shell.json("ben", "cr", "outcome", number)["keys"][0]["key"] == SHELF
