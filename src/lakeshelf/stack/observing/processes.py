"""What living processes of a stack tell of themselves."""

from __future__ import annotations

import os
import socket
import time
from typing import Any

from lakeshelf.settings import Settings
from lakeshelf.status_files import StatusFile

STALE_S = 20.0
"""A process that wrote no status for so long is not running; it writes each second at least."""


def fresh(settings: Settings, file: StatusFile) -> dict[str, Any]:
    """The status that a living process of the stack wrote; empty: there is none.

    A process number says something on its own host alone; of another, as each container is one, the time has to do.
    """
    status = file.read(settings.stack_dir)
    is_fresh = time.time() - status.get("written_at", 0.0) < STALE_S
    is_ours = status.get("host", socket.gethostname()) == socket.gethostname()
    lives = _is_alive(int(status.get("pid", 0))) if is_ours else bool(status)
    return status if is_fresh and lives else {}


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0
