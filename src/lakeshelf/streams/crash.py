"""Named crash points: places where a test kills the process, to show that what was promised holds there."""

from __future__ import annotations

import os
import signal

VARIABLE = "LAKESHELF_CRASH_AT"
POINTS = (
    "before_raw",
    "after_raw",
    "between_tables",
    "before_publish",
    "after_publish",
    "after_ledger",
)
COMPONENT_POINTS = ("before_journal", "after_journal", "after_messages")


def point(name: str, batch_id: int) -> None:
    """Kill this process with SIGKILL if `LAKESHELF_CRASH_AT` is `<name>` or `<name>:<batch id>`."""
    if os.environ.get(VARIABLE) in (name, f"{name}:{batch_id}"):
        os.kill(os.getpid(), signal.SIGKILL)
