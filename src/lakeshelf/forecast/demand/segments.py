"""Shelves by how often they sell, which are scored apart (docs/design/forecasting.md#features)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

ACTIVE_DAYS, ACTIVE_LINES = 91, 2
"""An active shelf has so many receipt lines in so many days before D."""
LINES = f"lines_{ACTIVE_DAYS}d"
BY_MEASURE = 1_000
"""Goods that have sold so many units in a day are sold by measure, as fuel in thousandths: the rule orders them."""

SEGMENTS: Mapping[str, tuple[int, int | None]] = MappingProxyType(
    {
        "all": (0, None),
        "active": (ACTIVE_LINES, None),
        "4+ lines": (4, None),
        "13+ lines": (13, None),
        "tail": (0, ACTIVE_LINES),
    }
)
"""Segment → fewest receipt lines in the 91 days before D, and from how many on a row is no longer in it."""


def segment(rows: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    """Which rows are in a segment.

    Args:
        rows: Rows with `lines_91d`.
        name: One of `SEGMENTS`.
    """
    lines = rows[LINES].to_numpy()
    least, limit = SEGMENTS[name]
    return np.asarray((lines >= least) & (lines < np.inf if limit is None else lines < limit))
