"""Calibration as a picture: how much of the demand lay below and up to each quantile, beside the quantile's level."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from lakeshelf.ui.pictures.drawing import add, frame, plain

WIDTH, LEFT, RIGHT, STEP, TOP, AXIS = 620.0, 64.0, 24.0, 34.0, 8.0, 24.0
BAR = 12.0
TENTHS = 10


@dataclass(frozen=True)
class Span:
    """A quantile of a model, and that of the best rival.

    Attributes:
        level: Share of demand that it should cover, of 1.
        below: Share of demand below it.
        up_to: Share of demand up to it: of whole units more than the level.
        rival: The same two of the rival; None: there is none.
    """

    level: float
    below: float
    up_to: float
    rival: tuple[float, float] | None = None

    @property
    def holds(self) -> bool:
        """Whether the level lies between the two shares."""
        return self.below <= self.level <= self.up_to


def drawn(spans: Sequence[Span]) -> Element:
    """The picture: a row a level, a bar from the share below to the share up to, a line at the level."""
    low = min((min(one.below, one.level, *(one.rival or ())) for one in spans), default=0.0)
    least = int(max(low, 0.0) * TENTHS) / TENTHS
    bottom = TOP + STEP * len(spans)
    picture = frame(WIDTH, bottom + AXIS, _words(spans))
    picture.set("role", "img")
    _draw_axis(picture, least, bottom)
    for number, one in enumerate(spans):
        _draw_row(picture, one, TOP + STEP * number, least)
    return picture


def _words(spans: Sequence[Span]) -> str:
    parts = (
        f"{_percent(one.level)}: {_percent(one.below)} to {_percent(one.up_to)}" for one in spans
    )
    return f"Share of demand below and up to each quantile: {'; '.join(parts)}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"


def _x(share: float, least: float) -> float:
    return LEFT + (share - least) / (1 - least) * (WIDTH - LEFT - RIGHT)


def _draw_axis(picture: Element, least: float, bottom: float) -> None:
    for tenth in range(round(least * TENTHS), TENTHS + 1):
        x = _x(tenth / TENTHS, least)
        add(picture, "path", d=f"M{plain(x)} 0V{plain(bottom)}", class_="axis")
        label = f"{10 * tenth} %"
        add(picture, "text", label, x=x, y=bottom + 16, class_="note", text_anchor="middle")


def _draw_row(picture: Element, one: Span, y: float, least: float) -> None:
    add(picture, "text", _percent(one.level), x=LEFT - 8, y=y + 16, text_anchor="end")
    _draw_bar(picture, one.below, one.up_to, y + 4, least, "own" if one.holds else "own off")
    if one.rival is not None:
        _draw_bar(picture, *one.rival, y + 4 + BAR, least, "rival")
    x = _x(one.level, least)
    add(picture, "path", d=f"M{plain(x)} {plain(y)}V{plain(y + STEP - 4)}", class_="level")


def _draw_bar(picture: Element, low: float, high: float, y: float, least: float, kind: str) -> None:
    start, height = _x(max(low, least), least), BAR if kind != "rival" else BAR / 2
    width = max(_x(high, least) - start, 2.0)
    add(picture, "rect", x=start, y=y, width=width, height=height, class_=kind)
