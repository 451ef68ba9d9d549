"""A system without OpenMP, which LightGBM loads when it is imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def remove(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on LightGBM is imported as where the system lacks its library."""
    package = folder / "lightgbm"
    package.mkdir(parents=True)
    missing = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (package / "__init__.py").write_text(f"raise OSError({missing!r})\n")
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
