"""docs/library.md: its examples work in their order, and its table of errors is that of the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from lakeshelf.errors import LakeError
from lakeshelf.lake.place import errors

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def table() -> str:
    """The errors of the lake, in the order of their module."""
    found = [
        kind
        for kind in vars(errors).values()
        if inspect.isclass(kind) and issubclass(kind, LakeError) and kind is not LakeError
    ]
    rows = [
        f"| `{e.__name__}` | `{e.__bases__[-1].__name__}` | {inspect.getdoc(e)} |" for e in found
    ]
    return "\n".join(["| error | is a | means |", "|---|---|---|", *rows])


def test_the_examples_work_in_their_order() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 7
    names: dict[str, object] = {"__name__": "example"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{PAGE.name}, block {number}", "exec"), names)


def test_the_table_of_errors_is_that_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (shown,) = re.findall(r"<!-- errors:.*?-->\n(.*?)\n?<!-- end of errors -->", text, re.DOTALL)
    if shown != table():
        pytest.fail(f"docs/library.md should have:\n{table()}")
