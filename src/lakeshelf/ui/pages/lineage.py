"""The lineage: what everything is made from, with how it stands now; a node that is looked at has what leads to it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from lakeshelf.ui.asking import Answer, Api
from lakeshelf.ui.page import Ask, Page, Where
from lakeshelf.ui.pictures.drawing import written
from lakeshelf.ui.pictures.lineage import PictureNode, drawn, folded
from lakeshelf.ui.rendering import number, url

STAGED = "table:staging/"
PATH = "/lineage"
RUNNING = "running"


async def _drawn(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    data = answers["graph"].data or {"nodes": [], "edges": []}
    notes = standing(*(answers[name].data or {} for name in ("status", "lag", "numbers")))
    focus, is_whole = where.query.get("focus", ""), "staging" in where.query
    rows = [{**one, "note": notes.get(one["id"], ("", False))[0]} for one in data["nodes"]]
    linked = {end for edge in data["edges"] for end in edge.values()} | {focus}
    nodes = [_node(one, notes, where.query) for one in data["nodes"] if one["id"] in linked]
    edges = [(edge["source"], edge["target"]) for edge in data["edges"]]
    parts = {} if is_whole else _staged(data["nodes"], linked, focus)
    whole = [*nodes, *_folds(parts, where.query)]
    return {
        "picture": written(drawn(*folded(whole, edges, parts), focus)),
        "rows": rows,
        "sources": _beside([(b, a) for a, b in edges]),
        "targets": _beside(edges),
        "focus": focus,
        "is_whole": is_whole,
        "staged": len(parts),
    }


def standing(
    status: Mapping[str, Any], lag: Mapping[str, Mapping[str, int]], numbers: Mapping[str, Any]
) -> dict[str, tuple[str, bool]]:
    """Node → how it stands now, and whether something is wrong; without what is not known."""
    notes: dict[str, tuple[str, bool]] = {}
    for query in status.get("queries", ()):
        behind = "" if query["lag"] is None else f", {number(query['lag'])} behind"
        note = (f"{query['state']}{behind}", query["state"] != RUNNING)
        notes |= dict.fromkeys((f"job:{job}" for job in query["jobs"]), note)
    for one in status.get("components", ()):
        notes[f"component:{one['component']}"] = (one["state"], one["state"] != RUNNING)
    for topics in lag.values():
        for topic, records in topics.items():
            notes[f"topic:{topic}"] = (f"{number(records)} not read yet", False)
    for table in numbers.get("numbers", {}).get("tables", ()):
        if table["age_s"] is not None:
            notes[f"table:{table['table']}"] = (f"{number(table['age_s'], 1)} s old", False)
    return notes


def _node(
    one: Mapping[str, Any], notes: Mapping[str, tuple[str, bool]], query: Mapping[str, str]
) -> PictureNode:
    note, trouble = notes.get(one["id"], ("", False))
    href = url(PATH, query, focus=one["id"])
    return PictureNode(one["id"], one["kind"], one["name"], href, note, trouble)


def _staged(nodes: Sequence[Mapping[str, Any]], linked: set[str], focus: str) -> dict[str, str]:
    """Tables that jobs keep for themselves → the node that stands for all those of their owner."""
    return {
        one["id"]: f"folded:{one['owner']}"
        for one in nodes
        if one["id"].startswith(STAGED) and one["id"] in linked and one["id"] != focus
    }


def _folds(parts: Mapping[str, str], query: Mapping[str, str]) -> list[PictureNode]:
    counts: dict[str, int] = defaultdict(int)
    for fold in parts.values():
        counts[fold] += 1
    href = url(PATH, query, staging="shown")
    return [
        PictureNode(fold, "folded", f"staging ({count})", href) for fold, count in counts.items()
    ]


def _beside(edges: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    kept = defaultdict(list)
    for source, target in edges:
        kept[source].append(target)
    return dict(kept)


PAGES = (
    Page(
        PATH,
        "Lineage",
        "lineage.html",
        asks={
            "graph": Ask("/lineage", ("focus",)),
            "status": Ask("/status"),
            "lag": Ask("/lag"),
            "numbers": Ask("/numbers"),
        },
        command="lakeshelf jobs list",
        section="/pipeline",
        prepare=_drawn,
    ),
)
FORMS = ()
