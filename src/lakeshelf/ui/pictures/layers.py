"""Layered layout of a graph: what feeds stands left of what it feeds, and lines cross little."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

Edges = Sequence[tuple[str, str]]
SWEEPS = 6


def acyclic(nodes: Iterable[str], edges: Edges) -> tuple[Edges, Edges]:
    """Edges without cycles, and those that close one, which is where a search in the order of nodes comes back.

    Args:
        nodes: Nodes.
        edges: Source → target, each between two of the nodes.
    """
    following: dict[str, list[str]] = defaultdict(list)
    for source, target in edges:
        following[source].append(target)
    entered: dict[str, bool] = {}
    back: set[tuple[str, str]] = set()
    for start in nodes:
        if start not in entered:
            _search(start, following, entered, back)
    return [edge for edge in edges if edge not in back], [edge for edge in edges if edge in back]


def _search(
    start: str,
    following: Mapping[str, Sequence[str]],
    entered: dict[str, bool],
    back: set[tuple[str, str]],
) -> None:
    """Note what is on the way (True) or left (False), and edges that lead to what is on the way."""
    entered[start] = True
    way = [(start, iter(following.get(start, ())))]
    while way:
        node, rest = way[-1]
        target = next(rest, None)
        if target is None:
            entered[node] = False
            way.pop()
        elif target not in entered:
            entered[target] = True
            way.append((target, iter(following.get(target, ()))))
        elif entered[target]:
            back.add((node, target))


def layers(nodes: Sequence[str], edges: Edges) -> list[list[str]]:
    """Nodes by layer: each stands behind all that lead to it (longest path), in the order of their barycentres.

    Args:
        nodes: Nodes.
        edges: Without cycles.
    """
    depth = _depths(nodes, edges)
    columns: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for node in nodes:
        columns[depth[node]].append(node)
    before, after = _neighbours(edges), _neighbours([(b, a) for a, b in edges])
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        for column in columns if forth else reversed(columns):
            _order(column, columns, before if forth else after)
    return columns


def _depths(nodes: Sequence[str], edges: Edges) -> dict[str, int]:
    depth = dict.fromkeys(nodes, 0)
    after, waits = _neighbours([(b, a) for a, b in edges]), dict.fromkeys(nodes, 0)
    for _, target in edges:
        waits[target] += 1
    ready = [node for node in nodes if not waits[node]]
    while ready:
        node = ready.pop()
        for target in after.get(node, ()):
            depth[target] = max(depth[target], depth[node] + 1)
            waits[target] -= 1
            if not waits[target]:
                ready.append(target)
    return depth


def _neighbours(edges: Edges) -> Mapping[str, list[str]]:
    """Target → its sources."""
    kept = defaultdict(list)
    for source, target in edges:
        kept[target].append(source)
    return kept


def _order(
    column: list[str], columns: Sequence[Sequence[str]], beside: Mapping[str, Sequence[str]]
) -> None:
    place = {node: n / len(one) for one in columns for n, node in enumerate(one)}
    own = {
        node: sum(place[one] for one in around) / len(around)
        if (around := beside.get(node))
        else place[node]
        for node in column
    }
    column.sort(key=own.__getitem__)
