"""The lineage as a picture: topics, jobs, components and tables from left to right, each a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from lakeshelf.ui.pictures.drawing import Box, add, curve, cut, frame
from lakeshelf.ui.pictures.layers import Edges, acyclic, layers

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 176.0, 32.0, 56.0, 8.0, 8.0
SIGNS = {
    "topic": "≋",
    "table": "▦",
    "view": "◫",
    "dataset": "✎",
    "job": "⚙",
    "component": "◆",
    "folded": "▤",
}
"""Of the kinds of nodes, beside their colour."""


@dataclass(frozen=True)
class PictureNode:
    """A node of the picture.

    Attributes:
        id: By which edges name it.
        kind: One of `SIGNS`.
        name: What stands in it.
        href: Where it leads.
        note: What is known of it now, such as its lag; may be empty.
        trouble: Whether something is wrong with it.
    """

    id: str
    kind: str
    name: str
    href: str
    note: str = ""
    trouble: bool = False


def placed(nodes: Sequence[PictureNode], edges: Edges) -> dict[str, Box]:
    """Where each node stands: behind all that feed it, but for edges that come back."""
    forth, _ = acyclic([node.id for node in nodes], edges)
    columns = layers([node.id for node in nodes], forth)
    highest = max(map(len, columns), default=0)
    return {
        node: Box(
            MARGIN + n * (WIDTH + GAP_X),
            MARGIN + (row + (highest - len(column)) / 2) * (HEIGHT + GAP_Y),
            WIDTH,
            HEIGHT,
        )
        for n, column in enumerate(columns)
        for row, node in enumerate(column)
    }


def drawn(nodes: Sequence[PictureNode], edges: Edges, focus: str = "") -> Element:
    """The picture of a graph.

    Args:
        nodes: Nodes.
        edges: Source → target, each between two of them.
        focus: The node that is looked at.
    """
    boxes = placed(nodes, edges)
    width = max((box.right for box in boxes.values()), default=0.0) + MARGIN
    height = max((box.bottom for box in boxes.values()), default=0.0) + MARGIN
    picture = frame(width, height, "What everything is made from, from left to right")
    for source, target in edges:
        _draw_edge(picture, boxes[source], boxes[target])
    for node in sorted(nodes, key=lambda one: (boxes[one.id].x, boxes[one.id].y)):
        _draw_node(picture, node, boxes[node.id], node.id == focus)
    return picture


def _draw_edge(picture: Element, source: Box, target: Box) -> None:
    is_back = target.x <= source.x
    start, end = (source.right, source.middle), (target.x, target.middle)
    if is_back:  # between the left edges, so that no line has its arrow on the wrong side
        start, end = (source.x, source.middle), (target.right, target.middle)
    add(picture, "path", d=curve(start, end), class_="edge back" if is_back else "edge")


def _draw_node(picture: Element, node: PictureNode, box: Box, is_focus: bool) -> None:
    words = ", ".join(filter(None, (f"{node.kind} {node.name}", node.note)))
    group = add(picture, "a", href=node.href)  # what is read is what is seen, and the title
    classes = ["node", node.kind, *(["focus"] * is_focus), *(["trouble"] * node.trouble)]
    add(
        group,
        "rect",
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
        rx=3,
        class_=" ".join(classes),
    )
    add(group, "title", words)
    sign = "✕" if node.trouble else SIGNS.get(node.kind, "·")
    name = cut(node.name, box.width - 28)
    lower = box.y + (14 if node.note else 20)
    add(group, "text", f"{sign} {name}", x=box.x + 8, y=lower, class_="name")
    if node.note:
        add(group, "text", cut(node.note, box.width - 16), x=box.x + 8, y=box.y + 27, class_="note")


def folded(
    nodes: Sequence[PictureNode], edges: Edges, parts: Mapping[str, str]
) -> tuple[list[PictureNode], list[tuple[str, str]]]:
    """A graph in which some nodes are one: edges of theirs are edges of that, and those within go.

    Args:
        nodes: Nodes, with those into which others are folded.
        edges: Edges.
        parts: Node → into which it is folded.
    """
    kept = {(parts.get(a, a), parts.get(b, b)) for a, b in edges}
    return [n for n in nodes if n.id not in parts], sorted((a, b) for a, b in kept if a != b)
