"""The index of decision records, made from their heads.

`python -m tests.docs.records > docs/adr/README.md` writes it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / "docs" / "adr"
INDEX = FOLDER / "README.md"
HEAD = re.compile(r"# (\d+)\. ([^\n]+)\n\nDecided (\d{4}-\d\d-\d\d)\. Status: ([^\n]+)\.\n\n\w")
BEFORE = """\
# Decision records

What was decided that somebody might want to undo, and why. The [rules in force](../design/README.md) have pages of
their own. A record whose decision changes is amended or superseded, and says so below its title.

<!-- made of the records by `python -m tests.docs.records` -->
| | decision | decided | status |
|---|---|---|---|
"""


class Record(NamedTuple):
    """The head of a record: its file, number, title, day of the decision, and status."""

    file: str
    number: int
    title: str
    decided: str
    status: str

    @property
    def row(self) -> str:
        """Its row of the index, without what the status tells beyond its first words."""
        status = self.status.partition(":")[0]
        return f"| {self.number} | [{self.title}]({self.file}) | {self.decided} | {status} |"


def read(file: Path) -> Record:
    """The record of a file.

    Raises:
        ValueError: Its head is not that of a record.
    """
    found = HEAD.match(file.read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(
            f"{file.name} does not begin with `# N. Title` and `Decided YYYY-MM-DD. Status: ….`"
        )
    return Record(file.name, int(found[1]), found[2], found[3], found[4])


def records() -> list[Record]:
    """All records in the order of their files."""
    return [read(file) for file in sorted(FOLDER.glob("[0-9]*.md"))]


def index() -> str:
    """The page."""
    return BEFORE + "".join(f"{record.row}\n" for record in records())


if __name__ == "__main__":
    sys.stdout.write(index())
