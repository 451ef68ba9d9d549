"""Datasets: what there is, one of them as a grid, who changed what when, and files that become changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lakeshelf.ui.addresses import LONGEST, refusal
from lakeshelf.ui.asking import NOT_FOUND, Answer, Api, ApiRefusal, Query, path
from lakeshelf.ui.page import Ask, Form, Page, Where

DATASET = "/projects/{project}/datasets/{dataset}"
UPLOAD = "/projects/{project}/uploads/{upload}"
OPEN = ("draft", "pending_review", "approved", "rejected", "merging")
"""States of a change request that is not at its end."""
FACET = "facet."
"""What names of parameters begin with that choose values of a column."""
AT_ONCE = 200
"""Rows of a list that are shown at once."""


async def _by_project(api: Api, _where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    names = [one["project"]["id"] for one in answers["projects"].data or ()]
    asked: dict[str, tuple[str, Query]] = {
        name: (path("/projects/{project}/datasets", {"project": name}), {}) for name in names
    }
    return {"datasets": await api.all(asked)}


async def _of_dataset(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """Its open change requests, whether jobs follow it, and why its rows are not edited here; empty: they are."""
    query: Query = {"dataset": where.names["dataset"], "status": OPEN}
    asked = await api.all(
        {
            "requests": (path("/projects/{project}/change_requests", where.names), query),
            "definition": (path(f"{DATASET}/definition", where.names), {}),
        }
    )
    definition = asked["definition"].data or {"definition": {}}
    if why_none := _no_snapshot(where, answers):
        answers["seen"] = Answer(None, why_none)
        api.refused.append(why_none)
    seen = answers["seen"].data
    may = seen["can"].get("edit", True) if seen else "it could not be shown"
    is_old = any(where.query.get(name) for name in ("version", "snapshot"))
    why = "this is how it was; go back to now to edit" if is_old else "" if may is True else may
    follows = definition["definition"].get("topic") is not None
    facets = {
        name.removeprefix(FACET): where.many(name) for name in where.query if name.startswith(FACET)
    }
    sort = where.many("sort")
    return {
        **{"requests": asked["requests"], "why": why, "follows": follows},
        **{"facets": facets, "sort": sort},
    }


def _no_snapshot(where: Where, answers: Mapping[str, Answer]) -> ApiRefusal | None:
    """Why the address names no snapshot; None: it does, or asks for the rows of now."""
    seen, kept = answers["seen"].data, answers["snapshots"].data
    version, names = where.query.get("version", ""), list(filter(None, where.many("snapshot")))
    if seen and version and int(version) > seen["meta"]["delta_version"]:
        newest = f"there is no snapshot {version}, the newest is {seen['meta']['delta_version']}"
        message = f"{newest}: choose one of the history, or leave version out"
        return refusal(message, NOT_FOUND)
    if len(names) > 1 or (names and version):
        return refusal("the address names more than one snapshot: leave one of them")
    if names and kept is not None and all(one["name"] != names[0] for one in kept):
        message = (
            f"no snapshot is kept as {names[0][:LONGEST]!r}: choose another, or leave snapshot out"
        )
        return refusal(message, NOT_FOUND)
    return None


async def _of_session(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """The session that the address names, or the one that was edited last, and what its edits would do."""
    own = sorted(answers["sessions"].data or (), key=lambda one: one["edited_at"], reverse=True)
    named = where.query.get("session")
    chosen = next((one for one in own if named in (None, "", one["id"])), None)
    if chosen is None:
        return {"chosen": None}
    names = {"session": chosen["id"]}
    asked: dict[str, tuple[str, Query]] = {
        name: (path(f"/live_sessions/{{session}}/{name}", names), {})
        for name in ("preview", "effect")
    }
    return {"chosen": chosen, **await api.all(asked)}


async def _of_history(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """What differs between two versions, if two are asked for."""
    versions = {name: where.query.get(name, "") for name in ("before", "after")}
    diff = Answer()
    if all(versions.values()):
        diff = await api.get(path(f"{DATASET}/diff", where.names), versions)
    for one in (answers["changes"].data or {}).get("changes", ()):
        one |= {name: _value(one[name]) for name in ("old_value", "new_value")}
    return {"diff": diff, "at_once": AT_ONCE}


async def _of_blame(_api: Api, _where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    for one in (answers["cells"].data or {}).values():
        if one is not None:
            one["new_value"] = _value(one["new_value"])
    return {}


async def _of_upload(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """Why its rows do not come in by the reader; empty: they do."""
    why, upload = "", answers["upload"].data
    if upload is not None:
        seen = await api.get(path(DATASET, {**where.names, "dataset": upload["dataset"]}))
        may = seen.data["can"]["import"] if seen.data else "its dataset is not to be had"
        why = "" if may is True else may
    return {"why": why, "at_once": AT_ONCE}


def _value(text: str | None) -> object:
    """The value of a JSON text; None: there was no row, or no value."""
    return None if text is None else json.loads(text)


PAGES = (
    Page(
        "/data",
        "Data",
        "datasets.html",
        asks={"projects": Ask("/projects")},
        command="lakeshelf data list",
        menu="Data",
        prepare=_by_project,
        also=("/projects/{project}/datasets",),
    ),
    Page(
        "/data/{project}/{dataset}",
        "{dataset}",
        "dataset.html",
        asks={"seen": Ask(DATASET), "snapshots": Ask(f"{DATASET}/snapshots")},
        command="lakeshelf data show {dataset}",
        options={"sort": "--sort", "version": "--version"},
        beyond=("filter", FACET, "snapshot"),
        section="/data",
        prepare=_of_dataset,
        also=("/projects/{project}/change_requests", f"{DATASET}/definition"),
        numbers=("version",),
    ),
    Page(
        "/data/{project}/{dataset}/preview",
        "What your edits of {dataset} would do",
        "preview.html",
        asks={"sessions": Ask(f"{DATASET}/live_sessions")},
        command="lakeshelf data preview {dataset} --effect",
        section="/data",
        prepare=_of_session,
        also=("/live_sessions/{session}/preview", "/live_sessions/{session}/effect"),
    ),
    Page(
        "/data/{project}/{dataset}/history",
        "History of {dataset}",
        "history.html",
        asks={
            "changes": Ask(f"{DATASET}/history", ("row_id", "column", "request", "offset")),
            "seen": Ask(DATASET),
            "snapshots": Ask(f"{DATASET}/snapshots"),
        },
        command="lakeshelf data history {dataset}",
        options={"row_id": ""},
        beyond=("column", "request"),
        section="/data",
        prepare=_of_history,
        also=(f"{DATASET}/diff",),
        numbers=("before", "after", "request", "offset"),
    ),
    Page(
        "/data/{project}/{dataset}/blame",
        "Who wrote a row of {dataset}",
        "blame.html",
        asks={"cells": Ask(f"{DATASET}/blame", ("row_id",))},
        command="lakeshelf data blame {dataset} KEY",
        options={"row_id": ""},
        section="/data",
        prepare=_of_blame,
    ),
    Page(
        "/imports/{project}/{upload}",
        "Import",
        "import.html",
        asks={"upload": Ask(UPLOAD), "refusals": Ask(f"{UPLOAD}/refusals", ("offset",))},
        command="lakeshelf import FILE",
        section="/data",
        prepare=_of_upload,
        also=(DATASET,),
        numbers=("offset",),
    ),
)
FORMS = (
    Form(
        "restore",
        "POST",
        f"{DATASET}/restore",
        {"version": "whole", "title": "text"},
        "A change request would make the rows those of that snapshot again: it waits for a review.",
    ),
    Form(
        "keep-snapshot",
        "POST",
        f"{DATASET}/snapshots",
        {"name": "text", "reason": "text"},
        "The rows are kept under that name.",
    ),
    Form(
        "load-import",
        "POST",
        f"{UPLOAD}/load",
        {
            "title": "text",
            "declared": "many",
            "leave_out": "flag",
            "merge_when_approved": "flag",
            "dry_run": "flag",
        },
        "The file was looked through.",
    ),
)
