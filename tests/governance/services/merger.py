"""A process that merges a change request.

`python -m tests.governance.services.merger DATABASE LAKE WORKER NUMBER HASH`

It stops itself (SIGSTOP) at the crash point that `STOP_AT` names, and exits with 3 if the merge is refused.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from lakeshelf import crash
from lakeshelf.governance.errors import GovernanceError
from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.services.changes import merging
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.validation.remote import Worker
from lakeshelf.lake.place.location import Root

STOP_AT, NOW = "STOP_AT", "NOW"
REFUSED = 3


def main(database: str, lake: str, worker: str, number: str, content: str) -> int:
    """Merge; the exit code."""
    reached = crash.point

    def point(name: str, number: int | None = None) -> None:
        if os.environ.get(STOP_AT) == name:
            os.kill(os.getpid(), signal.SIGSTOP)
        reached(name, number)

    crash.point = point
    now = datetime.fromisoformat(os.environ[NOW]) + timedelta(seconds=1)
    with Metadata.open(database if "://" in database else Path(database)) as metadata:
        context = Context(metadata, Root.at(lake), Worker(worker), lambda: now, holder="there")
        try:
            merging.merge(context, Caller("ann"), "retail", int(number), content)
        except GovernanceError as error:
            sys.stderr.write(f"{error.code} {error.message}\n")
            return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
