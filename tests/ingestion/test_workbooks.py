"""Excel: the sheet that people see, cells that hold a value, and everything else named."""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

import openpyxl
import pytest
from openpyxl.workbook import Workbook

from lakeshelf.ingestion.declared.dialect import Dialect
from lakeshelf.ingestion.errors import FileRefused
from lakeshelf.ingestion.formats import xlsx_parts, xlsx_rows
from tests.ingestion.rig import Rig

HEADER = ("id", "price", "at")


def saved(*fills: Callable[[Any], object], book: Workbook | None = None) -> bytes:
    """A workbook; each `fill` gets its first sheet."""
    made, out = book or openpyxl.Workbook(), io.BytesIO()
    made.active.append(HEADER)
    for fill in fills:
        fill(made.active)
    made.save(out)
    return out.getvalue()


def cell(place: str, value: object, kind: str = "", form: str = "") -> Callable[[Any], None]:
    def fill(sheet: Any) -> None:
        sheet[place] = value
        if kind:
            sheet[place].data_type = kind
        if form:
            sheet[place].number_format = form

    return fill


def edited(content: bytes, part: str, old: str, new: str) -> bytes:
    """A workbook of which a part is written otherwise."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(out, "w") as made:
        for name in given.namelist():
            text = given.read(name)
            if name == part:
                assert old in text.decode()
                text = text.decode().replace(old, new).encode()
            made.writestr(name, text)
    return out.getvalue()


def texts(content: bytes, dialect: Dialect | None = None) -> list[dict[str, str]]:
    return xlsx_rows.parse(content, dialect or Dialect()).table.to_pylist()


UNTRUSTED = {
    "error": ([cell("B2", "#N/A", "e")], [(2, "price", "B2: #N/A")]),
    "reference": ([cell("B2", "#REF!", "e")], [(2, "price", "B2: #REF!")]),
    "formula": ([cell("B2", "=1+1")], [(2, "price", "B2: a formula without a value")]),
    "merged down": (
        [cell("B2", 5), cell("A3", 2), lambda sheet: sheet.merge_cells("B2:B3")],
        [(2, "price", "B2: merged B2:B3"), (3, "price", "B3: merged B2:B3")],
    ),
    "merged across": (
        [cell("A2", "Total"), lambda sheet: sheet.merge_cells("A2:C2")],
        [(2, "id", "A2: merged A2:C2")],
    ),
    "before the calendar": ([cell("C2", -1, form="yyyy-mm-dd")], [(2, "at", "C2: a number that is no day or time")]),
    "29 February 1900": ([cell("C2", 60, form="yyyy-mm-dd")], [(2, "at", "C2: a number that is no day or time")]),
    "alone in its row": ([cell("C9", "#DIV/0!", "e")], [(9, "at", "C9: #DIV/0!")]),
    "two in a row": (
        [cell("A2", "#N/A", "e"), cell("B2", "#NAME?", "e")],
        [(2, "id", "A2: #N/A"), (2, "price", "B2: #NAME?")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNTRUSTED)
def test_a_cell_without_a_value_refuses_its_row_by_name(name: str) -> None:
    fills, wrong = UNTRUSTED[name]
    parsed = xlsx_rows.parse(saved(cell("A2", 1), *fills, cell("A8", 7), cell("B8", 1.5)))
    assert [(one.line, one.column, one.value) for one in parsed.refused] == wrong
    assert {one.rule for one in parsed.refused} == {"cell"}
    shown = wrong[0][2].partition(": ")[2]
    assert shown in json.loads(parsed.refused[0].row).values(), "what was there is kept"
    assert parsed.table.to_pylist()[-1] == {"id": "7", "price": "1.5", "at": None}
    assert not set(parsed.lines.to_pylist()) & {line for line, *_ in wrong}


def test_a_formula_with_a_value_is_its_value_and_an_empty_text_of_one_is_null() -> None:
    part, content = "xl/worksheets/sheet1.xml", saved(cell("A2", 2), cell("B2", 3))
    content = edited(content, part, "<v>2</v>", "<f>1+1</f><v>2</v>")
    content = edited(content, part, 't="n"><v>3</v>', 't="str"><f>""</f><v></v>')
    assert texts(content) == [{"id": "2", "price": None, "at": None}]


def test_a_whole_number_with_more_digits_than_excel_keeps_is_refused() -> None:
    content = saved(cell("A2", 1), cell("A3", 999_999_999_999_999))
    content = edited(content, "xl/worksheets/sheet1.xml", "<v>1</v>", "<v>12345678901234567891</v>")
    parsed = xlsx_rows.parse(content)
    assert parsed.table["id"].to_pylist() == ["999999999999999"]
    assert "12345678901234567891 has more digits than the 15 that Excel keeps" in str(
        parsed.refused[0].value
    )


VALUES = [
    (12.0, "12"),
    (-0.5, "-0.5"),
    (0.15, "0.15"),
    (True, "true"),
    (datetime(2024, 1, 1, 12, 30), "2024-01-01T12:30:00"),  # noqa: DTZ001 - Excel knows no zones
    (date(2024, 1, 1), "2024-01-01"),
    (time(1, 2, 3), "01:02:03"),
    (timedelta(days=1, hours=2, seconds=5), "26:00:05"),
    (" x ", " x "),
    ("00123", "00123"),
]


@pytest.mark.parametrize(("value", "text"), VALUES)
def test_values_are_written_as_people_read_them(value: object, text: str) -> None:
    assert texts(saved(cell("A2", value))) == [{"id": text, "price": None, "at": None}]


@pytest.mark.parametrize(
    "epoch",
    [openpyxl.utils.datetime.CALENDAR_WINDOWS_1900, openpyxl.utils.datetime.CALENDAR_MAC_1904],
)
def test_days_of_both_calendars_are_the_same_days(epoch: datetime) -> None:
    book = openpyxl.Workbook()
    book.epoch = epoch
    days = [date(1904, 3, 1), date(2024, 2, 29), date(9999, 12, 31)]
    content = saved(*(cell(f"A{n}", day) for n, day in enumerate(days, 2)), book=book)
    assert [row["id"] for row in texts(content)] == [day.isoformat() for day in days]


def test_empty_rows_and_columns_are_none_and_a_title_is_skipped_where_declared() -> None:
    book = openpyxl.Workbook()
    for row in (
        ("Stock of May", None),
        (None, None),
        ("id", "qty", None),
        (1, 2, None),
        ("  ", None),
        (3, 4, " "),
    ):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    assert texts(out.getvalue(), Dialect(header=3)) == [
        {"id": "1", "qty": "2"},
        {"id": "3", "qty": "4"},
    ]
    with pytest.raises(FileRefused, match="declare header = 2") as refused:
        texts(out.getvalue())
    assert "'Stock of May' alone" in str(refused.value)


def sheets() -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    book.active.title = "codes"
    book.active.append(["code"])
    book.active.sheet_state = "hidden"
    for name, state in (("secret", "veryHidden"), ("May", "visible"), ("June", "visible")):
        sheet = book.create_sheet(name)
        sheet.append(["id", "qty"])
        sheet.append([name, 5])
        sheet.sheet_state = state
    book.create_chartsheet("Chart", 0)
    book.save(out)
    return out.getvalue()


def test_the_first_visible_sheet_is_loaded_and_the_others_are_named(rig: Rig) -> None:
    rig.drop("n/a.xlsx", sheets())
    found = rig.scan()
    assert found.is_complete
    told = "sheet 'May'; left out: 'codes' (hidden), 'secret' (hidden), 'June'"
    assert found.as_json()["left_out"] == [{"path": "n/a.xlsx", "what": told}]
    assert rig.files()[0].note == told
    assert [row[2:] for row in rig.rows("silver/n", "id", "qty")] == [("May", 5)]


def test_a_sheet_is_declared_by_its_name(rig: Rig) -> None:
    rig.drop("n/_dataset.toml", 'sheet = "secret"\n')
    rig.drop("n/a.xlsx", sheets())
    assert rig.scan().is_complete
    assert [row[2] for row in rig.rows("silver/n", "id")] == ["secret"]
    rig.drop("m/_dataset.toml", 'sheet = "Julie"\n')
    rig.drop("m/a.xlsx", sheets())
    rig.scan()
    assert "no sheet 'Julie'; there are 'codes', 'secret', 'May', 'June'" in str(
        rig.files()[1].error
    )


def test_words_that_mean_null_are_declared(rig: Rig) -> None:
    rig.drop("n/_dataset.toml", 'nulls = ["n/a", "-"]\n')
    rig.drop(
        "n/a.xlsx",
        saved(cell("A2", 1), cell("B2", "n/a"), cell("A3", 2), cell("B3", 1.5), cell("C3", "-")),
    )
    assert rig.scan().is_complete
    assert [row[2:] for row in rig.rows("silver/n", "id", "price")] == [(1, None), (2, 1.5)]


OTHERS = {
    "text": (b"id,qty\n1,2\n", "no workbook: File is not a zip file"),
    "page": (b"<html><table><tr><td>1</td></tr></table></html>", "no workbook: a web page"),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
        "an old Excel workbook (.xls), or one with a password",
    ),
    "gzip": (gzip.compress(b"x"), "no workbook: a gzip file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_workbook_is_named(name: str) -> None:
    content, why = OTHERS[name]
    with pytest.raises(FileRefused, match=re.escape(why)) as refused:
        xlsx_rows.parse(content)
    assert "save it as .xlsx" in str(refused.value)


def test_a_zip_archive_that_is_no_workbook_is_named() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
    with pytest.raises(FileRefused, match="no workbook: a zip archive"):
        xlsx_rows.parse(out.getvalue())


def test_a_workbook_that_would_expand_is_refused() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'
    content = edited(
        saved(cell("A2", 1)), "xl/worksheets/sheet1.xml", "<worksheet", bomb + "<worksheet"
    )
    with pytest.raises(FileRefused, match="workbook"):
        xlsx_parts.cells(content, "Sheet")


def test_a_cell_without_a_place_is_the_next_one() -> None:
    content = saved(cell("A2", 1), cell("B2", "#N/A", "e"))
    for old in ('<row r="2">', '<c r="A2" ', '<c r="B2" '):
        content = edited(content, "xl/worksheets/sheet1.xml", old, re.sub(r' r="\w+"', "", old))
    assert xlsx_parts.cells(content, "Sheet").wrong == {(1, 1): "#N/A"}


def test_an_error_in_the_header_fails_the_file() -> None:
    with pytest.raises(FileRefused, match="cell B1, in the header, is #REF!"):
        xlsx_rows.parse(saved(cell("B1", "#REF!", "e"), cell("A2", 1)))


def test_a_cell_far_away_is_told_and_does_not_take_the_memory() -> None:
    content = saved(cell("A2", 1), cell("XFD1048576", 1))
    with pytest.raises(FileRefused, match="reaches to XFD1048576, which are 17,179,869,184 cells"):
        xlsx_rows.parse(content)
    far = edited(saved(cell("A2", 1)), "xl/worksheets/sheet1.xml", 'r="A2"', 'r="ZZZ9999999"')
    with pytest.raises(FileRefused, match="reaches to ZZZ9999999"):
        xlsx_rows.parse(far)


def test_an_empty_cell_far_away_that_has_a_format_does_no_harm() -> None:
    assert texts(saved(cell("A2", 1), cell("XFD1048576", None, form="0.00"))) == [
        {"id": "1", "price": None, "at": None}
    ]
