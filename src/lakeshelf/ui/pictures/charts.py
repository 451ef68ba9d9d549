"""Pictures of a column of numbers, as lines or bars; the rows themselves stand beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from markupsafe import Markup

from lakeshelf.ui import rendering, texts

WIDTH, HEIGHT = 800, 240
LEFT, RIGHT, TOP, BOTTOM = 90, 10, 12, 26
LONGEST_LABEL = 30


def drawn(
    labels: Sequence[object], values: Sequence[object], name: str, along: str, kind: str
) -> Markup | None:
    """A picture of numbers in the order of their rows; None: there are none.

    Args:
        labels: What stands below each.
        values: Numbers, also as texts; what is none leaves a gap.
        name: What they are.
        along: What the labels are; empty: rows.
        kind: `bar`; otherwise a line.
    """
    numbers = [number(value) for value in values]
    known = [one for one in numbers if one is not None]
    if not known:
        return None
    low, high = min(0.0, *known), max(0.0, *known)
    high = high if high > low else low + 1
    title = f"{name} by {along or 'row'}: {_said(min(known))} to {_said(max(known))}"
    box = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "class": "result", "role": "img"}
    root = ET.Element("svg", {**box, "aria-label": texts.visible(title)})
    for value in sorted({low, 0.0, high}):
        _line(root, _y(value, low, high), _said(value))
    draw = _bars if kind == "bar" else _path
    draw(root, numbers, low, high)
    _below(root, labels)
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704 - made by an XML library


def number(value: object) -> float | None:
    """A value as a number that can be drawn; decimals come as texts."""
    if value is None or isinstance(value, bool):
        return None
    try:
        read = float(str(value))
    except ValueError:
        return None
    return read if math.isfinite(read) and abs(read) < 1e300 else None


def _y(value: float, low: float, high: float) -> float:
    return TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _step(count: int) -> float:
    return (WIDTH - LEFT - RIGHT) / max(count, 1)


def _said(value: float) -> str:
    return rendering.number(value, 0 if value == int(value) else 2)


def _line(root: ET.Element, y: float, label: str) -> None:
    ends = {"x1": str(LEFT), "x2": str(WIDTH - RIGHT), "y1": f"{y:.1f}", "y2": f"{y:.1f}"}
    ET.SubElement(root, "line", ends)
    place = {"x": str(LEFT - 6), "y": f"{y + 4:.1f}", "text-anchor": "end"}
    ET.SubElement(root, "text", place).text = label


def _bars(root: ET.Element, numbers: Sequence[float | None], low: float, high: float) -> None:
    step, zero = _step(len(numbers)), _y(0.0, low, high)
    for place, value in enumerate(numbers):
        if value is not None:
            y = _y(value, low, high)
            at = {"x": f"{LEFT + place * step:.1f}", "width": f"{max(step * 0.8, 0.5):.1f}"}
            sides = {"y": f"{min(y, zero):.1f}", "height": f"{max(abs(y - zero), 0.5):.1f}"}
            ET.SubElement(root, "rect", at | sides)


def _path(root: ET.Element, numbers: Sequence[float | None], low: float, high: float) -> None:
    """One that stands alone is a point: its line has no length, and round ends."""
    step, steps, was_known = _step(len(numbers)), [], False
    for place, value in enumerate(numbers):
        if value is not None:
            x, y = LEFT + (place + 0.5) * step, _y(value, low, high)
            steps.append(f"{'L' if was_known else 'M'}{x:.1f} {y:.1f}h0")
        was_known = value is not None
    ET.SubElement(root, "path", {"d": "".join(steps)})


def _below(root: ET.Element, labels: Sequence[object]) -> None:
    for at, anchor, label in (
        (LEFT, "start", labels[0]),
        (WIDTH - RIGHT, "end", labels[-1] if len(labels) > 1 else ""),
    ):
        place = {"x": str(at), "y": str(HEIGHT - 8), "text-anchor": anchor}
        ET.SubElement(root, "text", place).text = texts.visible(label)[:LONGEST_LABEL]
