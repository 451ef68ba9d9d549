"""A process that takes a lease, and uses it once it is told to go on."""

from __future__ import annotations

import sys
from pathlib import Path

from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import HOUR


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hold(place: Path | str) -> None:
    """Take the lease, wait for a line, then finish the merge under it."""
    with Metadata.open(place) as metadata:
        with metadata.transaction() as tx:
            lease = tx.leases.take("merge", "first", NOW, HOUR)
            assert lease is not None
            seen = tx.requests.get("retail", 1)
        say("taken")
        sys.stdin.readline()
        try:
            with metadata.transaction() as tx:
                tx.requests.advance(seen, at=NOW, status="merged", merged_by="first")
                tx.leases.require(lease)
        except GovernanceError as error:
            say(error.code)
        else:
            say("merged")


if __name__ == "__main__":
    hold(sys.argv[1] if "://" in sys.argv[1] else Path(sys.argv[1]))
