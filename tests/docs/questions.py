"""The analyst's questions of the page on SQL."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "sql.md"


class Question(NamedTuple):
    """What is asked: whether every lake has an answer, and the statement."""

    on_both: bool
    statement: str


_BLOCKS = re.findall(
    r"^### ([^\n]+)\n\n([^`#]+)```sql\n(.*?)```",
    PAGE.read_text(encoding="utf-8"),
    flags=re.DOTALL | re.MULTILINE,
)
QUESTIONS = {name: Question(said.startswith("On both"), text) for name, said, text in _BLOCKS}
"""Heading → question."""
