"""Points in the plane as lines of text."""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 60, 14
Spot = tuple[float, float, str]
"""Across, up, and the character that stands there."""


def scatter(spots: Sequence[Spot], across: str, up: str) -> list[str]:
    """A picture of points, the later ones before the earlier ones; those that are no numbers are left out.

    Args:
        spots: The points.
        across: What is told from left to right.
        up: What is told from the bottom up.
    """
    seen = [spot for spot in spots if math.isfinite(spot[0]) and math.isfinite(spot[1])]
    if not seen:
        return []
    xs, ys = [x for x, _, _ in seen], [y for _, y, _ in seen]
    cells = [[" "] * WIDTH for _ in range(HEIGHT)]
    for x, y, mark in seen:
        cells[HEIGHT - 1 - _cell(y, ys, HEIGHT)][_cell(x, xs, WIDTH)] = mark
    ends = {0: f"{max(ys):.3f}", HEIGHT - 1: f"{min(ys):.3f}"}
    lines = [f"{ends.get(n, ''):>7} │{''.join(row).rstrip()}" for n, row in enumerate(cells)]
    scale = f"{min(xs):<{WIDTH // 2}.2f}{max(xs):>{WIDTH // 2}.2f}"
    return [f"{up}", *lines, f"{'':>7} └{'─' * WIDTH}", f"{'':>9}{scale} {across}"]


def _cell(value: float, values: Sequence[float], cells: int) -> int:
    span = max(values) - min(values)
    return round((value - min(values)) / span * (cells - 1)) if span else 0
