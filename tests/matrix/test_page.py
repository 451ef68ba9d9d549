"""The page of engines says what is declared, and what is declared is tried."""

from __future__ import annotations

from pathlib import Path

from lakeshelf.lake.form.features import FEATURES
from tests.matrix import page
from tests.matrix.written import TABLES

UNTRIED = {
    "checkpointProtection", "icebergCompatV1", "vacuumProtocolCheck", "variantShredding-preview",
    "variantType-preview", "typeWidening-preview", "catalogOwned-preview",
}  # fmt: skip
"""Spark writes no table with them here; tests/lake/form/test_features.py names each in a protocol."""


def test_the_page_of_engines_is_what_is_declared() -> None:
    shown = Path(__file__).parents[2] / "docs" / "reference" / "engines.md"
    assert shown.read_text() == page.page()


def test_every_declared_feature_is_in_the_matrix_or_said_not_to_be() -> None:
    tried = {feature for made in TABLES.values() for feature in made.features}
    assert tried | UNTRIED == set(FEATURES)
    assert not tried & UNTRIED
