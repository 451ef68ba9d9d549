"""From what everything is made: topics, jobs, components, tables, views and governed datasets as a graph."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.errors import refused
from lakeshelf.governance.services.context import Caller, Context
from lakeshelf.governance.services.reading.listing import require_reading
from lakeshelf.governance.services.shop.running import Process, Shop
from lakeshelf.governance.storage.layout import OWNER
from lakeshelf.streams.declare.job import Job

PUBLISHER = "dataset-publisher"
"""The component that sends governed datasets to their topics."""


@dataclass(frozen=True)
class Node:
    """A place or a process.

    Attributes:
        id: Its kind and its name: `topic:clock`, `table:ops/alerts`, `job:alerts-sink`.
        kind: One of `topic`, `table`, `view`, `dataset`, `job`, `component`.
        name: Its name.
        doc: What it is.
        owner: Who writes it; of a process its own name.
    """

    id: str
    kind: str
    name: str
    doc: str
    owner: str


@dataclass(frozen=True)
class Edge:
    """What flows from one node to another."""

    source: str
    target: str


@dataclass(frozen=True)
class Graph:
    """Nodes by id, and what flows between them."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]


def lineage(context: Context, caller: Caller, shop: Shop, focus: str | None = None) -> Graph:
    """The graph, with the datasets of the caller's projects; or what of it leads to one node and away from it.

    Raises:
        GovernanceError: `forbidden`; `not_found`: there is no such node.
    """
    require_reading(caller)
    processes = [*map(of_job, shop.engines().values()), *shop.components()]
    datasets = _datasets(context, caller)
    parts = (_places(), map(_process, processes), datasets)
    nodes = {node.id: node for part in parts for node in part}
    flows = {*_flows(processes), *_views()}
    if (publisher := f"component:{PUBLISHER}") in nodes:
        flows |= {Edge(dataset.id, publisher) for dataset in datasets}
    edges = sorted(flows, key=lambda edge: (edge.source, edge.target))
    graph = Graph([nodes[name] for name in sorted(nodes)], edges)
    return graph if focus is None else around(graph, focus)


def of_job(job: Job) -> Process:
    """A job, with the tables of others that its SQL reads."""
    return Process(
        job.name, "job", job.doc, sorted(job.reads), sorted({*job.tables, *job.publishes})
    )


def around(graph: Graph, focus: str) -> Graph:
    """What leads to a node and away from it, the node included.

    Raises:
        GovernanceError: `not_found`.
    """
    if focus not in {node.id for node in graph.nodes}:
        raise refused("not_found", f"there is no node {focus[:120]!r}", hint="ask without `focus`")
    forth, back = defaultdict(set), defaultdict(set)
    for edge in graph.edges:
        forth[edge.source].add(edge.target)
        back[edge.target].add(edge.source)
    kept = _reached(focus, forth) | _reached(focus, back)
    within = [edge for edge in graph.edges if {edge.source, edge.target} <= kept]
    return Graph([node for node in graph.nodes if node.id in kept], within)


def _reached(start: str, following: Mapping[str, set[str]]) -> set[str]:
    reached, todo = {start}, [start]
    while todo:
        new = following.get(todo.pop(), set()) - reached
        reached |= new
        todo += new
    return reached


def _places() -> Iterator[Node]:
    for topic in CATALOG.topics.values():
        yield Node(_place(topic.name), "topic", topic.name, topic.doc, topic.owner)
    for table in CATALOG.tables.values():
        yield Node(_place(table.name), "table", table.name, table.doc, table.owner)
    for view in CATALOG.views.values():
        yield Node(f"view:{view.name}", "view", view.name, view.doc, "")


def _process(process: Process) -> Node:
    return Node(_id(process), process.kind, process.name, process.doc, process.name)


def _datasets(context: Context, caller: Caller) -> list[Node]:
    """Datasets of the caller's projects that feed a topic."""
    with context.metadata.reading() as tx:
        own = [
            one for project in tx.projects.all(caller.user) for one in tx.datasets.all(project.id)
        ]
        bound = [one for one in own if tx.datasets.definition(one.project, one.id).topic]
    names = [(f"{one.project}/{one.id}", one.title) for one in bound]
    return [Node(f"dataset:{name}", "dataset", name, title, OWNER) for name, title in names]


def _flows(processes: Iterable[Process]) -> Iterator[Edge]:
    for process in processes:
        yield from (Edge(_place(name), _id(process)) for name in process.reads)
        yield from (Edge(_id(process), _place(name)) for name in process.writes)


def _views() -> Iterator[Edge]:
    for view in CATALOG.views.values():
        yield from (Edge(_place(name), f"view:{view.name}") for name in view.tables)


def _id(process: Process) -> str:
    return f"{process.kind}:{process.name}"


def _place(name: str) -> str:
    return f"topic:{name}" if name in CATALOG.topics else f"table:{name}"
