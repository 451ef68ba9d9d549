"""Which files are taken, and what tells one from another."""

from __future__ import annotations

import os
import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from lakeshelf.contracts import arrow as arrow_contract
from lakeshelf.contracts import types
from lakeshelf.ingestion import force, rebuild, retry, scan, upload
from lakeshelf.ingestion.domain import declaration
from lakeshelf.ingestion.errors import DeclarationError, FileRefused
from lakeshelf.ingestion.io.rejects import Rejects
from lakeshelf.lake.form.dataset import Dataset, Datasets
from tests.ingestion.conftest import DECLARED
from tests.ingestion.rig import AT_ONCE, POS, Clock, Rig, csv, sales


def waiting(rig: Rig) -> dict[str, str]:
    return {one.path: one.why for one in rig.scan().waiting}


def test_files_that_are_none_wait_and_are_told(rig: Rig, tmp_path: Path) -> None:
    for name in (".hidden.csv", "~$open.xlsx", "half.csv.part", "half.csv.tmp", "_x/a.csv"):
        rig.drop(f"pos/{name}", sales(1))
    rig.drop("pos/empty.csv", "")
    rig.drop("pos/notes.txt", "x")
    rig.drop("loose.csv", sales(1))
    rig.drop("No Name/a.csv", sales(1))
    rig.drop("pos/a\nb.csv", sales(1))
    outside = tmp_path / "secret.csv"
    outside.write_text(sales(1))
    (rig.root / "bronze/pos/link.csv").symlink_to(outside)
    (rig.root / "bronze/pos/loop").symlink_to(rig.root / "bronze")
    (Path(os.fsdecode(os.fsencode(rig.root) + b"/bronze/pos/\xff.csv"))).write_text(sales(1))
    told = waiting(rig)
    assert {path for path, why in told.items() if "hidden or temporary" in why} == {
        "pos/.hidden.csv", "pos/~$open.xlsx", "pos/half.csv.part", "pos/half.csv.tmp", "pos/_x/a.csv",
    }  # fmt: skip
    assert told["pos/empty.csv"] == "it is empty"
    assert told["pos/notes.txt"].startswith("its format is none of csv")
    assert told["pos/link.csv"] == told["pos/loop"] == "it is a link"
    assert told["pos/?.csv"] == "its name is no UTF-8"
    assert "names a dataset" in told["loose.csv"] + told["No Name/a.csv"]
    assert told["pos/a\nb.csv"] == "its name holds what no name may"
    assert rig.files() == []


def test_a_growing_file_waits_for_two_looks_that_are_the_same(rig: Rig, clock: Clock) -> None:
    clock.now = datetime.now(UTC)
    file = rig.drop("pos/a.csv", sales(1))
    settle = timedelta(minutes=5)
    grown = scan(rig.lake, settle=settle, pause=lambda _: rig.drop("pos/a.csv", sales(1, 2)))
    assert [(one.path, one.why) for one in grown.waiting] == [("pos/a.csv", "it may still grow")]
    assert rig.files() == []
    scan(rig.lake, settle=settle, pause=lambda _: None)
    assert rig.statuses() == {"pos/a.csv": "success"}
    os.utime(file, (clock.now.timestamp() - 600,) * 2)
    old = rig.drop("pos/b.csv", sales(1))
    os.utime(old, (clock.now.timestamp() - 600,) * 2)
    scan(rig.lake, settle=settle, pause=lambda _: pytest.fail("an old file is whole"))
    assert rig.statuses()["pos/b.csv"] == "success"


def test_the_same_path_with_other_content_is_another_file(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.scan()
    created = rig.files()[0].created_at
    rig.drop("pos/a.csv", sales(1, 2))
    rig.drop("pos/copy/a.csv", sales(1))
    rig.scan()
    rig.drop("pos/a.csv", sales(1))
    assert rig.scan().registered == 0, "the first content is known"
    assert [(f.file_id, f.path) for f in rig.files()] == [
        (1, "pos/a.csv"), (2, "pos/a.csv"), (3, "pos/copy/a.csv"),
    ]  # fmt: skip
    assert rig.files()[0].created_at == created
    assert len(rig.rows()) == 4


def test_a_file_that_changes_after_it_was_found_fails(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakeshelf.ingestion.services import scanning

    file = rig.drop("pos/a.csv", sales(1))
    found = scanning.discover
    monkeypatch.setattr(
        scanning, "discover", lambda *a: (found(*a), file.write_text(sales(1, 2)))[0]
    )
    rig.scan()
    assert "was changed after it was found" in str(rig.files()[0].error)
    monkeypatch.setattr(scanning, "discover", found)
    rig.scan()
    assert [f.status for f in rig.files()] == ["failed", "success"]


def test_an_upload_is_known_by_its_own_name_and_content(rig: Rig) -> None:
    first = upload(rig.lake, "pos", "a.csv", sales(1).encode())
    again = upload(rig.lake, "pos", "a.csv", sales(1).encode())
    other = upload(rig.lake, "pos", "a.csv", sales(2).encode())
    assert (first.file_id, again.file_id, other.file_id) == (1, 1, 2)
    assert (first.source, first.path) == ("upload", "a.csv")
    rig.drop("pos/a.csv", sales(1))
    assert rig.scan().is_complete
    assert [(f.file_id, f.source) for f in rig.files()] == [
        (1, "upload"),
        (2, "upload"),
        (3, "drop"),
    ]


@pytest.mark.parametrize(
    "name",
    ["../a.csv", "a/b.csv", "..", "", ".a.csv", "a.exe", "a\x00.csv", "a\\b.csv", "/etc/a.csv"],
)
def test_an_upload_cannot_leave_the_lake(rig: Rig, name: str) -> None:
    before = sorted(rig.root.rglob("*"))
    with pytest.raises(FileRefused):
        upload(rig.lake, "pos", name, b"x")
    with pytest.raises(FileRefused):
        upload(rig.lake, "../" + name, "a.csv", b"x")
    assert sorted(rig.root.rglob("*")) == before


def test_the_day_of_an_event_is_that_of_its_store(rig: Rig) -> None:
    rig.drop(
        "pos/_dataset.toml", 'zone = "America/New_York"\nzones = { S2 = "Asia/Tokyo" }\n' + DECLARED
    )
    late = "2024-01-01T02:00:00Z"
    rig.drop("pos/a.csv", csv(("S1", late, 1), ("S2", "2024-01-01T20:00:00Z", 2)))
    own = csv(
        ("S1", late, 1, "2023-12-31"),
        ("S1", late, 1, "2024-01-01"),
        header="store_id,event_time,qty,date",
    )
    rig.drop("pos/b.csv", own)
    rig.scan()
    assert [row[2] for row in rig.rows(POS, "date")] == [
        date(2023, 12, 31),
        date(2024, 1, 2),
        date(2023, 12, 31),
    ]
    assert rig.rules(2) == [(3, "date", "date", "2024-01-01")]
    assert rig.lake.dataset(POS).partition_by == ("store_id", "date")


@pytest.mark.parametrize("store", ["a%41", "../../x", "a/b", "é ü", "x=y", "'; drop"])
def test_a_partition_value_cannot_be_a_path(rig: Rig, store: str) -> None:
    rig.drop("pos/a.csv", csv((store, "2024-01-01", 1)))
    assert rig.scan().is_complete
    assert [row[2] for row in rig.rows(POS, "store_id")] == [store]
    assert not list(rig.root.parent.rglob("x/*.parquet"))
    force(rig.lake, [1])
    assert [row[2] for row in rig.rows(POS, "store_id")] == [store]


RULES = """
key = ["sku"]
[columns]
sku = "string"
kind = { type = "string", enum = ["a", "b"] }
price = { type = "decimal(6,2)", minimum = 0, maximum = 100, required = true }
note = { type = "string", optional = true }
"""


def test_declared_rules_are_held(rig: Rig) -> None:
    rig.drop("items/_dataset.toml", RULES)
    rows = [
        ("s1", "a", "1.50"), ("", "a", 1), ("s3", "c", 1), ("s4", "a", -1),
        ("s5", "b", 101), ("s6", "b", ""), ("s7", "a", "1.234"),
    ]  # fmt: skip
    rig.drop("items/a.csv", csv(*rows, header="sku,kind,price"))
    rig.scan()
    assert [row[2] for row in rig.rows("silver/items", "sku")] == ["s1"]
    assert rig.rules() == [
        (3, "key", "sku", None), (4, "enum", "kind", "c"), (5, "minimum", "price", "-1"),
        (6, "maximum", "price", "101"), (7, "required", "price", None), (8, "range", "price", "1.234"),
    ]  # fmt: skip


def test_types_that_nobody_declared_are_those_of_the_first_batch_and_stay(rig: Rig) -> None:
    rig.drop("free/a.csv", csv(("007", 1, "2024-01-01"), header="id,n,day"))
    rig.scan()
    rig.drop("free/b.csv", csv((8, "x", "2024-01-02"), (9, 2, "2024-01-02"), header="id,n,day"))
    rig.scan()
    assert [row[2:] for row in rig.rows("silver/free", "id", "n", "day")] == [
        ("007", 1, date(2024, 1, 1)), ("9", 2, date(2024, 1, 2)),
    ]  # fmt: skip
    assert rig.rules(2) == [(2, "type", "n", "x")]


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        ("int64", "bigint"),
        ("INTEGER", "bigint"),
        ("varchar(20)", "string"),
        ("timestamp[us, tz=UTC]", "timestamp"),
        ("Bool", "boolean"),
        ("numeric(12, 2)", "decimal(p,s)"),
    ],
)
def test_a_type_by_the_name_of_sql_or_arrow_is_refused_with_ours(foreign: str, ours: str) -> None:
    with pytest.raises(DeclarationError, match=re.escape(f"did you mean {ours}?")):
        declaration.data_type(foreign)


def test_every_type_of_arrow_and_every_type_of_ours_has_a_name_here() -> None:
    for scalar in types.SCALARS:
        kind = str(arrow_contract.data_type(scalar))
        assert kind == scalar.name or declaration._meant(kind) == scalar.name


@pytest.mark.parametrize(
    ("declared", "why"),
    [
        ("nonsense", "_dataset.toml"),
        ('dataset = "ops/files"', "one of the platform's own books"),
        ('dataset = "cleansed/shelf_state"', "is written by"),
        ('dataset = "../x"', "is no name of a dataset"),
        ('zone = "Mars/Olympus"', "no time zone"),
        ('[columns]\na = "blob"', "no type 'blob'"),
        ("colour = 1", "no setting 'colour'"),
    ],
)
def test_a_declaration_that_cannot_be_makes_its_files_wait_and_no_others(
    rig: Rig, declared: str, why: str
) -> None:
    rig.drop("bad/_dataset.toml", declared)
    rig.drop("bad/a.csv", sales(1))
    rig.drop("pos/a.csv", sales(1))
    assert why in waiting(rig)["bad/a.csv"]
    assert rig.statuses() == {"pos/a.csv": "success"}


@pytest.mark.slow
def test_rows_that_break_a_constraint_of_the_table_fail_their_file_alone(tmp_path: Path) -> None:
    import pyarrow as pa

    from tests.ingestion.rig import Rig

    small = Dataset("silver/small", pa.schema([("n", pa.int64())]), constraints={"few": "n < 10"})
    rig = Rig(tmp_path, Clock(), Datasets.of_contracts().with_also(small))
    for number in (1, 2, 50, 3):
        rig.drop(f"small/{number}.csv", csv((number,), header="n"))
    rig.scan()
    assert rig.statuses() == {
        "small/1.csv": "success", "small/2.csv": "success", "small/3.csv": "success", "small/50.csv": "failed",
    }  # fmt: skip
    assert [row[2] for row in rig.rows("silver/small", "n")] == [1, 2, 3]


def test_a_retry_loads_only_what_is_refused_and_says_when(rig: Rig, clock: Clock) -> None:
    rig.drop("pos/_dataset.toml", DECLARED.replace('"bigint"', '{ type = "bigint", maximum = 9 }'))
    rig.drop("pos/a.csv", sales(1, 50, "x"))
    rig.scan()
    before = rig.rows()
    rig.drop("pos/_dataset.toml", DECLARED)
    clock.forward(hours=1)
    [file] = retry(rig.lake, [1])
    assert (file.status, file.rows_loaded, file.rows_refused, file.attempt) == ("partial", 2, 1, 2)
    assert [row for row in rig.rows() if row in before] == before
    resolved = {row["file_line"]: row["resolved_at"] for row in Rejects(rig.lake).of([1])}
    assert resolved == {3: clock.now, 4: None}


def test_force_replaces_exactly_the_rows_of_its_file(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.drop("pos/b.csv", sales(2, 3))
    rig.scan()
    rig.lake.replace(POS, [], [("file_id", "in", [1, 2])])
    force(rig.lake, [2])
    assert [row[:2] for row in rig.rows()] == [(2, 2), (2, 3)]


@pytest.mark.slow
def test_a_rebuild_refuses_to_lose_rows_of_files_that_are_gone(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1)).with_name("a.csv")
    rig.drop("pos/b.csv", sales(2))
    rig.scan()
    before = rig.rows()
    (rig.root / "bronze/pos/a.csv").unlink()
    with pytest.raises(FileRefused, match=r"gone or changed: 1 file of silver/pos,.* lose 1 row"):
        rebuild(rig.lake, POS)
    assert rig.rows() == before
    told = rebuild(rig.lake, POS, dry_run=True).as_json()
    assert [gone["path"] for gone in told["gone"]] == ["pos/a.csv"]
    assert rig.rows() == before
    rebuild(rig.lake, POS, drop_gone=True)
    assert [row[0] for row in rig.rows()] == [2]
    rebuild(rig.lake, POS, drop_gone=True)
    assert [row[0] for row in rig.rows()] == [2]


def test_nothing_to_do_makes_no_commit(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.scan()
    before = {name: rig.lake.snapshot(name).version for name in rig.lake.names()}
    assert scan(rig.lake, settle=AT_ONCE).as_json()["files"] == {}
    assert {name: rig.lake.snapshot(name).version for name in rig.lake.names()} == before
