"""The judge of governed datasets as a process: `python -m lakeshelf.stack.supervision.worker_process`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from functools import partial

from lakeshelf import lean
from lakeshelf.governance.validation import worker
from lakeshelf.settings import Settings
from lakeshelf.stack.supervision import governed, handover
from lakeshelf.status_files import WORKER
from lakeshelf.telemetry.serving import served


def main(argv: Sequence[str] | None = None) -> int:
    """Judge rows; the exit code."""
    return handover.main(argv, "worker", run)


def run(
    settings: Settings,
    names: Iterable[str],
    until_prepared: handover.UntilPrepared = lambda: None,
) -> None:
    """Judge rows in this process until a signal.

    Args:
        settings: Where it listens.
        names: None.
        until_prepared: Returns when the stack is there.
    """
    lean.admit(lean.PANDAS)  # Great Expectations judges its frames
    until_prepared()
    address = governed.worker(settings)
    with served(settings, "worker", beats=False) as telemetry:
        places = {"address": address, "telemetry": telemetry.address}
        tell = partial(WORKER.tell, settings.stack_dir, "worker", places)
        try:
            worker.main(address, partial(tell, "running"))
        finally:
            tell("stopped")


if __name__ == "__main__":
    sys.exit(main())
