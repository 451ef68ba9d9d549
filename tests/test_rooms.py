"""What the tests cover is told by room, and a room that they cover badly is named."""

from __future__ import annotations

from tests import rooms


def file(lines: int, covered_lines: int, branches: int, covered_branches: int) -> dict[str, object]:
    figures = {"num_statements": lines, "covered_lines": covered_lines}
    return {"summary": {**figures, "num_branches": branches, "covered_branches": covered_branches}}


REPORT = {
    "files": {
        "src/lakeshelf/lake/table.py": file(90, 90, 10, 10),
        "src/lakeshelf/cli/main.py": file(50, 50, 30, 10),
        "src/lakeshelf/cli/other.py": file(20, 20, 0, 0),
        "src/lakeshelf/cli/template/__init__.py": file(0, 0, 0, 0),
    }
}


def test_lines_and_branches_of_a_folder_count_together() -> None:
    assert rooms.covered(REPORT) == {"src/lakeshelf/cli": 80.0, "src/lakeshelf/lake": 100.0}


def test_rooms_below_the_goal_are_named() -> None:
    *_, last = rooms.told(rooms.covered(REPORT))
    assert last == "below 85 %: src/lakeshelf/cli"
    assert [*rooms.told({"a": 85.0})][-1] == "below 85 %: no room"
