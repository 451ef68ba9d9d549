"""The streams driver as a process: `python -m lakeshelf.stack.supervision.streams_process [--jobs a,b]`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from lakeshelf.settings import Settings
from lakeshelf.stack.supervision import handover


def main(argv: Sequence[str] | None = None) -> int:
    """Run the driver; the exit code."""
    return handover.main(argv, "jobs", _run)


def _run(settings: Settings, names: Iterable[str], until_prepared: handover.UntilPrepared) -> None:
    from lakeshelf.stack.supervision import driving  # noqa: PLC0415 - after it is known what to do without

    driving.run(settings, names, until_prepared)


if __name__ == "__main__":
    sys.exit(main())
