"""Notices in plain words, the audit, and what admins and owners look after."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.ui import notices
from tests.governance.api.people import Browser, Person
from tests.governance.api.test_life import insert, proposed
from tests.ui.test_frame import read
from tests.ui.test_reviews import HOSTILE, SHOWN, sent


def test_notices_are_sentences_that_lead_to_what_they_are_about(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    number = proposed(ann, insert("S1"), title=HOSTILE)["number"]
    page = read(Browser(app, "ben"), "/me").text
    said = f"Change request {number} of shelf_policies was submitted and waits for a review"
    assert f'<a href="/reviews/retail/{number}">{said}</a>' in page
    audit = read(Browser(app, "ben"), f"/audit?request={number}").text
    assert "ann submitted it, revision 1" in audit
    assert "The chain is as it was written." in audit
    assert "session.opened" not in audit


@pytest.mark.parametrize("kind", [*notices.SENTENCES, "cr.<b>"])
@pytest.mark.parametrize("body", [{}, {"state": "conflicting"}, {"role": HOSTILE}])
def test_each_kind_has_a_sentence_whatever_is_known_of_it(kind: str, body: Any) -> None:
    event = {"kind": kind, "project": "p", "dataset": "{x}", "request": 1, "body": body}
    assert notices.sentence(event)
    assert notices.place(event) == ("reviews", "p", "1")


def test_owners_look_after_members_groups_and_definitions(app: FastAPI, ann: Person) -> None:
    owner = Browser(app, "ann")
    assert sent(owner, "set-member", user="vic", role="contributor").status_code == 200
    assert sent(owner, "join-group", group="fresh", user="vic").status_code == 200
    definition = owner.get("/api/v1/projects/retail/datasets/shelf_policies/definition")
    changed = definition["definition"] | {"version": 2}
    changed["policy"] |= {"approvals": 2}
    fields = {"dataset": "shelf_policies", "title": HOSTILE, "definition": json.dumps(changed)}
    assert sent(owner, "propose-definition", **fields).status_code == 200
    assert "is no JSON" in sent(owner, "propose-definition", **fields | {"definition": "["}).text
    page = read(owner, "/admin?dataset=shelf_policies").text
    assert "fresh" in page
    assert "Propose the next version" in page
    assert SHOWN in read(owner, "/reviews").text


def test_who_is_no_owner_and_no_admin_reads_why(app: FastAPI, vic: Person, eve: Person) -> None:
    viewer = Browser(app, "vic")
    page = read(viewer, "/admin?dataset=shelf_policies").text
    assert "an owner&#39;s to see" in page or "an owner's to see" in page
    assert "Users and projects are an admin's to see" in page
    nobody = Browser(app, "eve")
    assert "You are a member of no project." in read(nobody, "/admin").text
    assert "This could not be shown." in read(nobody, "/audit?project=retail").text
