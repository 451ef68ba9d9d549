"""Datasets: what there is, and one of them as a grid."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakeshelf.ui.asking import Answer, Api, Query, path
from lakeshelf.ui.page import Ask, Page, Where

DATASET = "/projects/{project}/datasets/{dataset}"
OPEN = ("draft", "pending_review", "approved", "rejected", "merging")
"""States of a change request that is not at its end."""


async def _by_project(api: Api, _where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    names = [one["project"]["id"] for one in answers["projects"].data or ()]
    asked: dict[str, tuple[str, Query]] = {
        name: (path("/projects/{project}/datasets", {"project": name}), {}) for name in names
    }
    return {"datasets": await api.all(asked)}


async def _of_dataset(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """Its open change requests, and why its rows are not edited here; empty: they are."""
    query: Query = {"dataset": where.names["dataset"], "status": OPEN}
    requests = await api.get(path("/projects/{project}/change_requests", where.names), query)
    seen = answers["seen"].data
    may = seen["can"].get("edit", True) if seen else "it could not be shown"
    is_old = where.query.keys() & {"version", "snapshot"}
    why = "this is how it was; go back to now to edit" if is_old else "" if may is True else may
    return {"requests": requests, "why": why}


PAGES = (
    Page(
        "/data",
        "Data",
        "datasets.html",
        asks={"projects": Ask("/projects")},
        command="lakeshelf data list",
        menu="Data",
        prepare=_by_project,
    ),
    Page(
        "/data/{project}/{dataset}",
        "{dataset}",
        "dataset.html",
        asks={
            "seen": Ask(DATASET),
            "snapshots": Ask(f"{DATASET}/snapshots"),
        },
        command="lakeshelf data show {dataset}",
        section="/data",
        prepare=_of_dataset,
    ),
)
FORMS = ()
