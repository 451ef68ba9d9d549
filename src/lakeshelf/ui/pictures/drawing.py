"""Elements of SVG, built as a tree, so that a name is text whatever it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

CHARACTER = 7.0
"""Width of a character of a label, at most, as its style has it."""


@dataclass(frozen=True)
class Box:
    """A rectangle of a picture.

    Attributes:
        x: Left edge.
        y: Upper edge.
        width: Width.
        height: Height.
    """

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> float:
        """Half of its height."""
        return self.y + self.height / 2


def frame(width: float, height: float, title: str) -> Element:
    """An empty picture.

    Args:
        width: Width.
        height: Height.
        title: What it shows, for those who do not see it.
    """
    size = {"width": plain(width), "height": plain(height)}
    box = {"viewBox": f"0 0 {plain(width)} {plain(height)}"}
    return Element("svg", {**size, **box, "role": "group", "aria-label": clean(title)})


def add(parent: Element, tag: str, text: str = "", **attributes: object) -> Element:
    """A new element; `class_` is its class, and numbers are rounded.

    Args:
        parent: To which it is added.
        tag: Such as `rect`.
        text: What it holds.
        attributes: Of the element.
    """
    named = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
    made = SubElement(parent, tag, {name: plain(value) for name, value in named.items()})
    made.text = clean(text) or None
    return made


def link(parent: Element, href: str, label: str) -> Element:
    """A link, which the keyboard reaches; its label is read to those who do not see it."""
    return add(parent, "a", href=href, aria_label=label)


def plain(value: object) -> str:
    """A value as an attribute has it."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else clean(str(value))


def clean(text: str) -> str:
    """A text as XML may hold it, with signs for characters that control."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def cut(text: str, width: float) -> str:
    """A label that fits, with an ellipsis where it was cut."""
    most = max(int(width / CHARACTER), 1)
    return text if len(text) <= most else f"{text[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def curve(start: tuple[float, float], end: tuple[float, float]) -> str:
    """The path of a line that leaves and arrives horizontally."""
    (x1, y1), (x2, y2) = start, end
    bend = (x1 + x2) / 2
    points: Sequence[float] = (x1, y1, bend, y1, bend, y2, x2, y2)
    return "M{} {} C{} {} {} {} {} {}".format(*map(plain, points))


def written(picture: Element) -> Markup:
    """A picture as part of a page."""
    return Markup(tostring(picture, encoding="unicode"))  # noqa: S704 - the tree escapes its texts
