"""Files that are sent become change requests, and datasets are had as files that merge by their version."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lakeshelf.governance.services.imports import uploading
from tests.governance.api.people import DATA, Person, code, told
from tests.governance.api.test_life import act, done, insert, rows, set_

pytestmark = pytest.mark.timeout(300)
UPLOADS = "/api/v1/projects/retail/uploads"


def upload(person: Person, content: bytes, name: str = "new.csv", **params: str) -> Any:
    query = {"file_name": name, **params}
    headers = {"Content-Type": "application/octet-stream"}
    sent = person.sent("POST", f"{DATA}/uploads", headers=headers, params=query, content=content)
    return asyncio.run(sent)


def exported(person: Person, **params: Any) -> bytes:
    answer = asyncio.run(person.sent("GET", f"{DATA}/export", headers={}, params=params))
    assert answer.status_code == 200, answer.text
    assert "attachment" in answer.headers["Content-Disposition"]
    return answer.content


def test_a_file_that_was_exported_merges_with_what_others_changed(
    ann: Person, ben: Person, cat: Person
) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    file = exported(cat, format="csv")
    done(ann, ben, set_("S1", "min_qty", 7))
    edited = file.replace(b'"S2","30.0"', b'"S2","25.0"')
    assert edited != file
    kept = told(upload(cat, edited))
    loaded = cat.post(f"{UPLOADS}/{kept['id']}/load", {"title": "from a file"})
    assert loaded["upload"]["status"] == "submitted"
    act(ben, loaded["request"], "approve")
    act(ben, loaded["request"], "merge")
    found = rows(ann)
    assert (found["S1"]["min_qty"], found["S2"]["threshold_pct"]) == (7, 25)


def test_every_cell_that_is_refused_is_listed(ann: Person) -> None:
    header = b"shelf_id,threshold_pct,min_qty,target_pct,near_expiry_days,active\n"
    lines = b"S1,30,1,80,5,true\nS2,300,1,80,5,true\nS3,30,x,80,5,true\n"
    kept = told(upload(ann, header + lines))
    loaded = ann.post(f"{UPLOADS}/{kept['id']}/load", {})
    assert (loaded["upload"]["status"], loaded["request"]) == ("refused", None)
    found = ann.get(f"{UPLOADS}/{kept['id']}/refusals")
    assert found["total"] == 2
    assert {one["column"] for one in found["refusals"]} == {"threshold_pct", "min_qty"}
    assert [one["id"] for one in ann.get(UPLOADS)] == [kept["id"]]


def test_a_file_that_is_too_large_or_of_another_format_is_refused(
    ann: Person, eve: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert code(upload(ann, b"x", "a.exe")) == "upload_invalid"
    assert code(upload(eve, b"x")) == "not_found"
    monkeypatch.setattr(uploading, "MOST_BYTES", 10)
    assert code(upload(ann, b"x" * 11)) == "body_too_large"
    assert ann.get(UPLOADS) == []
