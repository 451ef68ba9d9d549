"""Claims: the name of a folder of local state."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakeshelf.files import LARGEST
from lakeshelf.lake.place.claims import IDENTITY, identity
from lakeshelf.lake.place.errors import StorageError


def test_a_folder_keeps_its_name(tmp_path: Path) -> None:
    file = tmp_path / IDENTITY
    assert identity(file) == identity(file) != identity(tmp_path / "other.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"{}", b"[" * 100_000, b" " * (LARGEST + 1)],
    ids=lambda content: f"{content[:9]!r}{len(content)}",
)
def test_a_damaged_name_is_told_with_its_file_and_a_way_out(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / IDENTITY
    file.write_bytes(content)
    with pytest.raises(StorageError, match="names no state folder") as refusal:
        identity(file)
    assert str(file) in refusal.value.message
    assert "\n" not in refusal.value.message
    assert file.read_bytes() == content
