"""A life as a picture: what happened in four lanes over business time, and what caused what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from xml.etree.ElementTree import Element

from lakeshelf.ui.pictures.drawing import add, frame, link, plain

LANES = ("Shelf", "Back room", "Plans and alerts", "Orders")
LETTERS = {
    "alerts": "A",
    "plans": "P",
    "orders": "O",
    "receipts": "R",
    "commands": "C",
    "discounts": "D",
}
"""Sections of a story → what stands in their marks, beside their colour."""
RADIUS, STEP, LEFT, RIGHT, AXIS = 9.0, 26.0, 128.0, 72.0, 24.0
SPREAD, WIDEST, LABEL = 700.0, 160.0, 96.0
"""Width that gaps of time share, of one gap at most, and of a moment of the axis."""


@dataclass(frozen=True)
class Mark:
    """Something that happened.

    Attributes:
        id: Its own id.
        time: When, in business time.
        lane: One of `LANES`.
        section: Its part of the story, by which it is coloured.
        words: What happened, for those who do not see it.
        href: Where it leads.
        causes: Ids of what led to it.
        is_this: Whether the story is about it.
    """

    id: str
    time: datetime
    lane: str
    section: str
    words: str
    href: str
    causes: frozenset[str] = field(default_factory=frozenset)
    is_this: bool = False


Point = tuple[float, float]


def placed(marks: Sequence[Mark]) -> tuple[dict[int, Point], dict[str, float]]:
    """Middles of marks by their place in the list, and lane → upper edge; later ones stand further right.

    What happened at one moment in one lane stands one below the other.
    """
    across = _across(sorted({mark.time for mark in marks}))
    stacks: dict[tuple[str, datetime], list[int]] = defaultdict(list)
    for n, mark in enumerate(marks):
        stacks[mark.lane, mark.time].append(n)
    tops = _tops(stacks)
    places = {
        n: (across[time], tops[lane] + STEP * (row + 1))
        for (lane, time), stack in stacks.items()
        for row, n in enumerate(stack)
    }
    return places, tops


def _across(times: Sequence[datetime]) -> dict[datetime, float]:
    """Moment → how far right: by its time, but neither too near nor too far from the one before."""
    if not times:
        return {}
    span = (times[-1] - times[0]).total_seconds() or 1.0
    places = {times[0]: LEFT + STEP}
    for before, time in pairwise(times):
        share = (time - before).total_seconds() / span * SPREAD
        places[time] = places[before] + min(max(share, STEP), WIDEST)
    return places


def _tops(stacks: Mapping[tuple[str, datetime], Sequence[int]]) -> dict[str, float]:
    top, tops = 0.0, {}
    for lane in LANES:
        tops[lane] = top
        highest = max((len(stack) for (one, _), stack in stacks.items() if one == lane), default=1)
        top += STEP * (highest + 1)
    return tops | {"": top}


def causes(marks: Sequence[Mark]) -> list[tuple[int, int]]:
    """What led to what, by places in the list, the earlier one first."""
    by_id: dict[str, list[int]] = defaultdict(list)
    for n, mark in enumerate(marks):
        by_id[mark.id].append(n)
    pairs = (
        sorted((other, n), key=lambda place: (marks[place].time, place))
        for n, mark in enumerate(marks)
        for cause in mark.causes
        for other in by_id.get(cause, ())
        if other != n
    )
    return sorted({(first, second) for first, second in pairs})


def drawn(marks: Sequence[Mark]) -> Element:
    """The picture of a life."""
    places, tops = placed(marks)
    width = max((x for x, _ in places.values()), default=LEFT) + RIGHT
    picture = frame(width, tops[""] + AXIS, "What happened, in business time, and what caused what")
    _draw_lanes(picture, tops, width)
    _draw_axis(picture, marks, places, tops[""])
    for cause, effect in causes(marks):
        _draw_cause(picture, places[cause], places[effect])
    for n in sorted(places, key=lambda n: (marks[n].time, places[n])):
        _draw_mark(picture, marks[n], places[n])
    return picture


def _draw_lanes(picture: Element, tops: Mapping[str, float], width: float) -> None:
    for lane, after in pairwise((*LANES, "")):
        height = tops[after] - tops[lane] - 2
        add(picture, "rect", x=0, y=tops[lane], width=width, height=height, class_="lane")
        add(picture, "text", lane, x=8, y=tops[lane] + STEP + 4, class_="name")


def _draw_axis(
    picture: Element, marks: Sequence[Mark], places: Mapping[int, Point], bottom: float
) -> None:
    moments = {places[n][0]: mark.time for n, mark in enumerate(marks)}
    free = 0.0
    for x in sorted(moments):
        if x < free:
            continue
        free = x + LABEL
        add(picture, "path", d=f"M{plain(x)} 0V{plain(bottom)}", class_="axis")
        label = moments[x].strftime("%d %b %H:%M:%S")
        add(picture, "text", label, x=x - 20, y=bottom + 16, class_="note")


def _draw_cause(picture: Element, cause: Point, effect: Point) -> None:
    (x1, y1), (x2, y2) = cause, effect
    bulge = x1 - STEP / 2 if x1 == x2 else (x1 + x2) / 2
    points = (x1, y1, bulge, y1, bulge, y2, x2, y2)
    path = "M{} {} C{} {} {} {} {} {}".format(*map(plain, points))
    add(picture, "path", d=path, class_="cause")


def _draw_mark(picture: Element, mark: Mark, place: Point) -> None:
    group = link(picture, mark.href, mark.words)
    add(group, "title", mark.words)
    classes = f"mark {mark.section}{' this' if mark.is_this else ''}"
    add(group, "circle", cx=place[0], cy=place[1], r=RADIUS, class_=classes)
    letter = LETTERS.get(mark.section, "")
    if letter:
        add(group, "text", letter, x=place[0] - 4, y=place[1] + 4, class_="letter")
