"""Decision records say when they were decided and what became of them, and their index is made from that."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.records import INDEX, index, read, records


def test_the_index_is_that_of_the_records() -> None:
    assert INDEX.read_text(encoding="utf-8") == index(), (
        "run `python -m tests.docs.records > docs/adr/README.md`"
    )


def test_records_are_numbered_as_their_files_and_without_a_gap() -> None:
    found = records()
    assert [record.number for record in found] == list(range(1, len(found) + 1))
    assert all(record.file.startswith(f"{record.number:04}-") for record in found)


@pytest.mark.parametrize(
    "head",
    [
        "# 1. Without a day\n\nStatus: accepted.\n\nText.\n",
        "# 1. Without a status\n\nDecided 2026-11-21.\n\nText.\n",
        "# Without a number\n\nDecided 2026-11-21. Status: accepted.\n\nText.\n",
    ],
)
def test_a_record_without_number_day_or_status_is_named(tmp_path: Path, head: str) -> None:
    file = tmp_path / "0001-a.md"
    file.write_text(head)
    with pytest.raises(ValueError, match="0001-a"):
        read(file)
