"""Fill against stock as a picture: the policy in force, the changed one with its interval, and others beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from lakeshelf.ui.pictures.drawing import add, frame, plain

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 680.0, 340.0, 64.0, 40.0, 24.0, 44.0
RADIUS, MARGIN, TICKS = 5.0, 0.08, 5
APART = 13.0
"""Pixels between two names of policies that were tried; one nearer to the name before it is left to the table."""
TRIED = ("tried", "levels")
"""Other reorder points, and other service levels of a model."""
Interval = tuple[float, float]


@dataclass(frozen=True)
class Spot:
    """What a policy reaches.

    Attributes:
        name: What stands beside it.
        kind: `before`, `after`, or one of `TRIED`, joined by a line to its neighbours.
        stock: Units a shelf at the end of a day.
        fill: Units sold of units wanted.
        stock_interval: Where the stock may be; None: it is not known.
        fill_interval: Where the fill may be.
    """

    name: str
    kind: str
    stock: float
    fill: float
    stock_interval: Interval | None = None
    fill_interval: Interval | None = None


@dataclass(frozen=True)
class Scale:
    """A straight way from values to places.

    Attributes:
        low: Value at the beginning.
        high: Value at the end.
        start: Place of the beginning.
        end: Place of the end.
    """

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> Scale:
        """One that holds all values with a margin, also where they are all the same."""
        low, high = min(values, default=0.0), max(values, default=1.0)
        margin = (high - low) * MARGIN or max(abs(high), 1.0) * MARGIN
        return cls(low - margin, high + margin, start, end)

    def at(self, value: float) -> float:
        """The place of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values within it, about `TICKS` of them."""
        raw = (self.high - self.low) / TICKS
        size = 10 ** math.floor(math.log10(raw))
        step = next(size * n for n in (1, 2, 5, 10) if size * n >= raw)
        first = math.ceil(self.low / step)
        return [n * step for n in range(first, math.floor(self.high / step) + 1)]


def drawn(spots: Sequence[Spot]) -> Element:
    """The picture; what several policies reach alike stands once above the other."""
    across = Scale.of(
        [v for s in spots for v in (s.stock, *(s.stock_interval or ()))], LEFT, WIDTH - RIGHT
    )
    up = Scale.of(
        [v for s in spots for v in (s.fill, *(s.fill_interval or ()))], HEIGHT - BOTTOM, TOP
    )
    picture = frame(WIDTH, HEIGHT, _words(spots))
    picture.set("role", "img")
    _draw_axes(picture, across, up)
    for kind in TRIED:
        _draw_tried(picture, [spot for spot in spots if spot.kind == kind], across, up)
    for spot in spots:
        if spot.kind not in TRIED:
            _draw_spot(picture, spot, across, up)
            _draw_name(picture, spot, across, up)
    return picture


def _draw_tried(picture: Element, spots: Sequence[Spot], across: Scale, up: Scale) -> None:
    """Spots of a kind, joined in their order, of which those that are apart have their names."""
    places = [(across.at(spot.stock), up.at(spot.fill)) for spot in spots]
    if len(spots) > 1:
        points = "L".join(f"{plain(x)} {plain(y)}" for x, y in places)
        add(picture, "path", d=f"M{points}", class_="line")
    named: tuple[float, float] | None = None
    for spot, place in zip(spots, places, strict=True):
        _draw_spot(picture, spot, across, up)
        if named is None or math.dist(named, place) >= APART:
            _draw_name(picture, spot, across, up)
            named = place


def _words(spots: Sequence[Spot]) -> str:
    parts = (f"{s.name}: fill {100 * s.fill:.2f} %, stock {s.stock:.2f}" for s in spots)
    return f"Fill against stock a shelf. {'; '.join(parts)}"


def _draw_axes(picture: Element, across: Scale, up: Scale) -> None:
    bottom = HEIGHT - BOTTOM
    for value in across.ticks():
        x = across.at(value)
        add(picture, "path", d=f"M{plain(x)} {plain(TOP)}V{plain(bottom)}", class_="axis")
        add(
            picture, "text", f"{value:.6g}", x=x, y=bottom + 16, class_="note", text_anchor="middle"
        )
    for value in up.ticks():
        y = up.at(value)
        add(picture, "path", d=f"M{plain(LEFT)} {plain(y)}H{plain(WIDTH - RIGHT)}", class_="axis")
        label = f"{100 * value:.6g} %"
        add(picture, "text", label, x=LEFT - 6, y=y + 4, class_="note", text_anchor="end")
    add(picture, "text", "fill: units sold of units wanted", x=8, y=14, class_="note")
    title = "stock: units a shelf at the end of a day"
    add(picture, "text", title, x=WIDTH - RIGHT, y=HEIGHT - 8, class_="note", text_anchor="end")


def _draw_spot(picture: Element, spot: Spot, across: Scale, up: Scale) -> None:
    x, y = across.at(spot.stock), up.at(spot.fill)
    if spot.stock_interval is not None:
        start, end = (plain(across.at(value)) for value in spot.stock_interval)
        add(picture, "path", d=f"M{start} {plain(y)}H{end}", class_="interval")
    if spot.fill_interval is not None:
        start, end = (plain(up.at(value)) for value in spot.fill_interval)
        add(picture, "path", d=f"M{plain(x)} {start}V{end}", class_="interval")
    if spot.kind == "before":
        size = 2 * RADIUS
        add(picture, "rect", x=x - RADIUS, y=y - RADIUS, width=size, height=size, class_="before")
    else:
        add(
            picture,
            "circle",
            cx=x,
            cy=y,
            r=RADIUS if spot.kind == "after" else 3.5,
            class_=spot.kind,
        )


def _draw_name(picture: Element, spot: Spot, across: Scale, up: Scale) -> None:
    """The name, where it meets no other: of reorder points below, of service levels to the left."""
    x, y = across.at(spot.stock), up.at(spot.fill)
    if spot.kind == "levels":
        add(picture, "text", spot.name, x=x - 8, y=y + 4, class_="note", text_anchor="end")
    else:
        below = 16 if spot.kind == "tried" else -9
        add(picture, "text", spot.name, x=x, y=y + below, class_="note", text_anchor="middle")
