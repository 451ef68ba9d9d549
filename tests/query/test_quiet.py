"""A long statement of any part writes nothing to stdout."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb

from lakeshelf.lake.rows.quiet import quiet

HOME = Path(__file__).parents[2]


def test_a_quiet_connection_shows_no_bar() -> None:
    shown = "SELECT current_setting('enable_progress_bar')"
    assert quiet(duckdb.connect()).execute(shown).fetchone() == (False,)


def test_every_connection_of_the_product_is_quiet() -> None:
    rooms = (HOME / room for room in ("src", "spark-apps", "kafka-components", "ml-model"))
    texts = [file.read_text(encoding="utf-8") for room in rooms for file in room.rglob("*.py")]
    made = [found for text in texts for found in re.findall(r"(\S*)duckdb\.connect\(", text)]
    assert made
    assert set(made) == {"quiet("}
