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


@dataclass(frozen=True)
class StatusFile:
    """Where a process tells how it is.

    Attributes:
        name: Name of the file.
        members: Entry that lists what the process runs, each with its `state`.
    """

    name: str
    members: str

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
        """What was told last: `pid`, `host`, `written_at` (seconds since 1970), the members; empty when nothing was."""
        return read_json(stack_dir / self.name)


STREAMS = StatusFile("streams.json", "queries")
COMPONENTS = StatusFile("components.json", "components")
FOLLOWERS = StatusFile("followers.json", "components")
"""Components that follow datasets, where they have a process of their own."""
PUBLICATION = StatusFile("publication.json", "datasets")
API = StatusFile("api.json", "members")
WORKER = StatusFile("worker.json", "members")
RECONCILED = StatusFile("reconciled.json", "checks")
"""What the last reconciliation found; whoever ran it has ended."""
