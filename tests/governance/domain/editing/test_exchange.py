"""Texts survive a spreadsheet, and files say what they are of."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.governance.domain.editing.exchange import ExportMark, escaped, restored

HOSTILE = st.sampled_from(
    [
        *("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"),
        *("'", "''", "'=1", "", " ", "\u00a0", '"', '\'"a"', "_x000D_", "a\rb", "\x01", "null"),
    ]
)
TEXTS = st.lists(st.none() | HOSTILE | st.text(max_size=12), max_size=20)


def strings(texts: list[str | None]) -> pa.Array:
    return pa.array(texts, pa.string())


@given(TEXTS)
def test_what_is_escaped_is_restored(texts: list[str | None]) -> None:
    assert restored(escaped(strings(texts))).to_pylist() == texts


@given(TEXTS)
def test_no_cell_is_a_formula_blank_or_a_control_character(texts: list[str | None]) -> None:
    for cell in escaped(strings(texts)).to_pylist():
        if cell is not None:
            assert cell.strip()
            assert cell[0] not in "=+-@\t\r"
            assert not any(ord(letter) < 32 and letter not in "\t\n" for letter in cell)


@pytest.mark.parametrize("text", ["plain", "café", "1.5", "007", '"', "a\nb"])
def test_what_a_spreadsheet_leaves_alone_is_not_touched(text: str) -> None:
    assert escaped(strings([text])).to_pylist() == [text]


@given(st.integers(0, 10**12), st.sampled_from(["", ",,,,", ";;", "\t\t", "  "]))
def test_a_comment_is_known_again_as_programs_save_it(version: int, tail: str) -> None:
    mark = ExportMark("retail/shelf_policies", version)
    assert ExportMark.of_comment(mark.comment + tail) == mark
    assert ExportMark.of_comment(f'\ufeff"{mark.comment}"{tail}') == mark


@pytest.mark.parametrize(
    "line", ["", "shelf_id,min_qty", "# lakeshelf: ../x version 1", "# lakeshelf: a/b"]
)
def test_other_lines_are_no_marks(line: str) -> None:
    assert ExportMark.of_comment(line) is None
