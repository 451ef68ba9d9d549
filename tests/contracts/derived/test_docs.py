"""The reference pages are those that the catalogue renders."""

from __future__ import annotations

from pathlib import Path

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.derived import docs

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def test_the_committed_pages_are_up_to_date() -> None:
    assert docs.difference(CATALOG, REFERENCE) == [], "run `lakeshelf contracts docs`"


def test_every_table_topic_and_column_has_its_place() -> None:
    pages = docs.render(CATALOG)
    for table in CATALOG.tables.values():
        page = pages[f"tables/{table.name}.md"]
        assert all(f"`{c.name}`" in page and c.doc in page for c in table.columns)
        assert f"(tables/{table.name}.md)" in pages[docs.INDEX]
    for topic in CATALOG.topics.values():
        assert all(f"`{f.name}`" in pages[f"topics/{topic.name}.md"] for f in topic.fields)
        assert f"(topics/{topic.name}.md)" in pages[docs.INDEX]


def test_writing_brings_a_folder_in_line_and_then_changes_nothing(tmp_path: Path) -> None:
    stale = tmp_path / "tables" / "raw" / "gone.md"
    stale.parent.mkdir(parents=True)
    stale.write_text("gone")
    own = tmp_path / "notes.md"
    own.write_text("not generated")
    written = docs.write(CATALOG, tmp_path)
    assert "tables/raw/gone.md" in written
    assert len(written) == len(docs.render(CATALOG)) + 1
    assert not stale.exists()
    assert own.exists()
    assert docs.write(CATALOG, tmp_path) == []
