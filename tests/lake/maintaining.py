"""A writer that appends numbers for ever and maintains its table all the time."""

from __future__ import annotations

import sys
from pathlib import Path

from lakeshelf.lake import commits, maintenance, tables
from lakeshelf.lake.commits import Txn
from tests.lake.test_maintenance import LOG, entry


def main(root: Path) -> None:
    """Append and maintain until killed; say so before each maintenance."""
    maintenance.SMALL_FILES = 2
    handle = tables.open_table(root, LOG.name)
    number = handle.transaction_version("app")
    number = -1 if number is None else number
    while True:
        for _ in range(5):
            number += 1
            commits.append(handle, LOG.name, entry(number), Txn("app", number))
        sys.stdout.write("maintaining\n")
        sys.stdout.flush()
        maintenance.maintain(handle)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
