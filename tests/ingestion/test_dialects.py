"""Files of other programs: what is declared of their text, what is said of it, and no harm to the files beside them."""

from __future__ import annotations

import codecs
import gzip
import os
from pathlib import Path

import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from lakeshelf.ingestion.declared import dialect
from lakeshelf.ingestion.declared.dialect import ENCODINGS, PLAIN, Dialect
from lakeshelf.ingestion.domain import declaration
from lakeshelf.ingestion.domain.rules import RULES
from lakeshelf.ingestion.errors import DeclarationError, FileRefused
from lakeshelf.ingestion.formats import csv_rows, encoding, headers, jsonl_rows
from lakeshelf.lake.place.errors import StorageError
from tests.ingestion.rig import Rig, csv, sales

MUELLER = "id,name\n1,Müller\n"
ENCODED = {
    "latin-1": MUELLER.encode("latin-1"),
    "windows-1252": "id,name\n1,Müller €\n".encode("cp1252"),
    "utf-16": MUELLER.encode("utf-16"),
    "utf-16-le": MUELLER.encode("utf-16-le"),
    "utf-16-be": codecs.BOM_UTF16_BE + MUELLER.encode("utf-16-be"),
    "utf-8": codecs.BOM_UTF8 + MUELLER.encode(),
}


@pytest.mark.parametrize("name", ENCODED)
def test_text_is_read_in_its_declared_encoding(rig: Rig, name: str) -> None:
    rig.drop("n/_dataset.toml", f'encoding = "{name}"\n')
    rig.drop("n/a.csv", ENCODED[name])
    assert rig.scan().is_complete, rig.files()
    assert [row[2:] for row in rig.rows("silver/n", "id", "name")] == [
        (1, "Müller €" if name == "windows-1252" else "Müller")
    ]


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_declared_encoding_keeps_its_lines(name: str) -> None:
    given = Dialect(encoding=name)
    parsed = csv_rows.parse("id,name\n1,a\n2,b\n".encode(name), given)
    assert (parsed.table["name"].to_pylist(), parsed.lines.to_pylist()) == (["a", "b"], [2, 3])
    assert jsonl_rows.parse('{"id":1}\n{"id":2}\n'.encode(name), None, given).lines.to_pylist() == [
        1,
        2,
    ]


REFUSED = {
    "latin-1": (ENCODED["latin-1"], PLAIN, 'line 2 is no UTF-8: byte 0xfc; save it as UTF-8, or declare encoding ='),
    "utf-16": (ENCODED["utf-16"], PLAIN, 'declare encoding = "utf-16"'),
    "no mark": (ENCODED["utf-16-le"], PLAIN, 'declare encoding = "utf-16-le"'),
    "other mark": (ENCODED["utf-8"], Dialect(encoding="cp1252"), 'declare encoding = "utf-8"'),
    "declared wrongly": (b"id\n\x81\n", Dialect(encoding="cp1252"), 'line 2 is no CP1252: byte 0x81; it is declared'),
    "gzip": (gzip.compress(b"id\n1\n"), PLAIN, "a gzip file, which its name does not say"),
    "page": (b"<!DOCTYPE html><html>", PLAIN, "a web page, which its name does not say"),
    "semicolons": (b"id;v\n1;2\n", PLAIN, 'separated by \';\'; declare delimiter = ";"'),
    "tabs": (b"id\tv\n1\t2\n", PLAIN, 'declare delimiter = "\\t"'),
    "commas": (b"id,v\n1,2\n", Dialect(delimiter=";"), 'declare delimiter = ","'),
    "sep": (b"sep=;\nid;v\n", PLAIN, 'is Excel\'s \'sep=;\', no header; declare delimiter = ";" and header = 2'),
    "title": (b"Stock of May,\nid,v\n", PLAIN, "declare header = 2"),
    "last": (b"id,v,\n1,2,\n", PLAIN, "column 3 of 3 has no name in the header; name it, or take away the separator"),
    "spaces": (b"id,  ,v\n1,2,3\n", PLAIN, "column 2 of 3 has no name in the header; name it in the file"),
    "twice": (b"id,v,ID\n", PLAIN, "the header has 'ID', 'id' twice; capitals do not count; rename one"),
    "feed": (b"id,_change_type\n", PLAIN, "'_change_type', which belongs to the change feed"),
    "own": (b"id,file_line\n", PLAIN, "'file_line', which loading fills"),
    "letters": ("id,Größe\n".encode(), PLAIN, "'Größe': no name of a column; rename it in the file"),
    "control": (b"id,a\x1b[2J\n", PLAIN, r"'a\x1b[2J'"),
    "long": (b"id," + b"x" * 5000 + b"\n", PLAIN, "… (5,000 characters)"),
    "quote": (b'id,v\n1,"a\n', PLAIN, 'declare quote = ""'),
    "too few lines": (b"id\n", Dialect(header=9), "header = 9 is declared"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_with_a_first_file_is_named_with_what_mends_it(name: str) -> None:
    content, given, told = REFUSED[name]
    with pytest.raises(FileRefused) as refused:
        csv_rows.parse(content, given)
    assert told in str(refused.value)
    assert "\x1b" not in str(refused.value)


MENDED = {
    "delimiter": (b"id;v\n1;2\n", 'delimiter = ";"'),
    "header": (b"Stock of May,\nid,v\n1,2\n", "header = 2"),
    "sep": (b"sep=;\nid;v\n1;2\n", 'delimiter = ";"\nheader = 2'),
    "encoding": ("id,v\n1,Müller\n".encode("latin-1"), 'encoding = "cp1252"'),
    "quote": (b'id,v\n1,"2\n', 'quote = ""'),
    "nulls": (b"id,v\n1,2\n3,n/a\n", 'nulls = ["n/a"]'),
}  # fmt: skip


@pytest.mark.parametrize("name", MENDED)
def test_a_file_is_loaded_after_the_setting_was_declared(rig: Rig, name: str) -> None:
    content, setting = MENDED[name]
    rig.drop("n/a.csv", content)
    rig.scan()
    rig.drop("n/_dataset.toml", f"{setting}\n")
    rig.drop("n/b.csv", content + b"\n")
    rig.scan()
    assert rig.statuses()["n/b.csv"] == "success", rig.files()


def test_unknown_columns_name_their_neighbours(rig: Rig) -> None:
    rig.drop("pos/a.csv", "store_id,event_tme,qty\n")
    rig.drop("pos/b.csv", "Store_ID,event_time,qty\n")
    rig.drop("pos/c.csv", "store_id,event_time,colour\n")
    rig.scan()
    errors = [str(file.error) for file in rig.files()]
    assert "did you mean 'event_time'?" in errors[0]
    assert "did you mean 'store_id'? Capitals count" in errors[1]
    assert "declare it under [columns]" in errors[2]


@pytest.mark.parametrize(
    ("toml", "told"),
    [
        ('delimeter = ";"', "no setting 'delimeter'; did you mean delimiter?"),
        ('encoding = "klingon"', "no encoding 'klingon'; there are utf-8"),
        ('encoding = "unicode_escape"', "no encoding 'unicode_escape'"),
        ('decimal = ";"', "decimal ';' is none of '.', ','"),
        ('decimal = ","\nthousands = ","', "decimal and thousands are both ','"),
        ("header = true", "header = True is no int"),
        ("header = -1", "header = -1 is no line"),
        (f"header = {10**40}", f"header = {10**40} is no line"),
        ("header = 0", "header = 0 is no line"),
        ('delimiter = "ab"', "delimiter 'ab' is not one character"),
        ("delimiter = '\"'", "is a quote or the end of a line"),
        ('delimiter = "\\n"', "is a quote or the end of a line"),
        ("nulls = [1]", "nulls = [1] is no list of texts"),
        ('assume_zone = "Mars/Base"', "no time zone 'Mars/Base'"),
        ('quote = "#"', "quote '#' is none of"),
    ],
)
def test_a_dialect_that_cannot_be_is_refused(toml: str, told: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        declaration.parsed(toml.encode(), "bronze/n/_dataset.toml", "n")
    assert told in str(refused.value)


def test_every_setting_of_a_dialect_can_be_declared() -> None:
    toml = "\n".join(
        f"{name} = {3 if kind is int else [''] if kind is list else encoding.quoted(str(getattr(PLAIN, name)) or 'x')}"
        for name, kind in dialect.SETTINGS.items()
        if name not in ("quote", "thousands")
    )
    assert declaration.parsed(toml.encode(), "_dataset.toml", "n").dialect.header == 3


LINES = st.lists(
    st.text(st.sampled_from("a1;,'\t \u00e9"), max_size=4), min_size=1, max_size=4
).map(",".join)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(LINES, max_size=6), st.sampled_from((PLAIN, Dialect(delimiter=";"), Dialect(quote="")))
)
def test_blank_lines_and_separators_alone_are_no_rows_for_either_reader(
    lines: list[str], given: Dialect
) -> None:
    text = "\n".join((f"x{given.delimiter}y", f"1{given.delimiter}2", *lines)) + "\n"
    slow, fast = csv_rows._by_record(text, given), csv_rows._vectorised(text, given)
    if fast is not None:
        assert (fast.table, fast.lines, fast.refused) == (slow.table, slow.lines, slow.refused)
    blank = [n for n, line in enumerate(lines, 3) if not line.strip(given.delimiter + " \t")]
    assert not set(blank) & {*slow.lines.to_pylist(), *(one.line for one in slow.refused)}
    assert len(slow.lines) + len(slow.refused) == 1 + len(lines) - len(blank)


def test_an_empty_quoted_value_alone_is_a_row() -> None:
    assert csv_rows.parse(b'id\n1\n""\n\n2\n').table["id"].to_pylist() == ["1", None, "2"]


@pytest.mark.slow
def test_a_value_of_any_length_is_loaded_and_a_line_of_any_length_is_kept(rig: Rig) -> None:
    rig.drop("n/a.csv", "id,v\n1," + "x" * 3_000_000 + "\n" + "y" * 3_000_000 + "\n2,z\n")
    rig.scan()
    assert [(row[1], len(row[3])) for row in rig.rows("silver/n", "id", "v")] == [
        (2, 3_000_000),
        (4, 1),
    ]
    assert rig.rules() == [(3, "columns", "", "1 values for 2 columns")]


@pytest.mark.parametrize("start", ['[\n{"id":1},\n{"id":2}\n]\n', '{\n "id": 1\n}\n'])
def test_json_that_is_no_jsonl_is_named(start: str) -> None:
    with pytest.raises(FileRefused, match="JSONL has an object a line"):
        jsonl_rows.parse(start.encode())


def test_a_file_of_no_row_says_which_line_is_wrong_and_how(rig: Rig) -> None:
    rig.drop("n/a.jsonl", '[{"id": 1}]\n')
    rig.drop("pos/a.csv", sales("x"))
    rig.scan()
    first, second = (str(file.error) for file in rig.files())
    assert first == "line 1: no object, and no other line is a row; JSONL has an object {…} a line"
    assert second == f"line 2, column 'qty': 'x' breaks the rule type ({RULES['type']})"


def test_other_formats_are_told_with_what_to_do(rig: Rig) -> None:
    ways = {
        "a.csv.zip": "unpack it",
        "a.csv.bz2": "unpack it",
        "a.xlsx.gz": "unpack it",
        "a.xls": "save it as .xlsx",
        "a.json": "name it .jsonl",
        "a.tsv": "declare its delimiter",
    }
    for name in ways:
        rig.drop(f"n/{name}", "x")
    told = {one.path: one.why for one in rig.scan().waiting}
    for name, way in ways.items():
        assert way in told[f"n/{name}"]


def test_no_file_harms_those_beside_it(rig: Rig) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.drop("pos/folder.csv/b.csv", sales(2))
    rig.drop("pos/c.xlsx", b"PK\x03\x04 broken")
    rig.drop("pos/d.parquet", b"PAR1 cut")
    rig.drop("pos/e.csv", sales(3).encode("utf-16"))
    rig.drop("pos/f.csv", "")
    rig.drop("pos/g.csv", csv(("S" * 300, "2024-01-01", 1), ("S1", "2024-01-01", 4)))
    (rig.root / "bronze/pos/h.csv").symlink_to("/nowhere")
    rig.drop("pos/z.csv", sales(5))
    found = rig.scan()
    assert {one.path for one in found.waiting} == {"pos/f.csv", "pos/h.csv"}
    assert rig.statuses() == {
        "pos/a.csv": "success",
        "pos/folder.csv/b.csv": "success",
        "pos/c.xlsx": "failed",
        "pos/d.parquet": "failed",
        "pos/e.csv": "failed",
        "pos/g.csv": "partial",
        "pos/z.csv": "success",
    }
    assert sorted(row[2] for row in rig.rows("silver/pos", "qty")) == [1, 2, 4, 5]


def test_a_folder_that_cannot_be_listed_waits_and_others_are_loaded(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig.drop("pos/a.csv", sales(1))
    rig.drop("pos/closed/b.csv", sales(2))
    listed = os.scandir

    def closed(folder: Path) -> object:
        if Path(str(folder)).name == "closed":
            raise PermissionError(13, "Permission denied")
        return listed(folder)

    monkeypatch.setattr(os, "scandir", closed)
    found = rig.scan()
    assert [(one.path, one.why) for one in found.waiting] == [
        ("pos/closed", "it cannot be looked at: Permission denied")
    ]
    assert rig.statuses() == {"pos/a.csv": "success"}


def test_a_bronze_that_is_a_link_is_an_error(rig: Rig, tmp_path: Path) -> None:
    (rig.root / "bronze").rename(tmp_path / "elsewhere")
    (rig.root / "bronze").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageError, match="is a link, which is not followed"):
        rig.scan()


def test_two_declarations_of_a_folder_are_told(rig: Rig) -> None:
    rig.drop("pos/_dataset.json", "{}")
    rig.drop("pos/a.csv", sales(1))
    [waiting] = rig.scan().waiting
    assert "bronze/pos has _dataset.toml and _dataset.json" in waiting.why


@pytest.mark.parametrize("kind", ["double", "binary"])
def test_a_partition_that_engines_write_differently_is_refused(rig: Rig, kind: str) -> None:
    rig.drop("n/_dataset.toml", f'partition_by = ["k"]\n[columns]\nid = "bigint"\nk = "{kind}"\n')
    rig.drop("n/a.csv", "id,k\n1,1.5\n")
    rig.scan()
    assert "partition by a text, a whole number or a day" in str(rig.files()[0].error)


@pytest.mark.slow
def test_a_file_that_the_table_cannot_keep_stands_alone(rig: Rig) -> None:
    rig.drop("n/a.csv", "id,v\n1,a\n")
    rig.scan()
    DeltaTable(str(rig.root / "silver/n")).alter.add_constraint({"small": "id < 100"})
    for n, name in enumerate("bcdef", 2):
        rig.drop(f"n/{name}.csv", f"id,v\n{n if name != 'd' else 1000},a\n")
    rig.scan()
    assert [name for name, status in rig.statuses().items() if status != "success"] == ["n/d.csv"]


def test_names_are_listed_shortly() -> None:
    assert headers.listed(["a" * 100, *"bcdefg"]).endswith("'e' and 2 more")
