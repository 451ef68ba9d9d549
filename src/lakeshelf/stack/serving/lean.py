"""What a process does without, so that it takes less memory."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


def without(name: str) -> None:
    """Have a package count as not installed from now on, for others that import it where it is."""
    if name not in sys.modules:
        sys.meta_path.insert(0, _Absent(name))


class _Absent(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self._name:
            raise ModuleNotFoundError(f"this process does without {name}", name=name)
        return None
