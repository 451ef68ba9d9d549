"""Pictures: nothing overlaps or leaves the frame, no arrow points backwards, a hostile name stays text."""

from __future__ import annotations

from datetime import UTC
from itertools import combinations
from xml.etree.ElementTree import fromstring

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.ui.pictures import trace
from lakeshelf.ui.pictures.drawing import Box, written
from lakeshelf.ui.pictures.layers import acyclic
from lakeshelf.ui.pictures.lineage import SIGNS, PictureNode, drawn, folded, placed
from lakeshelf.ui.pictures.trace import LANES, LETTERS, Mark

NAMES = st.integers(0, 12).map(str)
EDGES = st.lists(st.tuples(NAMES, NAMES).filter(lambda edge: edge[0] != edge[1]), unique=True)


def graph(edges: list[tuple[str, str]], name: str = "n") -> list[PictureNode]:
    ids = sorted({end for edge in edges for end in edge})
    return [
        PictureNode(one, sorted(SIGNS)[int(one) % 7], name, f"/lineage?focus={one}") for one in ids
    ]


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.right and b.x < a.right and a.y < b.bottom and b.y < a.bottom


@given(EDGES)
def test_what_feeds_stands_left_of_what_it_feeds(edges: list[tuple[str, str]]) -> None:
    nodes = graph(edges)
    boxes = placed(nodes, edges)
    forth, back = acyclic([node.id for node in nodes], edges)
    assert sorted([*forth, *back]) == sorted(edges)
    assert all(boxes[a].right < boxes[b].x for a, b in forth)
    assert all(boxes[b].right < boxes[a].x for a, b in back)
    assert not any(overlap(a, b) for a, b in combinations(boxes.values(), 2))


@given(EDGES, st.text())
def test_a_picture_holds_each_node_as_a_link_within_its_frame(
    edges: list[tuple[str, str]], name: str
) -> None:
    nodes = graph(edges, name)
    picture = fromstring(str(written(drawn(nodes, edges))))
    tags = {one.tag for one in picture.iter()}
    assert tags <= {"svg", "a", "rect", "text", "title", "path"}
    assert [one.get("href") for one in picture.iter("a")].count(None) == 0
    assert len(list(picture.iter("a"))) == len(nodes)
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    for one in picture.iter("rect"):
        x, y, w, h = (float(one.get(key, "")) for key in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width
        assert 0 <= y <= y + h <= height


@given(EDGES, st.dictionaries(NAMES, st.sampled_from(["a", "b"])))
def test_what_is_folded_is_one_node(edges: list[tuple[str, str]], parts: dict[str, str]) -> None:
    ids = {node.id for node in graph(edges)}
    parts = {one: fold for one, fold in parts.items() if one in ids}
    folds = [PictureNode(one, "folded", one, "/") for one in set(parts.values())]
    nodes, kept = folded([*graph(edges), *folds], edges, parts)
    left = {node.id for node in nodes}
    assert left == (ids - parts.keys()) | set(parts.values())
    assert {end for edge in kept for end in edge} <= left
    assert all(a != b for a, b in kept)


MARKS = st.lists(
    st.builds(
        Mark,
        st.sampled_from("abcdef"),
        st.datetimes(timezones=st.just(UTC)),
        st.sampled_from(LANES),
        st.sampled_from(sorted(LETTERS)),
        st.text(),
        st.just("/trace/a"),
        st.frozensets(st.sampled_from("abcdef")),
    ),
    max_size=12,
)


@given(MARKS)
def test_a_life_goes_on_to_the_right_and_no_mark_hides_another(marks: list[Mark]) -> None:
    places, _ = trace.placed(marks)
    assert len(places) == len(marks)
    for (n, (x1, y1)), (m, (x2, y2)) in combinations(places.items(), 2):
        assert max(abs(x1 - x2), abs(y1 - y2)) > 2 * trace.RADIUS
        assert (x1 < x2) == (marks[n].time < marks[m].time)
    assert all(places[a][0] <= places[b][0] for a, b in trace.causes(marks))


@given(MARKS)
def test_a_picture_of_a_life_has_each_mark_as_a_link_within_its_frame(marks: list[Mark]) -> None:
    picture = fromstring(str(written(trace.drawn(marks))))
    width, height = float(picture.get("width", 0)), float(picture.get("height", 0))
    circles = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in picture.iter("circle")]
    assert len(circles) == len(list(picture.iter("a"))) == len(marks)
    assert all(trace.RADIUS <= x <= width - trace.RADIUS for x, _ in circles)
    assert all(trace.RADIUS <= y <= height - trace.RADIUS for _, y in circles)
    assert {one.tag for one in picture.iter()} <= {
        "svg",
        "a",
        "rect",
        "text",
        "title",
        "path",
        "circle",
    }
