"""Pages of datasets: what there is, who changed what when, restoring, and files that become changes."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from fastapi import FastAPI
from httpx import Response

from lakeshelf.governance.services.context import Context
from tests.governance.api.people import DATA, ORIGIN, Browser, Person, told
from tests.governance.api.test_life import done, insert, proposed, set_
from tests.governance.services.conftest import DATASET, PROJECT

HERE = "/data/retail/shelf_policies"
HOSTILE = "<b>x</b>"


def read(person: Person, place: str) -> str:
    answer = person.call("GET", place, Accept="text/html")
    assert answer.status_code == 200, answer.text
    return answer.text


def post(person: Person, place: str, page: str, **fields: str) -> Response:
    held = {
        name: re.findall(rf'name="{name}" value="([^"]*)"', page)[0] for name in ("csrf", "back")
    }
    headers = {"Accept": "application/json"}
    return asyncio.run(person.sent("POST", place, headers=headers, data=held | fields))


@pytest.fixture
def browser_of_ann(app: FastAPI, ann: Person) -> Browser:
    return Browser(app, "ann")


def test_datasets_and_their_open_requests_are_listed(
    browser_of_ann: Browser, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert("S1"))
    assert f'href="{HERE}"' in read(browser_of_ann, "/data")
    page = read(browser_of_ann, HERE)
    assert 'data-why=""' in page
    assert 'data-why=""' in read(browser_of_ann, f"{HERE}?snapshot=&filter=")
    assert 'data-why="this is how it was' in read(browser_of_ann, f"{HERE}?version=0")


def test_a_request_of_a_lake_without_a_shop_is_a_page_like_any(
    browser_of_ann: Browser, ann: Person
) -> None:
    number = proposed(ann, insert("S1"))["number"]
    assert "no shop runs here" in read(browser_of_ann, f"/reviews/{PROJECT}/{number}?offset=0")


def test_who_only_reads_is_told_why_nothing_is_edited(app: FastAPI, vic: Person) -> None:
    page = read(Browser(app, "vic"), HERE)
    assert 'data-why=""' not in page
    assert "data-grid" in page


def test_history_and_blame_name_who_wrote_a_cell(
    browser_of_ann: Browser, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert(HOSTILE))
    done(ann, ben, set_(HOSTILE, "min_qty", 7))
    page = read(browser_of_ann, f"{HERE}/history?column=min_qty")
    assert HOSTILE not in page
    assert [page.count(text) for text in ("&lt;b&gt;x", '"After">7<')] == [2, 1]
    blame = read(browser_of_ann, f"{HERE}/blame?row_id=%3Cb%3Ex%3C%2Fb%3E")
    assert '"Value">7<' in blame
    assert "2 cells differ" not in blame
    ann.post(f"{DATA}/snapshots", {"name": "before_easter", "reason": HOSTILE})
    page = read(browser_of_ann, f"{HERE}/history?before=1&after=2&column=none")
    assert "1 cell differs" in page
    assert "blame?row_id=%3Cb%3Ex%3C%2Fb%3E" in page
    assert f'href="{HERE}?snapshot=before_easter"' in page
    assert f'href="{HERE}/history?before=2&amp;after=2#diff-title"' in page


def test_a_restore_is_proposed_and_not_done(
    browser_of_ann: Browser, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert("S1"))
    done(ann, ben, set_("S1", "min_qty", 7))
    page = read(browser_of_ann, f"{HERE}/history")
    names = {"project": "retail", "dataset": "shelf_policies"}
    asked = post(browser_of_ann, "/forms/restore", page, **names, version="1", title="back")
    assert asked.json()["answer"]["kind"] == "restore"
    assert "back" in read(browser_of_ann, HERE)
    assert post(browser_of_ann, "/forms/restore", page, **names, version="x").status_code == 422


def test_a_link_to_rows_that_are_no_longer_kept_says_so(
    browser_of_ann: Browser, ann: Person, ben: Person, context: Context
) -> None:
    done(ann, ben, insert("S1"))
    assert context.root.folder is not None
    files = list((context.root.folder / context.folder(PROJECT, DATASET).main).glob("*.parquet"))
    done(ann, ben, set_("S1", "min_qty", 7))
    for file in files:
        file.unlink()
    assert browser_of_ann.refused("POST", f"{DATA}/views", {"version": 1}) == "gone"
    page = read(browser_of_ann, f"{HERE}/history?before=1&after=2")
    assert "This could not be shown.</strong> rows of version 1 are no longer kept; restore" in page
    names = {"project": PROJECT, "dataset": DATASET, "version": "1", "title": "back"}
    asked = post(browser_of_ann, "/forms/restore", page, **names).json()
    assert asked["refused"]["code"] == "gone"


def test_what_a_file_may_not_hold_is_shown_by_line(browser_of_ann: Browser, ann: Person) -> None:
    header = b"shelf_id,threshold_pct,min_qty,target_pct,near_expiry_days,active\n"
    content = header + b"S1,30,1,80,5,true\nS2,30,<i>x</i>,80,5,true\n"
    place = "/api/v1/projects/retail/datasets/shelf_policies/uploads"
    query = {"file_name": "new.csv"}
    headers = {"Content-Type": "application/octet-stream"}
    kept: Any = told(
        asyncio.run(ann.sent("POST", place, headers=headers, params=query, content=content))
    )
    page = read(browser_of_ann, f"/imports/retail/{kept['id']}")
    names = {"project": "retail", "upload": kept["id"]}
    look = post(browser_of_ann, "/forms/load-import", page, **names, dry_run="yes")
    assert look.json()["answer"]["request"] is None
    page = read(browser_of_ann, f"/imports/retail/{kept['id']}")
    assert "&lt;i&gt;x" in page
    assert "1 cell is refused" in page
    left = post(browser_of_ann, "/forms/load-import", page, **names, leave_out="on", title="rest")
    assert left.json()["answer"]["request"]["title"] == "rest"


def test_pages_of_what_is_not_there_say_so(app: FastAPI, eve: Person) -> None:
    browser = Browser(app, "eve")
    for place in (HERE, f"{HERE}/history", f"{HERE}/blame?row_id=S1", "/imports/retail/x"):
        assert browser.call("GET", place, Accept="text/html", Origin=ORIGIN).status_code == 404
