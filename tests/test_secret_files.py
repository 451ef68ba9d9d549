"""Secrets in files: whose setting takes one; how they are read is tested with those of Kafka."""

from __future__ import annotations

from pathlib import Path

from lakeshelf.settings import load_settings


def test_the_database_of_governed_datasets_can_be_named_in_a_file(
    lake: Path, tmp_path: Path
) -> None:
    """It beats the variable; one that says nothing is none, as Compose sets it."""
    file = tmp_path / "database"
    file.touch(mode=0o600)
    file.write_text("postgresql://ann:sesame@db/shop\n")
    named = load_settings(governance_database_file=file, governance_database="postgresql://other/x")
    assert named.governance_place == "postgresql://ann:sesame@db/shop"
    assert "sesame" not in repr(named)
    unset = load_settings(governance_database_file="")
    assert unset.governance_place == unset.state_dir / "_governance" / "metadata.db"
