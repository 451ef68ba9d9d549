"""Who did what: the acts of a project, or on users and projects themselves, in a chain that shows tampering."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from lakeshelf.ui import lists
from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Page, Where

OF_PROJECT = "/projects/{project}/audit"
FILTERS = ("user", "action", "dataset", "request", "after")


async def _acts(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """Acts of the project that the address names, else of the first one of the reader."""
    me, query = answers["account"].data or {"projects": {}, "admin": False}, where.query
    projects = list(me["projects"])
    project = query.get("project") or next(iter(projects), "")
    is_installation = not project or (project == "-" and me["admin"])
    place = path("/audit", {}) if is_installation else path(OF_PROJECT, {"project": project})
    filters = {} if is_installation else {name: query.get(name, "") for name in FILTERS}
    asked = {"acts": (place, {**filters, "after": query.get("after", ""), "limit": lists.ASKED})}
    if not is_installation:
        asked["verdict"] = (path(f"{OF_PROJECT}/verify", {"project": project}), {})
    known = await api.all(asked)
    return {
        "verdict": None,
        **known,
        "project": project,
        "projects": projects,
        "is_installation": is_installation,
        "part": lists.part(known["acts"].data, itemgetter("number")),
    }


PAGES = (
    Page(
        "/audit",
        "Audit",
        "audit.html",
        asks={"account": Ask("/me")},
        command="lakeshelf doctor audit",
        menu="Audit",
        prepare=_acts,
        also=("/audit", OF_PROJECT, f"{OF_PROJECT}/verify"),
        numbers=("after",),
    ),
)
FORMS = ()
