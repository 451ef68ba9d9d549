"""Notices in plain words, the audit, and what admins and owners look after."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.ui import notices
from tests.governance.api.people import DATA, ORIGIN, Browser, Person
from tests.governance.api.test_life import insert, proposed
from tests.ui.controls import tree
from tests.ui.test_frame import post, read
from tests.ui.test_reviews import HOSTILE, SHOWN, sent

PROPOSE = "/forms/propose-definition"


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


def wished(owner: Browser, **typed: str) -> Any:
    """What the fields of a definition are answered, as they stand but for what was typed."""
    page = tree(read(owner, "/admin?dataset=shelf_policies").text)
    form = next(one for one in page.iter("form") if one.get("action") == PROPOSE)
    fields = {one.get("name", ""): one.get("value", "") for one in form.iter("input")}
    boxes = {one.get("name", "") for one in form.iter("input") if one.get("type") == "checkbox"}
    fields |= {one.get("name", ""): one.text or "" for one in form.iter("textarea")}
    for select in form.iter("select"):
        chosen = [one for one in select.iter("option") if one.get("selected") is not None]
        fields[select.get("name", "")] = chosen[0].get("value", "") if chosen else ""
    kept = {name: text for name, text in fields.items() if name not in boxes}
    more = {f"definition.{place}": text for place, text in typed.items()}
    assert set(more) <= set(fields)
    return post(owner, PROPOSE, kept | more, Accept="application/json", Origin=ORIGIN)


def test_a_definition_is_changed_by_fields(app: FastAPI, ann: Person) -> None:
    owner = Browser(app, "ann")
    assert sent(owner, "join-group", group="fresh", user="vic").status_code == 200
    present = owner.get(f"{DATA}/definition")["definition"]
    column, rule = len(present["columns"]), len(present["rules"])
    untouched = wished(owner)
    assert untouched.json()["refused"]["code"] == "nothing_changed"
    price = {"name": "price", "type": "decimal(9,2)", "doc": HOSTILE + ".", "unit": "EUR"}
    origin = {"name": "origin", "doc": "Where it is from."}
    few = {"name": "few", "kind": "in_set", "columns": "min_qty", "params.values": "1\n2\n3"}
    short = {"name": "short", "kind": "length", "columns": "origin", "params.maximum": "40"}
    typed = {f"columns.{column}.{name}": text for name, text in price.items()}
    typed |= {f"columns.{column + 2}.{name}": text for name, text in origin.items()}
    typed |= {f"rules.{rule}.{name}": text for name, text in few.items()}
    typed |= {f"rules.{rule + 1}.{name}": text for name, text in short.items()}
    typed |= {"columns.1.label": "Least", "policy.approvals": "2", "deletes": "false"}
    done = wished(owner, **typed, **{"policy.groups.min_qty": "fresh"}).json()
    request = owner.get(f"/api/v1/projects/retail/change_requests/{done['answer']['number']}")
    assert done["back"] == f"/reviews/retail/{done['answer']['number']}?done=propose-definition"
    made = {(one["part"], one["name"]): one["new"] for one in request["definition_changes"]}
    assert set(made) == {
        ("column", present["columns"][1]["name"]),
        ("column", "price"),
        ("column", "origin"),
        ("rule", "few"),
        ("rule", "short"),
        ("policy", "policy"),
        ("deletes", "deletes"),
    }
    assert price.items() <= made["column", "price"].items()
    assert made["rule", "few"]["params"] == {"values": [1, 2, 3]}
    assert made["rule", "short"]["params"] == {"maximum": 40}
    assert (made["policy", "policy"]["approvals"], made["deletes", "deletes"]) == (2, False)
    assert made["policy", "policy"]["groups"] == {"min_qty": "fresh"}


def test_what_is_wrong_in_a_definition_is_told_by_its_field(app: FastAPI, ann: Person) -> None:
    owner = Browser(app, "ann")
    present = owner.get(f"{DATA}/definition")["definition"]
    column, rule = f"columns.{len(present['columns'])}", f"rules.{len(present['rules'])}"
    later = f"rules.{len(present['rules']) + 2}"
    wrong: list[dict[str, str]] = [
        {f"{column}.name": "Not so", f"{column}.doc": "A."},
        {f"{column}.name": "price", f"{column}.doc": ""},
        {f"{column}.doc": "Without a name."},
        {f"{rule}.name": "few", f"{rule}.columns": "min_qty", f"{rule}.params.minimum": "many"},
        {f"{later}.name": "few", f"{later}.columns": "min_qty", f"{later}.params.minimum": "many"},
        {"policy.approvals": "two"},
        {"policy.approvals": "0"},
        {"policy.required_checks": HOSTILE},
    ]
    places = [
        column,
        column,
        column,
        rule,
        later,
        "policy.approvals",
        "policy.approvals",
        "policy.required_checks",
    ]
    for typed, place in zip(wrong, places, strict=True):
        refused = wished(owner, **typed).json()["refused"]
        assert list(refused["fields"]) == [f"definition.{place}"], refused
    plain = post(owner, PROPOSE, {"csrf": owner.signed_in["csrf"], "definition": "["})
    assert "definition: definition is no JSON" in plain.text


def test_who_is_no_owner_and_no_admin_reads_why(app: FastAPI, vic: Person, eve: Person) -> None:
    viewer = Browser(app, "vic")
    page = read(viewer, "/admin?dataset=shelf_policies").text
    assert "an owner&#39;s to see" in page or "an owner's to see" in page
    assert "Users and projects are an admin's to see" in page
    nobody = Browser(app, "eve")
    assert "You are a member of no project." in read(nobody, "/admin").text
    assert "This could not be shown." in read(nobody, "/audit?project=retail").text
