"""Optimizes and vacuums a table for ever, saying so before each round: to be killed at any moment."""

from __future__ import annotations

import sys
from pathlib import Path

from deltalake import DeltaTable

from lakeshelf.lake.upkeep.maintenance import optimize, vacuum
from tests.lake.upkeep.rig import NAME, add


def main(root: Path) -> None:
    """Add files of nothing but zeros, and maintain them."""
    handle = DeltaTable(str(root / NAME))
    while True:
        sys.stdout.write("round\n")
        sys.stdout.flush()
        optimize(handle, min_small_files=2)
        add(handle, 1, "a")
        optimize(handle, columns=["n"])
        vacuum(handle)
        add(handle, 3, "a")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
