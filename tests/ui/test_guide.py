"""The guide to the pages names each page that is declared, the keys of the grid, and pictures that are there."""

from __future__ import annotations

import re
from importlib.resources import files

from lakeshelf.ui.pages import PAGES
from tests.ui.matrix import FILE, address, table

HEAVIEST, HEAVIEST_OF_ALL = 120_000, 1_000_000
"""Bytes of a picture, and of all."""
GUIDE = FILE.read_text(encoding="utf-8")


def rows() -> list[list[str]]:
    """Cells of the tables of the guide, but for that of permissions."""
    lines = GUIDE.replace(table(), "").splitlines()
    return [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")]


def test_each_page_stands_there_with_its_command_and_no_other() -> None:
    told = [(row[0], row[2]) for row in rows() if row[0].startswith("`")]
    assert told == [(f"`{address(page)}`", f"`{page.command}`") for page in PAGES]


def test_the_keys_are_those_of_the_grid() -> None:
    source = files("lakeshelf.ui") / "static" / "grid" / "dialogs.js"
    told = [[re.sub("</?kbd>", "", cell) for cell in row] for row in rows() if len(row) == 2]
    keys = re.findall(
        r'^  \["(.*?)", "(.*?)"\],$', source.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert len(keys) > 10
    assert [list(key) for key in keys] == told[-len(keys) :]


def test_its_pictures_are_there_are_light_and_are_all() -> None:
    folder = FILE.parent / "pictures"
    named = set(re.findall(r"\]\(pictures/([\w-]+\.webp)\)", GUIDE))
    weights = {file.name: file.stat().st_size for file in folder.iterdir()}
    assert named == set(weights)
    assert max(weights.values()) < HEAVIEST
    assert sum(weights.values()) < HEAVIEST_OF_ALL
