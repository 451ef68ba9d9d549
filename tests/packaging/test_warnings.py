"""Warnings are errors: those of this code on every Python, those of other code on the oldest."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import metadata

import pytest

OURS = ("lakeshelf.lake.lake", "tests.lake.test_lake", "shelf_aggregator", "removal_scheduler")
OLDEST = metadata("lakeshelf")["Requires-Python"].removeprefix(">=")


def warned(module: str) -> None:
    warnings.warn_explicit("as it was", DeprecationWarning, "file.py", 1, module=module)


@pytest.mark.parametrize("module", OURS)
def test_a_warning_of_our_code_is_an_error(module: str) -> None:
    with pytest.raises(DeprecationWarning, match="as it was"):
        warned(module)


def test_a_warning_of_other_code_is_an_error_on_the_oldest_python_alone() -> None:
    if f"{sys.version_info.major}.{sys.version_info.minor}" == OLDEST:
        with pytest.raises(DeprecationWarning):
            warned("hamilton.io.utils")
    else:
        with pytest.warns(DeprecationWarning, match="as it was"):
            warned("hamilton.io.utils")
