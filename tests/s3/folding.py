"""A process that folds two batches on a lake, as a driver that was started anew does: from the first, once each."""

from __future__ import annotations

import sys

from tests.streams import harness
from tests.streams.recover.test_recovery import FIRST, SECOND


def main(root: str) -> None:
    """Fold, and say each batch that is done."""
    runner = harness.Runner(root, ledger=True)
    for number, records in enumerate((FIRST, SECOND)):
        sys.stdout.write(f"begins {number}\n")
        sys.stdout.flush()
        runner.run(number, records)
    sys.stdout.write("done\n")


if __name__ == "__main__":
    main(sys.argv[1])
