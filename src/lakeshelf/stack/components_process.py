"""Kafka components as a process: `python -m lakeshelf.stack.components_process [--components a,b]`.

Each runs in a thread of its own until SIGTERM or SIGINT; a decision that has begun is finished. A second
signal kills.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from types import FrameType

from lakeshelf.components.host import Host
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack import handover
from lakeshelf.stack.clients import client_settings


def main(argv: Sequence[str] | None = None) -> int:
    """Run components; the exit code."""
    parser = argparse.ArgumentParser(prog="components_process", description="Runs components.")
    parser.add_argument("--components", default="", help="names, separated by commas; none: all")
    parser.add_argument(
        "--supervised", type=int, metavar="PID", help="the supervisor; settings come on stdin"
    )
    options = parser.parse_args(argv)
    names = [name for name in options.components.split(",") if name]
    try:
        if options.supervised is None:
            run(load_settings(), names)
        else:
            handover.die_with(options.supervised)
            run(handover.receive(), names, until_prepared=sys.stdin.readline)
    except Exception as error:  # noqa: BLE001 - a process ends with one line, whatever it was
        return handover.ended(error)
    return 0


def run(
    settings: Settings,
    names: Iterable[str],
    *,
    until_prepared: Callable[[], object] = lambda: None,
) -> None:
    """Run the named components in this process until a signal.

    Args:
        settings: Lake, Kafka, simulation.
        names: Components; none: all.
        until_prepared: Returns when topics and tables are there.

    Raises:
        ConfigurationError: An unknown component.
    """
    host = Host(names, settings, client_settings(settings))
    until_prepared()

    def handle(number: int, _: FrameType | None) -> None:
        if host.stopping:
            os._exit(128 + number)
        host.stop()

    signal.signal(signal.SIGINT, handle)
    signal.signal(signal.SIGTERM, handle)
    host.run()


if __name__ == "__main__":
    sys.exit(main())
