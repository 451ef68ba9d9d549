"""An owner that appends numbers for ever, maintains its table, and does what others ask of it.

`python -m tests.lake.upkeep.owning <root> <table>`: a line `ready` once it holds its leases, then one for each commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.lake import Lake
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.write import writing
from tests.lake.upkeep.rig import entry


def main(root: Path, name: str) -> None:
    """Append, serve, and again until killed."""
    handle = tables.open_table(root, name)
    with requests.leased(Lake(root).root, Lake(root).dataset(name)) as is_ours:
        assert is_ours, "another owner runs"
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while True:
            number = (handle.transaction_version("owner") or 0) + 1
            writing.append(handle, name, entry(number), Write.once(Txn("owner", number)))
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()
            if requests.asked(root / "_stack", [name]):
                requests.serve(root / "_stack", name, lambda: handle)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
