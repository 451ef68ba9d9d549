"""What a change request changes, shown a page at a time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.reading import diffs
from tests.governance.services.acting import ROW, delete, done, insert, proposed, set_
from tests.governance.services.conftest import ANN, CAT, PROJECT

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def database(sqlite_template: Path, tmp_path: Path) -> Path:
    """What is shown does not depend on the database."""
    file = tmp_path / "metadata.db"
    file.write_bytes(sqlite_template.read_bytes())
    return file


def test_pages_hold_each_cell_once_beside_what_main_has_now(context: Context) -> None:
    done(context, insert("A1"), insert("A2"), insert("A3"), insert("B1"))
    edits = (
        set_("A3", "min_qty", 7),
        set_("A3", "target_pct", 90),
        insert("A4"),
        delete("A2"),
        set_("A1", "min_qty", 6),
    )
    request = proposed(context, ANN, *edits)
    done(context, set_("A3", "min_qty", 3), set_("A1", "active", False))
    read = [diffs.diff(context, CAT, PROJECT, request.number, offset, 2) for offset in (0, 2, 4)]
    assert [page.total for page in read] == [5, 5, 5]
    first, *others = [one for page in read for one in page.cells]
    assert (first.row_id, first.column, first.conflict) == ("A3", "min_qty", "cell")
    assert (first.base, first.main, first.staged) == (1, 3, 7)
    assert {(one.row_id, one.column): (one.op, *_sides(one)) for one in others} == {
        ("A1", "min_qty"): ("set", 1, 1, 6),
        ("A2", None): ("delete", ROW["min_qty"], ROW["min_qty"], None),
        ("A3", "target_pct"): ("set", 80, 80, 90),
        ("A4", None): ("insert", None, None, ROW["min_qty"]),
    }


def _sides(one: diffs.CellDiff) -> list[Any]:
    """Base, main and staged: of a row the cell that tells it apart."""
    sides = (one.base, one.main, one.staged)
    return [side["min_qty"] if isinstance(side, Mapping) else side for side in sides]
