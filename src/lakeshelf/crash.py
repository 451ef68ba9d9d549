"""Named crash points: places where a test kills the process, to show that what was promised holds there."""

from __future__ import annotations

import os
import signal

from lakeshelf.errors import StreamError

VARIABLE = "LAKESHELF_CRASH_AT"
BATCH_POINTS = (
    "before_raw",
    "after_raw",
    "between_tables",
    "before_publish",
    "after_publish",
    "after_ledger",
)
DECISION_POINTS = ("before_journal", "after_journal", "after_messages")
MERGE_POINTS = (
    "merge_after_lease",
    "merge_after_plan",
    "merge_after_commit",
    "merge_after_settled",
    "merge_after_cells",
)
FILE_POINTS = (
    "files_after_register",
    "files_after_claim",
    "files_after_rejects",
    "files_after_data",
    "files_after_resolve",
    "files_after_outcome",
)
PUBLICATION_POINTS = (
    "before_rows",
    "between_rows",
    "after_rows",
    "after_publication",
)
ADOPTION_POINTS = ("before_adoption", "after_adoption")
POISON, RAISES = "LAKESHELF_POISON", "LAKESHELF_POISON_RAISES"


def point(name: str, number: int | None = None) -> None:
    """Kill this process with SIGKILL if `LAKESHELF_CRASH_AT` is `<name>` or `<name>:<number>`.

    Args:
        name: The point.
        number: Of the batch or decision that is there.
    """
    if os.environ.get(VARIABLE) in (name, f"{name}:{number}"):
        os.kill(os.getpid(), signal.SIGKILL)


def poison(name: str) -> str | None:
    """The event that nothing gets past this point with, if `LAKESHELF_POISON` is `<name>@<event id>`."""
    point_, _, event_id = os.environ.get(POISON, "").partition("@")
    return event_id if point_ == name else None


def spoil(event_id: str) -> None:
    """What a poisonous event does: kill this process, or raise if `LAKESHELF_POISON_RAISES` is set."""
    if os.environ.get(RAISES):
        raise StreamError(f"nothing can be done with {event_id}")
    os.kill(os.getpid(), signal.SIGKILL)
