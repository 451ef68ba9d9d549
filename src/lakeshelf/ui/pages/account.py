"""Who is signed in: their sessions, tokens and notices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lakeshelf.ui import notices
from lakeshelf.ui.asking import Answer, Api, path
from lakeshelf.ui.page import Ask, Form, Page, Where


async def _own(api: Api, _where: Where, answers: dict[str, Answer]) -> Mapping[str, Any]:
    me, words = answers["account"].data, {"sentence": notices.sentence, "place": notices.place}
    if me is None:
        return {"tokens": answers["account"], "sessions": answers["account"], **words}
    user = {"user": me["user"]}
    return words | await api.all(
        {
            "tokens": (path("/users/{user}/tokens", user), {}),
            "sessions": (path("/users/{user}/browser_sessions", user), {}),
        }
    )


PAGES = (
    Page(
        "/me",
        "Your account",
        "me.html",
        asks={"account": Ask("/me"), "notices": Ask("/notices", ("limit",))},
        command="lakeshelf users tokens list",
        prepare=_own,
        also=("/users/{user}/tokens", "/users/{user}/browser_sessions"),
        numbers=("limit",),
    ),
)
FORMS = (
    Form(
        "issue-token",
        "POST",
        "/users/{user}/tokens",
        {"label": "text", "days": "whole"},
        "A new token.",
        answer="token.html",
    ),
    Form("revoke-token", "DELETE", "/tokens/{token}", {}, "The token is taken back."),
    Form("end-session", "DELETE", "/browser_sessions/{browser_session}", {}, "That session ended."),
    Form("read-notices", "POST", "/notices/read", {"event": "whole"}, "Notices are read."),
)
