"""How the supervisor keeps a part: how it is doing, and when it may start again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lakeshelf.backoff import Backoff
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.supervision.parts import Part


@dataclass
class Care:
    """How a part is doing, and when it may start again."""

    part: Part
    backoff: Backoff
    restarts: int = 0
    error: str = ""
    ended: str = ""

    def as_json(self) -> dict[str, Any]:
        """For the stack's file."""
        pid = self.part.pid
        state = "failed" if pid is None else "running" if self.part.is_ready else "starting"
        awaited = {"awaited": self.part.is_awaited}
        process = {"pid": pid, "started": identify(pid).started if pid else ""}
        history = {
            "restarts": self.restarts,
            "error": self.error,
            "ended": self.ended,
            "log": str(self.part.log),
        }
        return {"state": state, **process, **history, **awaited}
