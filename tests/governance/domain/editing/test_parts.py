"""A file of many rows is compared part by part; what it comes to is the same."""

from __future__ import annotations

import pyarrow as pa
import pytest

from lakeshelf.contracts.types import LONG, STRING, Field
from lakeshelf.governance.domain.definition import Column, Definition
from lakeshelf.governance.domain.editing import importing
from lakeshelf.governance.domain.editing.files import Mode

COLUMNS = tuple(
    Column(Field(name, type_, "What it is.", required=False))
    for name, type_ in (("shelf", STRING), ("least", LONG), ("most", LONG))
)
DEFINITION = Definition(1, COLUMNS, ("shelf",), deletes=True)
BASE = pa.table({"shelf": ["a", "b", "c", "d"], "least": [1, 2, None, 4], "most": [9, 9, 9, 9]})
FILE = pa.table({"shelf": ["e", "c", "a", "f", "b"], "least": [5, 3, 1, None, 7]})


@pytest.mark.parametrize("mode", ["upsert", "append", "replace"])
def test_parts_come_to_what_the_whole_comes_to(mode: Mode, monkeypatch: pytest.MonkeyPatch) -> None:
    def staged() -> pa.Table:
        ids = FILE["shelf"].combine_chunks()
        return importing.imported(DEFINITION, ids, FILE, BASE.cast(DEFINITION.schema), mode)

    whole = staged()
    monkeypatch.setattr(importing, "AT_ONCE", 2)
    assert staged().to_pylist() == whole.to_pylist()
    assert whole["row_id"].to_pylist() == [
        "e",
        "c",
        "f",
        "b",
        *(["d"] if mode == "replace" else []),
    ]
    assert whole["op"].to_pylist()[:4] == ["insert", "set", "insert", "set"]
