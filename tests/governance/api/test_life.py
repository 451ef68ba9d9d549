"""What a steward and a reviewer do, call by call."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI

from tests.governance.api.people import DATA, REQUESTS, ROW, Person
from tests.governance.services.conftest import Clock

pytestmark = pytest.mark.timeout(300)


def insert(shelf: str, **cells: Any) -> dict[str, Any]:
    return {"edit_id": f"+{shelf}", "op": "insert", "row_id": shelf, "value": {**ROW, **cells}}


def set_(shelf: str, column: str, value: Any, edit_id: str = "") -> dict[str, Any]:
    named = edit_id or f"{shelf}.{column}={value}"
    return {"edit_id": named, "op": "set", "row_id": shelf, "column": column, "value": value}


def delete(shelf: str) -> dict[str, Any]:
    return {"edit_id": f"-{shelf}", "op": "delete", "row_id": shelf}


def proposed(person: Person, *edits: dict[str, Any], **more: Any) -> dict[str, Any]:
    session = person.post(f"{DATA}/live_sessions")["id"]
    answer = person.post(f"/api/v1/live_sessions/{session}/edits", {"edits": list(edits)})
    assert answer["refusals"] == []
    body = {"title": "x", **more}
    found: dict[str, Any] = person.post(f"/api/v1/live_sessions/{session}/submit", body)
    return found


def act(person: Person, request: dict[str, Any], action: str, **more: Any) -> dict[str, Any]:
    body = {"content_hash": request["content_hash"], **more}
    found: dict[str, Any] = person.post(f"{REQUESTS}/{request['number']}/{action}", body)
    return found


def done(author: Person, reviewer: Person, *edits: dict[str, Any]) -> dict[str, Any]:
    request = proposed(author, *edits)
    act(reviewer, request, "approve")
    return act(author, request, "merge")


def rows(person: Person, **asked: Any) -> dict[str, dict[str, Any]]:
    session = asked.get("session")
    view = person.post(f"{DATA}/views", asked)
    more = {} if session is None else {"session": session}
    page = person.get(f"{DATA}/views/{view['id']}/rows", **more)
    assert page["count"] == view["count"]
    columns = page["columns"]
    return {
        row_id: {name: columns[name][place] for name in columns}
        for place, row_id in enumerate(page["row_ids"])
    }


def test_an_edit_is_reviewed_merged_told_and_taken_back(ann: Person, ben: Person) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    request = proposed(ann, set_("S1", "threshold_pct", 25))
    path = f"{REQUESTS}/{request['number']}"
    seen = ben.get(path)
    assert seen["can"]["approve"] is True
    assert seen["can"]["merge"] == "it is pending_review"
    assert ann.get(path)["can"]["approve"] == "you are one of its authors"
    [cell] = ben.get(f"{path}/diff")["cells"]
    told = (cell["row_id"], cell["column"], cell["base"], cell["main"], cell["staged"])
    assert told == ("S1", "threshold_pct", 30, 30, 25)
    assert cell["findings"] == []
    assert cell["blame"]["actor"] == "ann"
    act(ben, request, "approve")
    first = act(ann, request, "merge")
    assert act(ben, request, "merge")["merged_version"] == first["merged_version"]
    assert rows(ben)["S1"]["threshold_pct"] == 25
    assert ben.get(f"{DATA}/blame", row_id="S1")["threshold_pct"]["change_request"] == 2
    assert ben.get(f"{path}/diff")["cells"][0]["staged"] == 25
    back = ann.post(f"{path}/revert", {})
    act(ben, back, "approve")
    act(ben, back, "merge")
    assert rows(ben)["S1"]["threshold_pct"] == 30


def test_content_has_the_hash_that_reviews_name_as_its_etag(ann: Person, ben: Person) -> None:
    request = proposed(ann, insert("S1"))
    answer = ben.call("GET", f"{REQUESTS}/{request['number']}")
    assert answer.headers["ETag"] == f'"{request["content_hash"]}"'
    wrong = {"content_hash": "0" * 64}
    for action in ("approve", "merge"):
        path = f"{REQUESTS}/{request['number']}/{action}"
        expected = {"approve": "content_changed", "merge": "transition_refused"}[action]
        assert ben.refused("POST", path, wrong) == expected


def test_a_page_of_a_session_shows_its_edits_and_what_others_changed(
    ann: Person, ben: Person, cat: Person
) -> None:
    done(ann, ben, insert("S1"), insert("S2"), insert("S3"))
    session = ann.post(f"{DATA}/live_sessions")["id"]
    edits = [
        set_("S1", "threshold_pct", 20),
        {"edit_id": "d", "op": "delete", "row_id": "S3"},
        insert("S4", min_qty=9),
    ]
    ann.post(f"/api/v1/live_sessions/{session}/edits", {"edits": edits})
    done(cat, ben, set_("S1", "threshold_pct", 10), set_("S2", "min_qty", 7))
    view = ann.post(f"{DATA}/views", {"session": session})
    page = ann.get(f"{DATA}/views/{view['id']}/rows", session=session)
    assert page["row_ids"] == ["S1", "S2", "S3", "S4"]
    assert page["columns"]["threshold_pct"] == [20, 30, 30, 30]
    assert page["columns"]["min_qty"] == [1, 1, 1, 9]
    assert page["edited"] == {"S1": {"threshold_pct": 30}}
    assert (page["inserted"], page["deleted"]) == (["S4"], ["S3"])
    assert page["changed"] == {"S1": ["threshold_pct"], "S2": ["min_qty"]}
    assert page["count"] == 4
    last = ann.get(f"{DATA}/views/{view['id']}/rows", session=session, offset=3, limit=1)
    assert last["row_ids"] == ["S4"]
    assert rows(ann)["S1"]["threshold_pct"] == 10


def test_rows_are_found_by_filter_position_and_facet(ann: Person, ben: Person) -> None:
    done(ann, ben, *(insert(f"S{n}", min_qty=n % 3) for n in range(9)))
    asked = {
        "filters": [{"column": "min_qty", "op": ">", "value": 0}],
        "sort": [{"column": "min_qty", "descending": True}],
    }
    view = ben.post(f"{DATA}/views", asked)
    assert view["count"] == 6
    path = f"{DATA}/views/{view['id']}"
    assert ben.get(f"{path}/rows", limit=2, offset=2)["row_ids"] == ["S8", "S1"]
    assert ben.get(f"{path}/position", row_id="S1") == {"position": 3}
    assert ben.get(f"{path}/position", row_id="S0") == {"position": None}
    facets = ben.get(f"{path}/facets", column="min_qty")
    assert facets["distinct"] == 2
    assert {one["value"]: one["count"] for one in facets["values"]} == {1: 3, 2: 3}


def test_edits_are_undone_and_redone_as_edits(ann: Person, ben: Person) -> None:
    done(ann, ben, insert("S1"))
    session = ann.post(f"{DATA}/live_sessions")["id"]
    path = f"/api/v1/live_sessions/{session}"
    edits = [set_("S1", "min_qty", 2, "a"), set_("S1", "min_qty", 3, "b"), insert("S2")]
    ann.post(f"{path}/edits", {"edits": edits})

    def value() -> Any:
        shown = rows(ann, session=session)
        return shown["S1"]["min_qty"], "S2" in shown

    ann.post(f"{path}/undo", {"edit_ids": ["b"]})
    assert value() == (2, True)
    again = ann.post(f"{path}/undo", {"edit_ids": ["b"]})
    assert again["repeated"] == ["undo:b"]
    ann.post(f"{path}/undo", {"edit_ids": ["+S2", "a"]})
    assert value() == (1, False)
    ann.post(f"{path}/undo", {"edit_ids": ["undo:+S2", "undo:a"]})
    assert value() == (2, True)
    assert ann.refused("POST", f"{path}/undo", {"edit_ids": ["z"]}) == "not_found"


def test_an_edit_of_a_row_that_was_deleted_since_is_not_undone(ann: Person, ben: Person) -> None:
    done(ann, ben, insert("S1"))
    session = ann.post(f"{DATA}/live_sessions")["id"]
    path = f"/api/v1/live_sessions/{session}"
    edits = [set_("S1", "min_qty", 2, "a"), {"edit_id": "d", "op": "delete", "row_id": "S1"}]
    ann.post(f"{path}/edits", {"edits": edits})
    assert ann.refused("POST", f"{path}/undo", {"edit_ids": ["a"]}) == "row_not_found"
    assert ann.get(f"{path}/preview")["counts"]["deleted"] == 1


def test_conflicts_are_listed_and_settled_and_approved_anew(
    ann: Person, ben: Person, cat: Person
) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    mine = proposed(
        ann, set_("S1", "min_qty", 5), set_("S2", "min_qty", 5), set_("S2", "target_pct", 90)
    )
    act(ben, mine, "approve")
    done(cat, ben, set_("S1", "min_qty", 6), set_("S2", "min_qty", 6))
    path = f"{REQUESTS}/{mine['number']}"
    body = {"content_hash": mine["content_hash"]}
    answer = ann.call("POST", f"{path}/merge", body)
    assert answer.status_code == 409
    conflicts = answer.json()["error"]["details"]["conflicts"]
    assert {(c["row_id"], c["base"], c["main"], c["staged"]) for c in conflicts} == {
        ("S1", 1, 6, 5),
        ("S2", 1, 6, 5),
    }
    cells = ann.get(f"{path}/diff")["cells"]
    assert [one["conflict"] for one in cells] == ["cell", "cell", None]
    assert ann.get(path)["mark"]["state"] == "conflicting"
    choices = [
        {"row_id": "S1", "column": "min_qty", "choice": "keep_main"},
        {"row_id": "S2", "column": "min_qty", "choice": "take_staged"},
    ]
    first = act(cat, mine, "resolve", resolutions=choices[:1])
    assert first["revision"] == 2
    assert ann.get(path)["mark"]["conflicts"] == 1
    settled = act(cat, first, "resolve", resolutions=choices[1:])
    assert ben.get(path)["authors"] == ["ann", "cat_"]
    assert cat.refused("POST", f"{path}/approve", _hash(settled)) == "author_approves"
    assert ben.refused("POST", f"{path}/merge", _hash(settled)) == "transition_refused"
    assert ben.refused("POST", f"{path}/approve", _hash(first)) == "content_changed"
    act(ben, settled, "approve")
    act(ben, settled, "merge")
    found = rows(ben)
    assert (found["S1"]["min_qty"], found["S2"]["min_qty"]) == (6, 5)
    assert found["S2"]["target_pct"] == 90


def _hash(request: dict[str, Any]) -> dict[str, Any]:
    return {"content_hash": request["content_hash"]}


def test_a_rejected_request_is_taken_up_and_submitted_again(ann: Person, ben: Person) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    edits = (
        set_("S1", "min_qty", 5),
        {"edit_id": "d", "op": "delete", "row_id": "S2"},
        insert("S3"),
    )
    request = proposed(ann, *edits)
    act(ben, request, "reject", comment="6, please")
    path = f"{REQUESTS}/{request['number']}"
    assert ben.refused("POST", f"{path}/edit") in ("forbidden", "transition_refused")
    session = ann.post(f"{path}/edit")
    assert rows(ann, session=session["id"])["S1"]["min_qty"] == 5
    place = f"/api/v1/live_sessions/{session['id']}"
    ann.post(f"{place}/edits", {"edits": [set_("S1", "min_qty", 6)]})
    again = ann.post(f"{place}/submit", {"title": "x"})
    assert (again["number"], again["revision"]) == (request["number"], 2)
    act(ben, again, "approve")
    act(ann, again, "merge")
    assert rows(ann)["S1"]["min_qty"] == 6
    assert rows(ann).keys() == {"S1", "S3"}


def test_cells_are_rejected_and_the_rest_is_approved(ann: Person, ben: Person) -> None:
    done(ann, ben, insert("S1"))
    request = proposed(ann, set_("S1", "min_qty", 5), set_("S1", "target_pct", 90))
    cells = [{"row_id": "S1", "column": "min_qty"}]
    smaller = act(ben, request, "reject_cells", cells=cells, comment="no")
    act(ben, smaller, "approve")
    act(ben, smaller, "merge")
    assert rows(ben)["S1"]["min_qty"] == 1
    assert rows(ben)["S1"]["target_pct"] == 90


def test_what_shall_merge_by_itself_does_once_it_is_approved(ann: Person, ben: Person) -> None:
    request = proposed(ann, insert("S1"), merge_when_approved=True)
    act(ben, request, "approve")
    seen = ben.get(f"{REQUESTS}/{request['number']}")["request"]
    assert (seen["status"], seen["merged_by"]) == ("closed", "ann")


def test_remarks_are_answered_and_settled(ann: Person, ben: Person) -> None:
    request = proposed(ann, insert("S1"))
    path = f"{REQUESTS}/{request['number']}/comments"
    asked = ben.post(path, {"body": "why?", "row_id": "S1", "column": "min_qty"})
    ann.post(path, {"body": "because", "reply_to": asked["id"]})
    answer = ann.call("PATCH", f"{path}/{asked['id']}", {"resolved": True})
    assert answer.json()["resolved_by"] == "ann"
    assert [one["body"] for one in ben.get(path)["comments"]] == ["why?", "because"]


def test_a_named_viewer_approves(ann: Person, vic: Person) -> None:
    request = proposed(ann, insert("S1"))
    path = f"{REQUESTS}/{request['number']}"
    assert vic.refused("POST", f"{path}/approve", _hash(request)) == "forbidden"
    ann.put(f"{path}/reviewers/vic")
    assert act(vic, request, "approve")["status"] == "approved"


def test_columns_tell_what_an_editor_needs(ann: Person) -> None:
    found = ann.get(f"{DATA}/definition")
    columns = {one["name"]: one for one in found["columns"]}
    assert columns["shelf_id"]["key"]
    assert columns["shelf_id"]["read_only"]
    assert columns["actor"]["read_only"]
    percent = columns["threshold_pct"]
    assert (percent["minimum"], percent["maximum"], percent["required"]) == (0, 100, True)
    assert percent["help"]


def test_a_definition_changes_by_a_request_of_an_owner(ann: Person, ben: Person) -> None:
    definition = ann.get(f"{DATA}/definition")["definition"]
    tighter = {"name": "few", "kind": "between", "columns": ["min_qty"], "params": {"maximum": 9}}
    changed = {**definition, "version": 2, "rules": [*definition["rules"], tighter]}
    request = ben.post(f"{DATA}/definition", {"definition": changed, "title": "at most 9"})
    act(ann, request, "approve")
    act(ann, request, "merge")
    session = ann.post(f"{DATA}/live_sessions")["id"]
    edits = {"edits": [insert("S1", min_qty=10)]}
    answer = ann.post(f"/api/v1/live_sessions/{session}/edits", edits)
    assert [one["rule"] for one in answer["findings"]] == ["few"]
    assert len(ann.get(f"{DATA}/definitions")) == 2


def test_versions_are_compared_kept_and_restored(ann: Person, ben: Person) -> None:
    done(ann, ben, insert("S1"))
    ann.post(f"{DATA}/snapshots", {"name": "first"})
    [kept] = ann.get(f"{DATA}/snapshots")
    done(ann, ben, set_("S1", "min_qty", 4), insert("S2"))
    newest = ann.get(DATA)["meta"]["delta_version"]
    found = ann.get(f"{DATA}/diff", before=kept["delta_version"], after=newest)
    assert {(c["row_id"], c["column"]) for c in found["cells"]} == {("S1", "min_qty"), ("S2", None)}
    assert rows(ann, snapshot="first")["S1"]["min_qty"] == 1
    request = ann.post(f"{DATA}/restore", {"version": "first"})
    act(ben, request, "approve")
    act(ben, request, "merge")
    assert rows(ann).keys() == {"S1"}
    assert rows(ann)["S1"]["min_qty"] == 1


def test_statements_see_the_datasets_of_members_only(ann: Person, ben: Person, eve: Person) -> None:
    done(ann, ben, insert("S1"))
    body = {"sql": "SELECT shelf_id, min_qty FROM retail.shelf_policies"}
    assert ann.post("/api/v1/query", body)["rows"] == [["S1", 1]]
    assert eve.refused("POST", "/api/v1/query", body) == "query_refused"
    body = {"sql": "DELETE FROM retail.shelf_policies"}
    assert ann.refused("POST", "/api/v1/query", body) == "query_refused"


def test_acts_are_audited_in_a_chain_that_is_whole(ann: Person, ben: Person, eve: Person) -> None:
    done(ann, ben, insert("S1"))
    path = "/api/v1/projects/retail/audit"
    actions = [one["action"] for one in ben.get(path, request=1)]
    assert actions == [
        "cr.drafted",
        "cr.submitted",
        "cr.approved",
        "cr.merging",
        "cr.merged",
        "cr.closed",
    ]
    assert ben.get(f"{path}/verify") == {"whole": True, "broken": None}
    assert eve.refused("GET", path) == "not_found"


def test_people_are_told_of_what_concerns_them(ann: Person, ben: Person) -> None:
    proposed(ann, insert("S1"))
    notice = ben.get("/api/v1/notices", unread=True)[0]
    assert notice["event"]["kind"] == "cr.submitted"
    assert ben.post("/api/v1/notices/read", {"event": notice["event"]["number"]})["read"] >= 1
    assert ben.get("/api/v1/notices", unread=True) == []


def test_a_token_that_expired_is_none(app: FastAPI, ann: Person, clock: Clock) -> None:
    clock.pass_(days=31)
    assert ann.refused("GET", "/api/v1/me") == "unauthenticated"
