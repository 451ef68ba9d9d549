"""Change requests: what waits for whom, and one of them with all that a decision about it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lakeshelf.ui import lists
from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Where

ONE = "/projects/{project}/change_requests/{number}"
DEFINITION = "/projects/{project}/datasets/{dataset}/definition"
AT_ONCE = 200
"""Cells of a request on a page."""
REMARKS = 100
"""Remarks that are shown at once, and answers to each, and remarks of a cell."""
CHOICES: Mapping[str, Mapping[str, str]] = {
    "op": {"set": "cells that change", "insert": "rows that come", "delete": "rows that go"},
    "in_column": {},
    "only": {"conflict": "conflicts", "error": "errors", "warning": "warnings"},
    "sort": {"row": "by row", "column": "by column"},
}
"""What of a request is shown → its choices; columns are those of the dataset."""
OPEN = ("draft", "rejected", "pending_review", "approved", "merging")
DECIDED = ("merged", "closed", "withdrawn", "expired")
QUEUES = ("to_do", "waiting", "others")
CLEANED_UP = "cr.closed"
"""What the service does after each merge: nobody looks again because of it."""
NEXT: Mapping[str, str] = {
    "draft": "was begun and not submitted",
    "rejected": "was rejected: its authors may change it",
    "pending_review": "waits for a review",
    "approved": "is approved and waits for its merge",
    "merging": "is being merged",
}
"""State → what becomes of it next."""


async def _queue(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """Requests of each project of the reader, as the filters have it."""
    me, query = answers["account"].data or {"user": "", "projects": {}}, where.query
    is_decided = query.get("show") == "decided"
    projects = [one for one in me["projects"] if query.get("project") in (None, "", one)]
    asked = {
        "status": query.get("status") or list(DECIDED if is_decided else OPEN),
        "limit": lists.ASKED,
        **{name: query.get(name, "") for name in ("dataset", "created_by")},
        "below": query.get("below", "") if query.get("project") else "",
    }
    known = await api.all(
        {
            one: (path("/projects/{project}/change_requests", {"project": one}), asked)
            for one in projects
        }
    )
    of = {project: lists.part(one.data, _number) for project, one in known.items()}
    listed = [(one, _turn(me["user"], one)) for part in of.values() for one in part.rows]
    return {
        "queues": {name: [one for one in listed if one[1][0] == name] for name in QUEUES},
        "listed": listed,
        "refusals": [one.refusal for one in known.values() if one.refusal],
        "parts_of": of,
        "is_decided": is_decided,
        "projects": list(me["projects"]),
        "states": DECIDED if is_decided else OPEN,
    }


def _number(seen: Mapping[str, Any]) -> int:
    return int(seen["request"]["number"])


def _turn(user: str, seen: Mapping[str, Any]) -> tuple[str, str]:
    """In which queue of somebody a request stands, and what is to be done with it."""
    status, can = seen["request"]["status"], seen["can"]
    is_own = user in seen["authors"] or user == seen["request"]["created_by"]
    mark = seen["mark"] or {}
    is_conflicting = mark.get("state") == "conflicting" and status in ("pending_review", "approved")
    if is_conflicting and can["resolve"] is True and (is_own or status == "approved"):
        return "to_do", "conflicts with what was merged since: settle it"
    if status == "pending_review" and can["approve"] is True:
        return "to_do", "waits for your review"
    if status == "approved" and can["merge"] is True:
        return "to_do", "is approved: merge it"
    if status in ("rejected", "draft") and is_own:
        return "to_do", "is yours to change and submit again, or to withdraw"
    return ("waiting" if is_own else "others"), NEXT.get(status, "")


async def _request(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """What a decision needs beside the request itself."""
    seen = answers["seen"].data
    if seen is None:
        return {}
    request, names = seen["request"], where.names
    is_merged = request["merged_version"] is not None
    of_dataset = {"project": names["project"], "dataset": request["dataset"]}
    more = {
        "definition": (path(DEFINITION, of_dataset), {}),
        "acts": (
            path("/projects/{project}/audit", names),
            {"request": names["number"], "limit": "1000"},
        ),
        ("outcome" if is_merged else "effect"): (
            path(f"{ONE}/{'outcome' if is_merged else 'effect'}", names),
            {"offset": where.query.get("keys", "")} if is_merged else {},
        ),
    }
    asked, me = await api.all(more), answers["account"].data or {"user": ""}
    diff, said = answers["diff"].data, answers["said"].data
    columns = (asked["definition"].data or {"columns": ()})["columns"]
    comments = said["comments"] if said else []
    return {
        "at_once": AT_ONCE,
        "outcome": None,
        "effect": None,
        **asked,
        "labels": {one["name"]: one["label"] for one in columns},
        "units": {one["name"]: one["unit"] or "" for one in columns},
        "groups": [] if diff is None else grouped(diff["cells"], where.query.get("sort", "")),
        "choices": CHOICES,
        "several": _several(diff["cells"] if diff else ()),
        **_threads(comments, where),
        "replies": _by(comments, "reply_to"),
        "of_cell": _of_cell(comments),
        "warnings": _introduced(diff),
        **_moved(asked["acts"].data or [], me["user"], where.query.get("seen", "")),
    }


def grouped(
    cells: Sequence[Mapping[str, Any]], sort: str = ""
) -> list[tuple[str, str, list[Mapping[str, Any]]]]:
    """Cells of a page as they are decided: conflicts, then what violates a rule, then the rest by column.

    Args:
        cells: The cells.
        sort: The order that was chosen for them, in which they stay, as one group; empty: none.

    Returns:
        Kind of the group, column (of the rest only), its cells.
    """
    if sort and cells:
        return [("chosen", "", list(cells))]
    kinds = ("conflict", "error", "warning", "row", "column")
    ordered = sorted(cells, key=lambda one: (kinds.index(kind_of(one)), one["column"] or ""))
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for cell in ordered:
        kind = kind_of(cell)
        groups.setdefault((kind, cell["column"] if kind == "column" else ""), []).append(cell)
    return [(*name, group) for name, group in groups.items()]


def kind_of(cell: Mapping[str, Any]) -> str:
    """How much a cell needs a look: `conflict`, `error`, `warning`, `row` (it comes or goes) or `column`."""
    if cell["conflict"]:
        return "conflict"
    severities = {one["severity"] for one in cell["findings"] or () if one["introduced"]}
    if severities & {"error", "fatal"}:
        return "error"
    if "warning" in severities:
        return "warning"
    return "row" if cell["column"] is None else "column"


def _several(cells: Iterable[Mapping[str, Any]]) -> set[str]:
    """Rows of which several cells change."""
    counts = Counter(one["row_id"] for one in cells)
    return {row_id for row_id, count in counts.items() if count > 1}


def _threads(comments: Iterable[Mapping[str, Any]], where: Where) -> dict[str, Any]:
    """The newest remarks that answer no other, or those before them, in order; and how many there are."""
    threads = [one for one in comments if one["reply_to"] is None]
    passed = max(0, int(where.query.get("remarks") or 0))
    end = max(0, len(threads) - passed)
    return {
        "threads": threads[max(0, end - REMARKS) : end],
        "all_threads": len(threads),
        "passed": passed,
        "most_remarks": REMARKS,
    }


def _by(comments: Iterable[Mapping[str, Any]], name: str) -> dict[Any, list[Mapping[str, Any]]]:
    kept: dict[Any, list[Mapping[str, Any]]] = {}
    for one in comments:
        kept.setdefault(one[name], []).append(one)
    return kept


def _of_cell(comments: Iterable[Mapping[str, Any]]) -> dict[Any, list[Mapping[str, Any]]]:
    kept: dict[Any, list[Mapping[str, Any]]] = {}
    for one in comments:
        if one["row_id"] is not None:
            kept.setdefault((one["row_id"], one["column"]), []).append(one)
    return kept


def _introduced(diff: Mapping[str, Any] | None) -> dict[str, list[Mapping[str, Any]]]:
    """Rule → what it says of all cells, by column: an approval acknowledges rules, whatever page is shown."""
    return _by(((diff or {}).get("summary") or {}).get("rules", ()), "rule")


def _moved(acts: Sequence[Mapping[str, Any]], me: str, seen: str) -> Mapping[str, Any]:
    """What others did since the reader looked; the address names the last act that they saw."""
    last = int(seen) if seen.isascii() and seen.isdigit() and len(seen) < 16 else None
    return {
        "last_act": acts[-1]["number"] if acts else 0,
        "moved": [
            one
            for one in acts
            if last is not None and one["number"] > last and one["user"] != me
            if one["action"] != CLEANED_UP
        ],
    }


PAGES = (
    Page(
        "/reviews",
        "Reviews",
        "reviews.html",
        asks={"account": Ask("/me")},
        command="lakeshelf cr list",
        options={name: f"--{name}" for name in ("project", "dataset", "status")},
        beyond=("created_by", "show"),
        menu="Reviews",
        prepare=_queue,
        also=("/projects/{project}/change_requests",),
        numbers=("below",),
    ),
    Page(
        "/reviews/{project}/{number}",
        "Change request {number}",
        "review.html",
        asks={
            "account": Ask("/me"),
            "seen": Ask(ONE),
            "diff": Ask(f"{ONE}/diff", ("offset", *CHOICES), {"limit": str(AT_ONCE)}),
            "said": Ask(f"{ONE}/comments"),
            "runs": Ask(f"{ONE}/validation"),
            "members": Ask("/projects/{project}/members"),
        },
        command="lakeshelf cr show {number} --project {project}",
        section="/reviews",
        prepare=_request,
        also=(
            DEFINITION,
            "/projects/{project}/audit",
            f"{ONE}/effect",
            f"{ONE}/outcome",
        ),
        numbers=("offset", "keys", "remarks"),
    ),
)
FORMS = (
    Form(
        "approve",
        "POST",
        f"{ONE}/approve",
        {"content_hash": "text", "comment": "text", "acknowledged": "many"},
        "Your approval is given, for exactly this content.",
    ),
    Form(
        "reject",
        "POST",
        f"{ONE}/reject",
        {"content_hash": "text", "comment": "text"},
        "It is rejected. Its authors are told why.",
    ),
    Form(
        "reject-cells",
        "POST",
        f"{ONE}/reject_cells",
        {"content_hash": "text", "comment": "text", "cells": "objects"},
        "These cells are rejected. The rest is a smaller revision, which is approved anew.",
    ),
    Form(
        "resolve",
        "POST",
        f"{ONE}/resolve",
        {"content_hash": "text", "resolutions": "objects"},
        "These conflicts are settled. The content is a new revision, which is approved anew.",
    ),
    Form(
        "merge",
        "POST",
        f"{ONE}/merge",
        {"content_hash": "text", "force": "flag"},
        "It is merged.",
    ),
    Form("withdraw", "POST", f"{ONE}/withdraw", {}, "It is taken back."),
    Form(
        "take-up",
        "POST",
        f"{ONE}/edit",
        {},
        "A session with its edits is open.",
        answer="taken_up.html",
    ),
    Form(
        "revert",
        "POST",
        f"{ONE}/revert",
        {"title": "text"},
        "A change request takes it back.",
        answer="reverted.html",
    ),
    Form(
        "remark",
        "POST",
        f"{ONE}/comments",
        {"body": "text", "row_id": "text", "column": "text", "reply_to": "text"},
        "Your remark is kept.",
    ),
    Form(
        "settle-remark",
        "PATCH",
        f"{ONE}/comments/{{comment}}",
        {"resolved": "flag"},
        "The remark is marked.",
    ),
    Form("ask-reviewer", "PUT", f"{ONE}/reviewers/{{user}}", {}, "They are asked to review it."),
)
