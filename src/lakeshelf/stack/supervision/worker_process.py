"""The judge of governed datasets as a process: `python -m lakeshelf.stack.supervision.worker_process`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

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
    until_prepared()
    address = governed.worker(settings)
    members = [{"member": "worker", "state": "running"}]
    with served(settings, "worker", beats=False) as telemetry:
        places = {"address": address, "telemetry": telemetry.address}
        worker.main(address, lambda: WORKER.write(settings.stack_dir, members, **places))


if __name__ == "__main__":
    sys.exit(main())
