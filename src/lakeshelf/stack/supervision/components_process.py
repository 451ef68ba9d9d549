"""Kafka components as a process: `python -m lakeshelf.stack.supervision.components_process [--components a,b]`.

Each runs in a thread of its own until SIGTERM or SIGINT; a decision that has begun is finished. A second
signal kills.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Sequence
from types import FrameType

from lakeshelf.components.host import Host
from lakeshelf.settings import Settings
from lakeshelf.stack.embedded.clients import client_settings
from lakeshelf.stack.supervision import handover
from lakeshelf.status_files import COMPONENTS, StatusFile
from lakeshelf.telemetry.serving import served


def main(argv: Sequence[str] | None = None) -> int:
    """Run components; the exit code."""
    return handover.main(argv, "components", run)


def run(
    settings: Settings,
    names: Iterable[str],
    until_prepared: handover.UntilPrepared = lambda: None,
    *,
    status: StatusFile = COMPONENTS,
) -> None:
    """Run the named components in this process until a signal.

    Args:
        settings: Lake, Kafka, simulation.
        names: Components; none: all.
        until_prepared: Returns when topics and tables are there.
        status: Where it tells how they are.

    Raises:
        ConfigurationError: An unknown component.
    """
    host = Host(names, settings, client_settings(settings), status)
    until_prepared()

    def handle(number: int, _: FrameType | None) -> None:
        if host.stopping:
            os._exit(128 + number)
        host.stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    part = "components" if status is COMPONENTS else "followers"
    with served(settings, part, host.problems, host.members) as telemetry:
        host.address, host.beat = telemetry.address, telemetry.beat
        host.run()


if __name__ == "__main__":
    sys.exit(main())
