"""Tokens, sessions, links and webhooks by commands: each secret is told once, and lies in nobody else's file."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from fastapi import FastAPI

from lakeshelf.governance.client.calls import part
from lakeshelf.governance.services.context import Context
from tests.governance.api.people import Browser, Person, issue
from tests.governance.api.shell import Shell, shell
from tests.governance.api.test_life import insert, proposed
from tests.governance.services.conftest import PROJECT

__all__ = ["shell"]


def test_people_make_list_and_revoke_their_own_tokens(
    shell: Shell, app: FastAPI, tmp_path: Path
) -> None:
    file = tmp_path / "laptop"
    words = ("users", "tokens", "make", "laptop", "--scope", "read", "--days", "7")
    made = shell("vic", *words, "--file", file).out
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    secret = file.read_text().strip()
    assert secret not in made
    assert Person(app, secret).get("/api/v1/me")["scopes"] == ["read"]
    [own, laptop] = shell.json("vic", "users", "tokens", "list")
    assert (laptop["label"], laptop["parent"]) == ("laptop", own["id"])
    assert "laptop" in shell("vic", "users", "tokens", "list").out
    assert laptop["id"] in shell("vic", "users", "tokens", "revoke", laptop["id"]).out
    assert Person(app, secret).refused("GET", "/api/v1/me") == "unauthenticated"


def test_a_secret_without_a_file_is_told_once(shell: Shell, app: FastAPI) -> None:
    made = shell.json("vic", "users", "tokens", "make")
    assert Person(app, made["secret"]).get("/api/v1/me")["user"] == "vic"
    printed = shell("vic", "users", "tokens", "make").out.split()
    secret = next(word for word in printed if word.startswith("lks_"))
    assert Person(app, secret).get("/api/v1/me")["user"] == "vic"
    assert made["secret"] not in shell("vic", "users", "tokens", "list", "--json").out


def test_no_token_is_made_for_a_file_that_is_there(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "kept"
    file.write_text("mine")
    refused = shell("vic", "users", "tokens", "make", "--file", file, code=2)
    assert "is there already; no token was made" in refused.error
    assert file.read_text() == "mine"
    assert len(shell.json("vic", "users", "tokens", "list")) == 1


@pytest.mark.parametrize("user", ["ann", "..", "nobody", "%2e%2e"])
def test_tokens_of_others_are_for_admins(shell: Shell, user: str) -> None:
    refused = shell("vic", "users", "tokens", "list", "--user", user, code=1).error
    assert "vic may not manage tokens" in refused


@pytest.mark.parametrize("user", ["../audit", "a/b", "vic/tokens"])
def test_a_name_leads_to_no_other_place(shell: Shell, user: str) -> None:
    assert (
        "there is no GET" in shell("ann", "users", "tokens", "list", "--user", user, code=1).error
    )


def test_a_part_of_an_address_leads_nowhere_else() -> None:
    assert [part(text) for text in (".", "..", "a/b", "a.b", "ä?#")] == [
        "%2E", "%2E%2E", "a%2Fb", "a.b", "%C3%A4%3F%23",
    ]  # fmt: skip


def test_a_link_signs_a_browser_in_once_and_its_session_is_ended(
    shell: Shell, app: FastAPI
) -> None:
    made = shell.json("vic", "users", "link")
    browser = Browser(app, made["secret"])
    assert browser.get("/api/v1/me")["user"] == "vic"
    assert Person(app, None).refused("POST", "/api/v1/sign_in", {"token": made["secret"]}) == (
        "unauthenticated"
    )
    [session] = shell.json("vic", "users", "sessions", "list")
    assert session["id"] in shell("vic", "users", "sessions", "list").out
    assert "has ended" in shell("vic", "users", "sessions", "end", session["id"]).out
    assert browser.refused("GET", "/api/v1/me") == "unauthenticated"
    printed = shell("vic", "users", "link").out.split()
    secret = next(word for word in printed if word.startswith("lkl_"))
    assert printed[-1].endswith(f"/login#{secret}")
    assert Browser(app, secret).get("/api/v1/me")["user"] == "vic"


@pytest.fixture
def ben(app: FastAPI, context: Context) -> Person:
    """Another token than that of the commands."""
    return Person(app, issue(context, "ben", "beside"))


def test_webhooks_live_by_commands(shell: Shell, ben: Person) -> None:
    url = "https://hooks.example/in"
    made = shell.json("ann", "webhooks", "add", url, "cr.submitted", "member")
    webhook = made["webhook"]["id"]
    assert made["secret"] not in shell("ann", "webhooks", "list", "--json").out
    assert "cr.submitted, member" in shell("ann", "webhooks", "list").out
    proposed(ben, insert("S1"))
    [delivery] = shell.json("ann", "webhooks", "deliveries", webhook)
    assert "is sent again" in shell("ann", "webhooks", "again", webhook, delivery["event"]).out
    assert "is off" in shell("ann", "webhooks", "off", webhook).out
    assert shell.json("ann", "webhooks", "list")[0]["disabled_at"] is not None
    assert "switched off" in shell("ann", "webhooks", "again", webhook, "1", code=1).error
    assert "is on" in shell("ann", "webhooks", "on", webhook).out
    assert "is removed" in shell("ann", "webhooks", "remove", webhook).out
    assert shell.json("ann", "webhooks", "list") == []
    told = shell("ann", "webhooks", "add", url).out
    assert "all events" in told
    assert f"webhooks deliveries {shell.json('ann', 'webhooks', 'list')[0]['id']}" in told
    assert "may not manage webhooks" in shell("ben", "webhooks", "list", code=1).error


def test_deliveries_are_listed_whole_whatever_a_page_holds(
    shell: Shell, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakeshelf.governance.client import resources

    monkeypatch.setattr(resources, "DELIVERIES", 2)
    words = ("webhooks", "add", "https://hooks.example/in", "cr")
    webhook = shell.json("ann", *words)["webhook"]["id"]
    number = proposed(ben, insert("S1"))["number"]
    for text in "abcd":
        path = f"/api/v1/projects/{PROJECT}/change_requests/{number}/comments"
        ben.post(path, {"body": text})
    events = [one["event"] for one in shell.json("ann", "webhooks", "deliveries", webhook)]
    assert len(events) >= 5
    assert events == sorted(set(events), reverse=True)
    assert json.loads(shell("ann", "webhooks", "deliveries", webhook, "--limit", 1, "--json").out)
