"""What a process of the stack tells of itself: a file in the stack's folder, written anew each second at least."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakeshelf.errors import FULL
from lakeshelf.files import read_json, write_atomically

MOST = 2**40
"""No number of a process, and no time, is larger."""


@dataclass(frozen=True)
class StatusFile:
    """Where a process tells how it is.

    Attributes:
        name: Name of the file.
        members: Entry that lists what the process runs.
        has: What each of these has, in words or as a number.
    """

    name: str
    members: str
    has: Sequence[str]

    def write(self, stack_dir: Path, members: Sequence[Mapping[str, Any]], **more: Any) -> None:
        """Write the status of this process; on a disk that is full the last one stays, and nothing ends for it.

        Args:
            stack_dir: The stack's folder.
            members: What it runs.
            more: Other fields of the status.
        """
        process = {"pid": os.getpid(), "host": socket.gethostname(), "written_at": time.time()}
        status = {**process, **more, self.members: members}
        try:
            write_atomically(stack_dir / self.name, json.dumps(status).encode())
        except OSError as error:
            if error.errno not in FULL:
                raise

    def tell(self, stack_dir: Path, member: str, places: Mapping[str, str], state: str) -> None:
        """Write the status of a process that is what it runs, and at which addresses it listens."""
        self.write(stack_dir, [{"member": member, "state": state}], **places)

    def read(self, stack_dir: Path) -> dict[str, Any]:
        """What was told last: `pid`, `host`, `written_at` (seconds since 1970), the members; empty when nothing was.

        A file that was cut, or that something else wrote, tells nothing.
        """
        status = read_json(stack_dir / self.name)
        return status if self._is_ours(status) else {}

    def put_at(self, stack_dir: Path) -> float:
        """When the file was put there by the clock of whoever keeps the folder; 0 where there is none."""
        try:
            return (stack_dir / self.name).stat().st_mtime
        except OSError:
            return 0.0

    def is_damaged(self, stack_dir: Path) -> bool:
        """Whether there is a file that tells nothing."""
        return (stack_dir / self.name).exists() and not self.read(stack_dir)

    def _is_ours(self, status: Mapping[str, Any]) -> bool:
        return (
            is_number(status.get("pid"), least=1)
            and is_number(status.get("written_at"))
            and isinstance(status.get("host"), str)
            and self.are_whole(status.get(self.members))
        )

    def are_whole(self, members: Any) -> bool:
        """Whether members are such as this process tells of."""
        return isinstance(members, list) and all(
            isinstance(member, dict) and self._is_whole(member) for member in members
        )

    def _is_whole(self, member: Mapping[str, Any]) -> bool:
        values = [member.get(name) for name in self.has]
        return all(isinstance(value, str) or is_number(value) for value in values)


def is_number(value: Any, least: float = -MOST) -> bool:
    """Whether a value is a number that a process, a time or a count can have."""
    is_one = isinstance(value, int | float) and not isinstance(value, bool)
    return is_one and least <= value <= MOST


STREAMS = StatusFile("streams.json", "queries", ("query", "state"))
COMPONENTS = StatusFile("components.json", "components", ("component", "state", "error"))
FOLLOWERS = StatusFile("followers.json", "components", ("component", "state", "error"))
"""Components that follow datasets, where they have a process of their own."""
PUBLICATION = StatusFile("publication.json", "datasets", ("dataset", "state", "reason"))
API = StatusFile("api.json", "members", ("member", "state"))
WORKER = StatusFile("worker.json", "members", ("member", "state"))
RECONCILED = StatusFile("reconciled.json", "checks", ("name", "differences"))
"""What the last reconciliation found; whoever ran it has ended."""
