"""What a supervisor tells of its stack, in a file; another version, or something else, may have written it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lakeshelf.files import read_json
from lakeshelf.stack.machine.processes import ProcessId

NAME = "stack.json"
_KINDS: Mapping[str, type] = {"parts": dict, "reached": dict, "awaited": list, "state": str}
_KINDS_OF_A_PART: Mapping[str, type] = {"state": str, "restarts": int, "error": str}


def read(stack_dir: Path) -> dict[str, Any]:
    """What a stack tells, without what is not as this version has it.

    Args:
        stack_dir: The stack's folder.
    """
    status = read_json(stack_dir / NAME)
    parts = status.get("parts")
    if isinstance(parts, dict):
        status["parts"] = {name: part for name, part in parts.items() if _is_part(part)}
    return {name: v for name, v in status.items() if isinstance(v, _KINDS.get(name, object))}


def process(status: Any) -> ProcessId:
    """The process that a stack's file, or a part in it, names; one that never lived where it names none."""
    status = status if isinstance(status, dict) else {}
    pid = status.get("pid")
    return ProcessId(pid if isinstance(pid, int) else 0, str(status.get("started", "")))


def _is_part(part: Any) -> bool:
    return isinstance(part, dict) and all(
        isinstance(part.get(name), kind) for name, kind in _KINDS_OF_A_PART.items()
    )
