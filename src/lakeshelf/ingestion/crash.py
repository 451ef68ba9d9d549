"""Named crash points: places where a test kills the process, to show that what was promised holds there."""

from __future__ import annotations

import os
import signal

VARIABLE = "LAKESHELF_CRASH_AT"
POINTS = (
    "files_after_register",
    "files_after_claim",
    "files_after_rejects",
    "files_after_data",
    "files_after_resolve",
    "files_after_outcome",
)


def point(name: str) -> None:
    """Kill this process with SIGKILL if `LAKESHELF_CRASH_AT` names the point."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
