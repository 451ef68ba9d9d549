"""What admins and owners look after: users, projects, members, groups, definitions, webhooks."""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from lakeshelf.ui import definitions, lists
from lakeshelf.ui.asking import Answer, Api, Query, path
from lakeshelf.ui.page import Ask, Form, Page, Where

PROJECT = "/projects/{project}"
DATASET = f"{PROJECT}/datasets/{{dataset}}"
HOOK = f"{PROJECT}/webhooks/{{webhook}}"
OF_PROJECT = ("members", "groups", "webhooks", "datasets")
OF_USER = {"tokens": "/users/{user}/tokens", "sessions": "/users/{user}/browser_sessions"}


async def _kept(api: Api, where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    """The project that the address names, else the first, and what it holds; tokens of the user that is named."""
    listed = answers["projects"].data or []
    ids = [one["project"]["id"] for one in listed]
    project = where.query.get("project") or next(iter(ids), "")
    seen = next((one for one in listed if one["project"]["id"] == project), None)
    held = await _of_project(api, where, project) if seen and seen["role"] else {}
    user = where.query.get("user", "")
    of_user = await _of_user(api, user) if user else {}
    return {
        "project": project,
        "seen": seen,
        "ids": ids,
        "tokens": None,
        "sessions": None,
        **of_user,
        "members": None,
        "groups": None,
        "webhooks": None,
        "datasets": None,
        "definition": None,
        "named": None,
        "deliveries": None,
        **held,
        **_next(held),
        "sent": lists.part(_data(held.get("deliveries")), itemgetter("event")),
    }


def _next(held: Mapping[str, Any]) -> Mapping[str, Any]:
    """What may change of the definition that is shown, if one is."""
    answer = _data(held.get("definition"))
    if answer is None:
        return {"begun": None, "wishes": {}}
    begun = definitions.begun(answer["definition"], answer["choices"])
    groups = sorted(_data(held["groups"]) or ())
    return {"begun": begun, "wishes": definitions.parts(begun, answer["choices"], groups)}


def _data(answer: Answer | None) -> Any:
    return answer.data if answer else None


async def _of_user(api: Api, user: str) -> Mapping[str, Any]:
    return await api.all({name: (path(of, {"user": user}), {}) for name, of in OF_USER.items()})


async def _of_project(api: Api, where: Where, project: str) -> Mapping[str, Any]:
    names = {"project": project}
    asked: dict[str, tuple[str, Query]] = {
        name: (path(f"{PROJECT}/{name}", names), {}) for name in OF_PROJECT
    }
    if dataset := where.query.get("dataset"):
        of_dataset = {**names, "dataset": dataset}
        asked["definition"] = (path(f"{DATASET}/definition", of_dataset), {})
        asked["named"] = (path(f"{DATASET}/reviewers", of_dataset), {})
    if webhook := where.query.get("webhook"):
        below = {"below": where.query.get("below", ""), "limit": lists.ASKED}
        asked["deliveries"] = (path(f"{HOOK}/deliveries", {**names, "webhook": webhook}), below)
    return await api.all(asked)


def _proposed(sent: Mapping[str, str], answer: Mapping[str, Any]) -> str:
    place = f"/reviews/{quote(sent['project'], safe='')}/{answer['number']}"
    return f"{place}?done=propose-definition"


PAGES = (
    Page(
        "/admin",
        "People and settings",
        "admin.html",
        asks={"users": Ask("/users"), "projects": Ask("/projects")},
        command="lakeshelf users tokens list",
        menu="Settings",
        prepare=_kept,
        also=(
            *OF_USER.values(),
            *(f"{PROJECT}/{name}" for name in OF_PROJECT),
            f"{DATASET}/definition",
            f"{DATASET}/reviewers",
            f"{HOOK}/deliveries",
        ),
        numbers=("below",),
    ),
)
FORMS = (
    Form(
        "add-user",
        "POST",
        "/users",
        {"name": "text", "label": "text", "admin": "flag"},
        "The user is there. Make them a token next.",
    ),
    Form("label-user", "PATCH", "/users/{user}", {"label": "text"}, "The name is changed."),
    Form("shut-user", "PATCH", "/users/{user}", {"enabled": "flag"}, "The user is changed."),
    Form("make-admin", "PATCH", "/users/{user}", {"admin": "flag"}, "The user is changed."),
    Form(
        "add-project",
        "POST",
        "/projects",
        {"id": "text", "title": "text", "description": "text"},
        "The project is there, and yours.",
    ),
    Form(
        "set-member",
        "PUT",
        f"{PROJECT}/members/{{user}}",
        {"role": "text"},
        "The member has this role.",
    ),
    Form("remove-member", "DELETE", f"{PROJECT}/members/{{user}}", {}, "The member is out."),
    Form(
        "join-group", "PUT", f"{PROJECT}/groups/{{group}}/members/{{user}}", {}, "They are in it."
    ),
    Form(
        "leave-group", "DELETE", f"{PROJECT}/groups/{{group}}/members/{{user}}", {}, "They are out."
    ),
    Form("name-reviewer", "PUT", f"{DATASET}/reviewers/{{user}}", {}, "They may approve now."),
    Form("unname-reviewer", "DELETE", f"{DATASET}/reviewers/{{user}}", {}, "That is taken back."),
    Form(
        "propose-definition",
        "POST",
        f"{DATASET}/definition",
        {"definition": "definition", "title": "text", "description": "text"},
        "It is a change request. An owner who is no author of it approves it.",
        to=_proposed,
    ),
    Form(
        "add-webhook",
        "POST",
        f"{PROJECT}/webhooks",
        {"url": "text", "kinds": "words"},
        "A new webhook",
        answer="webhook.html",
    ),
    Form("switch-webhook", "PATCH", HOOK, {"enabled": "flag"}, "The webhook is switched."),
    Form("remove-webhook", "DELETE", HOOK, {}, "The webhook is removed."),
    Form("send-again", "POST", f"{HOOK}/deliveries/{{event}}", {}, "It is sent once more."),
)
