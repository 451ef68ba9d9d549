"""Who may call which operation, and with what each is called: the table that the tests of the matrix are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakeshelf.contracts import CATALOG
from lakeshelf.governance.domain.binding import bound
from tests.governance.api.test_life import insert

OK = "ok"
"""The call gets past the question who calls; what the rest of it says is not asked here."""
MEMBERS = ("viewer", "named", "contributor", "author", "owner", "service")
USERS = {
    "viewer": "vic",
    "named": "dan",
    "contributor": "ben",
    "author": "cat_",
    "owner": "ann",
    "service": "bot",
    "outsider": "eve",
    "admin": "ada",
}
"""Role → user who has it, in the tests that go as everybody."""
WRITERS = ("contributor", "author", "owner", "service")
REVIEWERS = ("contributor", "owner", "named")
ROLES = (
    *MEMBERS,
    "anonymous",
    "outsider",
    "admin",
    "expired",
    "narrow",
    "browser",
    "forged",
    "foreign",
)
"""`narrow` is an owner whose token is for reading; `expired` an owner whose token was good; `browser` an owner who is
signed in, `forged` a call in that browser without its CSRF token, `foreign` one from a page that is not ours."""
REFUSED_IN_BROWSERS = {"forged": "csrf_refused", "foreign": "origin_refused"}


@dataclass(frozen=True)
class Rule:
    """Who may call an operation.

    Attributes:
        who: Roles; all others are refused.
        reads: Whether a token for reading is enough.
        shut: What a role that may not is told, where it is not `forbidden`.
        public: Whether nobody is asked who they are.
        own: The role that what the call is about belongs to: of others it is for admins, if for anybody.
    """

    who: tuple[str, ...]
    reads: bool = False
    shut: Mapping[str, str] = field(default_factory=dict)
    public: bool = False
    own: str = ""

    def expected(self, role: str, method: str) -> str:
        if self.public:
            return REFUSED_IN_BROWSERS[role] if role == "foreign" else OK
        stranger = "unauthenticated" if role in ("anonymous", "expired") else None
        forged = REFUSED_IN_BROWSERS.get(role) if method != "GET" else None
        who = "owner" if role in ("browser", *REFUSED_IN_BROWSERS, "narrow") else role
        may = who in self.who and (self.reads or role != "narrow")
        return stranger or forged or (OK if may else self.shut.get(role, "forbidden"))


_OUTSIDE = {"outsider": "not_found", "admin": "not_found"}
SEEN = Rule(MEMBERS, reads=True, shut=_OUTSIDE)
WRITTEN = Rule(WRITERS, shut=_OUTSIDE)
SAID = Rule(MEMBERS, shut=_OUTSIDE)
OWNED = Rule(("owner",), shut=_OUTSIDE)
REVIEWED = Rule(REVIEWERS, shut={**_OUTSIDE, "author": "author_approves"})
REJECTED = Rule((*REVIEWERS, "author"), shut=_OUTSIDE)
EVERYBODY = Rule((*MEMBERS, "outsider", "admin"), reads=True)
SIGNED_IN = Rule((*MEMBERS, "outsider", "admin"))
ADMINS = Rule(("admin",))
OF_USER = Rule(("admin", "viewer"), own="viewer")
OF_OWNER = Rule(
    ("admin", "owner"),
    shut=dict.fromkeys(ROLES, "not_found") | {"narrow": "forbidden"},
    own="owner",
)
OF_AUTHOR = Rule(
    ("author",),
    reads=True,
    shut=dict.fromkeys(ROLES, "not_found") | {"narrow": "not_found"},
    own="author",
)

TABLE: Mapping[tuple[str, str], Rule] = {
    ("POST", "/sign_in"): Rule((), public=True),
    ("POST", "/sign_out"): EVERYBODY,
    ("POST", "/users/{user}/sign_in_links"): OF_USER,
    ("GET", "/users/{user}/browser_sessions"): OF_USER,
    ("DELETE", "/browser_sessions/{browser_session}"): OF_OWNER,
    ("GET", "/openid/sign_in"): Rule((), public=True),
    ("GET", "/openid/callback"): Rule((), public=True),
    ("GET", "/users/{user}/identities"): ADMINS,
    ("POST", "/users/{user}/identities"): ADMINS,
    ("DELETE", "/users/{user}/identities"): ADMINS,
    ("GET", "/me"): EVERYBODY,
    ("GET", "/users"): ADMINS,
    ("POST", "/users"): ADMINS,
    ("PATCH", "/users/{user}"): ADMINS,
    ("GET", "/users/{user}/tokens"): OF_USER,
    ("POST", "/users/{user}/tokens"): OF_USER,
    ("DELETE", "/tokens/{token}"): OF_OWNER,
    ("GET", "/projects"): EVERYBODY,
    ("POST", "/projects"): ADMINS,
    ("GET", "/projects/{project}"): Rule(
        (*MEMBERS, "admin"), reads=True, shut={"outsider": "not_found"}
    ),
    ("GET", "/projects/{project}/members"): SEEN,
    ("PUT", "/projects/{project}/members/{user}"): OWNED,
    ("DELETE", "/projects/{project}/members/{user}"): OWNED,
    ("GET", "/projects/{project}/groups"): SEEN,
    ("PUT", "/projects/{project}/groups/{group}/members/{user}"): OWNED,
    ("DELETE", "/projects/{project}/groups/{group}/members/{user}"): OWNED,
    ("GET", "/projects/{project}/datasets"): SEEN,
    ("POST", "/projects/{project}/datasets"): WRITTEN,
    ("GET", "/projects/{project}/datasets/{dataset}"): SEEN,
    ("POST", "/projects/{project}/datasets/{dataset}/publish_again"): OWNED,
    ("GET", "/projects/{project}/datasets/{dataset}/definition"): SEEN,
    ("POST", "/projects/{project}/datasets/{dataset}/definition"): WRITTEN,
    ("GET", "/projects/{project}/datasets/{dataset}/definitions"): SEEN,
    ("GET", "/projects/{project}/datasets/{dataset}/reviewers"): SEEN,
    ("PUT", "/projects/{project}/datasets/{dataset}/reviewers/{user}"): OWNED,
    ("DELETE", "/projects/{project}/datasets/{dataset}/reviewers/{user}"): OWNED,
    ("GET", "/projects/{project}/datasets/{dataset}/snapshots"): SEEN,
    ("POST", "/projects/{project}/datasets/{dataset}/snapshots"): WRITTEN,
    ("GET", "/projects/{project}/datasets/{dataset}/history"): SEEN,
    ("GET", "/projects/{project}/datasets/{dataset}/blame"): SEEN,
    ("GET", "/projects/{project}/datasets/{dataset}/diff"): SEEN,
    ("POST", "/projects/{project}/datasets/{dataset}/restore"): WRITTEN,
    ("POST", "/projects/{project}/datasets/{dataset}/restore_at_once"): Rule((), shut=_OUTSIDE),
    ("GET", "/projects/{project}/datasets/{dataset}/outside"): SEEN,
    ("POST", "/projects/{project}/datasets/{dataset}/outside"): WRITTEN,
    ("POST", "/projects/{project}/datasets/{dataset}/views"): SEEN,
    ("GET", "/projects/{project}/datasets/{dataset}/views/{view}/rows"): SEEN,
    ("GET", "/projects/{project}/datasets/{dataset}/views/{view}/position"): SEEN,
    ("GET", "/projects/{project}/datasets/{dataset}/views/{view}/facets"): SEEN,
    ("POST", "/projects/{project}/datasets/{dataset}/live_sessions"): WRITTEN,
    ("GET", "/projects/{project}/datasets/{dataset}/live_sessions"): SEEN,
    ("GET", "/live_sessions/{session}"): OF_AUTHOR,
    ("DELETE", "/live_sessions/{session}"): OF_AUTHOR,
    ("POST", "/live_sessions/{session}/edits"): OF_AUTHOR,
    ("POST", "/live_sessions/{session}/undo"): OF_AUTHOR,
    ("GET", "/live_sessions/{session}/preview"): OF_AUTHOR,
    ("GET", "/live_sessions/{session}/effect"): OF_AUTHOR,
    ("POST", "/live_sessions/{session}/submit"): OF_AUTHOR,
    ("GET", "/projects/{project}/change_requests"): SEEN,
    ("GET", "/projects/{project}/change_requests/{number}"): SEEN,
    ("GET", "/projects/{project}/change_requests/{number}/diff"): SEEN,
    ("GET", "/projects/{project}/change_requests/{number}/dry_run"): SEEN,
    ("GET", "/projects/{project}/change_requests/{number}/effect"): SEEN,
    ("GET", "/projects/{project}/change_requests/{number}/outcome"): SEEN,
    ("GET", "/projects/{project}/change_requests/{number}/validation"): SEEN,
    ("GET", "/projects/{project}/validation_runs/{run}"): SEEN,
    ("POST", "/projects/{project}/change_requests/{number}/merge"): WRITTEN,
    ("POST", "/projects/{project}/change_requests/{number}/resolve"): WRITTEN,
    ("POST", "/projects/{project}/change_requests/{number}/withdraw"): Rule(
        ("author",), shut=_OUTSIDE, own="author"
    ),
    ("POST", "/projects/{project}/change_requests/{number}/edit"): Rule(
        WRITERS, shut=_OUTSIDE, own="author"
    ),
    ("POST", "/projects/{project}/change_requests/{number}/revert"): WRITTEN,
    ("POST", "/projects/{project}/change_requests/{number}/approve"): REVIEWED,
    ("POST", "/projects/{project}/change_requests/{number}/reject"): REJECTED,
    ("POST", "/projects/{project}/change_requests/{number}/reject_cells"): REJECTED,
    ("PUT", "/projects/{project}/change_requests/{number}/reviewers/{user}"): OWNED,
    ("GET", "/projects/{project}/change_requests/{number}/comments"): SEEN,
    ("POST", "/projects/{project}/change_requests/{number}/comments"): SAID,
    ("PATCH", "/projects/{project}/change_requests/{number}/comments/{comment}"): SAID,
    ("POST", "/projects/{project}/datasets/{dataset}/uploads"): WRITTEN,
    ("GET", "/projects/{project}/datasets/{dataset}/export"): SEEN,
    ("POST", "/projects/{project}/inferences"): WRITTEN,
    ("GET", "/projects/{project}/uploads"): SEEN,
    ("GET", "/projects/{project}/uploads/{upload}"): SEEN,
    ("POST", "/projects/{project}/uploads/{upload}/load"): WRITTEN,
    ("GET", "/projects/{project}/uploads/{upload}/refusals"): SEEN,
    ("GET", "/projects/{project}/webhooks"): OWNED,
    ("POST", "/projects/{project}/webhooks"): OWNED,
    ("PATCH", "/projects/{project}/webhooks/{webhook}"): OWNED,
    ("DELETE", "/projects/{project}/webhooks/{webhook}"): OWNED,
    ("GET", "/projects/{project}/webhooks/{webhook}/deliveries"): OWNED,
    ("POST", "/projects/{project}/webhooks/{webhook}/deliveries/{event}"): OWNED,
    ("GET", "/projects/{project}/audit"): SEEN,
    ("GET", "/projects/{project}/audit/verify"): SEEN,
    ("GET", "/audit"): ADMINS,
    ("GET", "/events/list"): EVERYBODY,
    ("GET", "/notices"): EVERYBODY,
    ("POST", "/notices/read"): EVERYBODY,
    ("POST", "/query"): EVERYBODY,
    ("GET", "/jobs"): EVERYBODY,
    ("GET", "/jobs/{job}"): OF_AUTHOR,
    ("POST", "/jobs/{job}/cancel"): OF_AUTHOR,
    ("GET", "/jobs/{job}/rows"): OF_AUTHOR,
    ("GET", "/jobs/{job}/file"): OF_AUTHOR,
    ("GET", "/alerts"): EVERYBODY,
    ("GET", "/alerts/{alert}"): EVERYBODY,
    ("GET", "/plans"): EVERYBODY,
    ("GET", "/plans/{plan}"): EVERYBODY,
    ("GET", "/shelves/{shelf}"): EVERYBODY,
    ("GET", "/shelves/{shelf}/order"): EVERYBODY,
    ("GET", "/models"): EVERYBODY,
    ("GET", "/models/{version}"): EVERYBODY,
    ("POST", "/models/{version}/promotion"): Rule(("owner",)),
    ("POST", "/models/{version}/rollback"): Rule(("owner",)),
    ("GET", "/whatif"): EVERYBODY,
    ("POST", "/whatif"): EVERYBODY,
    ("GET", "/low_shelves"): EVERYBODY,
    ("GET", "/trace"): EVERYBODY,
    ("GET", "/numbers"): EVERYBODY,
    ("GET", "/numbers/history"): EVERYBODY,
    ("GET", "/status"): EVERYBODY,
    ("GET", "/lag"): EVERYBODY,
    ("GET", "/doctor"): Rule(("admin",)),
    ("GET", "/ledger"): EVERYBODY,
    ("GET", "/quarantine"): EVERYBODY,
    ("GET", "/tables"): EVERYBODY,
    ("GET", "/tables/{layer}/{table}"): EVERYBODY,
    ("GET", "/lineage"): EVERYBODY,
    ("POST", "/acts"): Rule(WRITERS),
    ("POST", "/shelves/{shelf}/adjust"): Rule(WRITERS),
    ("GET", "/shelves/{shelf}/books"): EVERYBODY,
    ("POST", "/shelves/{shelf}/count"): Rule(WRITERS),
    ("POST", "/quarantine/corrections"): Rule(WRITERS),
    ("GET", "/acts"): Rule(MEMBERS, reads=True),
    ("GET", "/acts/{act}"): Rule(MEMBERS, reads=True),
}
"""Operation → who may; `/events` never ends, and has tests of its own."""
ENDLESS = ("GET", "/events")
SEEN_HASH = "the hash of what is there"
DEFINITION = bound(CATALOG.topics["wh_policies"]).as_json()
WEBHOOK = {"url": "https://hooks.example/in", "kinds": ["cr"]}
BODIES: Mapping[str, Any] = {
    "/sign_in": {"token": "narrow"},
    "/users": {"name": "new_one"},
    "/users/{user}": {"label": "x"},
    "/users/{user}/tokens": {"days": 1},
    "/users/{user}/identities": {"subject": "x"},
    "/projects": {"id": "other_one"},
    "/projects/{project}/members/{user}": {"role": "viewer"},
    "/projects/{project}/datasets": {"id": "new_one", "definition": DEFINITION},
    "/projects/{project}/datasets/{dataset}/definition": {"definition": DEFINITION},
    "/projects/{project}/datasets/{dataset}/snapshots": {"name": "kept"},
    "/projects/{project}/datasets/{dataset}/restore": {"version": 0},
    "/projects/{project}/datasets/{dataset}/restore_at_once": {"version": 0, "reason": "x"},
    "/projects/{project}/datasets/{dataset}/outside": {},
    "/projects/{project}/datasets/{dataset}/views": {},
    "/live_sessions/{session}/edits": {"edits": [insert("Z1")]},
    "/live_sessions/{session}/undo": {"edit_ids": ["+Z1"]},
    "/live_sessions/{session}/submit": {"title": "x"},
    "/projects/{project}/change_requests/{number}/merge": {"content_hash": "0"},
    "/projects/{project}/change_requests/{number}/resolve": {
        "content_hash": "0",
        "resolutions": [{"row_id": "S1", "choice": "keep_main"}],
    },
    "/projects/{project}/change_requests/{number}/revert": {},
    "/projects/{project}/change_requests/{number}/approve": {"content_hash": SEEN_HASH},
    "/projects/{project}/change_requests/{number}/reject": {"content_hash": "0", "comment": "x"},
    "/projects/{project}/change_requests/{number}/reject_cells": {
        "content_hash": "0",
        "cells": [{"row_id": "S1"}],
    },
    "/projects/{project}/change_requests/{number}/comments": {"body": "x"},
    "/projects/{project}/change_requests/{number}/comments/{comment}": {"resolved": True},
    "/projects/{project}/uploads/{upload}/load": {},
    "/projects/{project}/webhooks": WEBHOOK,
    "/projects/{project}/webhooks/{webhook}": {"enabled": True},
    "/notices/read": {"event": 0},
    "/query": {"sql": "SELECT 1"},
    "/acts": {"command": "ack", "targets": ["a1"]},
    "/shelves/{shelf}/adjust": {"quantity": 1},
    "/shelves/{shelf}/count": {"units": 1, "agreed": True},
    "/models/{version}/promotion": {"to": "challenger"},
    "/models/{version}/rollback": {},
    "/whatif": {},
    "/quarantine/corrections": {
        "records": [{"topic": "shelf_events", "partition": 0, "offset": 1, "value": "{}"}]
    },
}
PARAMS: Mapping[str, str] = {
    "/projects/{project}/inferences": "?file_name=x.csv",
    "/projects/{project}/datasets/{dataset}/uploads": "?file_name=x.csv",
    "/projects/{project}/datasets/{dataset}/blame": "?row_id=S1",
    "/projects/{project}/datasets/{dataset}/diff": "?before=0&after=0",
    "/projects/{project}/datasets/{dataset}/views/{view}/position": "?row_id=S1",
    "/projects/{project}/datasets/{dataset}/views/{view}/facets": "?column=min_qty",
    "/trace": "?id=S1-I1",
    "/users/{user}/identities": "?subject=x",
}
THINGS = (
    *("project", "dataset", "number", "session", "comment"),
    *("token", "upload", "browser_session", "job", "run"),
    *("alert", "plan", "shelf", "table", "act", "version"),
)
"""Names in addresses for which there may be nothing."""
PREFIX = "/api/v1"
