"""A writer that appends numbers, maintains its table when it is told to, and then waits to be told to go on."""

from __future__ import annotations

import sys
from pathlib import Path

from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import maintenance
from lakeshelf.lake.write import writing
from tests.lake.upkeep.test_maintenance import LOG, entry


def main(root: Path) -> None:
    """Append, say so, maintain after a line on standard input, and again until killed."""
    handle = tables.open_table(root, LOG.name)
    recorded = handle.transaction_version("app")
    number = -1 if recorded is None else recorded
    while True:
        for _ in range(maintenance.SMALL_FILES):
            number += 1
            writing.append(handle, LOG.name, entry(number), Write.once(Txn("app", number)))
        sys.stdout.write("appended\n")
        sys.stdout.flush()
        sys.stdin.readline()
        maintenance.maintain(handle)
        sys.stdout.write("maintained\n")
        sys.stdout.flush()
        sys.stdin.readline()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
