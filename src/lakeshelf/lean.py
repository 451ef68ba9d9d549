"""What a process does without, so that it starts sooner and takes less memory.

pyarrow and DuckDB import pandas to look whether they were given a frame: a second, and 60 MB in each process.
structlog imports rich to print tracebacks in colours, which no log of ours has: three quarters of its own start.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType

PANDAS = "pandas"


def without(name: str) -> None:
    """Have a package count as not installed from now on, for whoever imports it; it is still said to be there."""
    if name not in sys.modules:
        sys.meta_path.insert(0, _Absent(name))


def admit(name: str) -> None:
    """Have a package count as installed again: what follows imports it."""
    hidden = [
        finder for finder in sys.meta_path if isinstance(finder, _Absent) and finder.hides == name
    ]
    for finder in hidden:
        sys.meta_path.remove(finder)
    if hidden and name == PANDAS:
        _look_again()


@contextmanager
def lacking(*names: str) -> Iterator[None]:
    """Have modules count as not installed for what is imported meanwhile; what is loaded already stays."""
    hidden = [_Absent(name) for name in names if name not in sys.modules]
    sys.meta_path[:0] = hidden
    try:
        yield
    finally:
        for finder in hidden:
            sys.meta_path.remove(finder)


class _Absent(MetaPathFinder):
    def __init__(self, name: str) -> None:
        self.hides = name

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name == self.hides and not _is_question(sys._getframe(1)):  # noqa: SLF001 - the interpreter's own name
            raise ModuleNotFoundError(f"this process does without {name}", name=name)
        return None


def _is_question(frame: FrameType | None) -> bool:
    """Whether `importlib.util.find_spec` asks, which imports nothing."""
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib."):
        if frame.f_globals["__name__"] == "importlib.util":
            return True
        frame = frame.f_back
    return False


def _look_again() -> None:
    """Have pyarrow look again, which it does once; it would read a frame's column as any list from then on."""
    if "pyarrow" in sys.modules:
        import pyarrow as pa  # noqa: PLC0415 - who has not loaded it needs nothing of it

        with suppress(ImportError):  # it is not installed
            pa.table({}).to_pandas()
