"""The queue of reviews and the desk: what each sees and may do, what moved, conflicts, hostile text."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from fastapi import FastAPI

from lakeshelf.ui.pages import reviews
from tests.governance.api.people import DATA, ORIGIN, REQUESTS, Browser, Person
from tests.governance.api.test_life import act, delete, done, insert, proposed, set_
from tests.ui.test_frame import field, post, read

HOSTILE = "<script>alert(1)</script>=1+1\u202e\x07\"'"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;=1+1\u27e8U+202E\u27e9\u27e8U+0007\u27e9"
DESK = "/reviews/retail/{}"


def sent(browser: Browser, form: str, /, **fields: str) -> Any:
    """A form as scripts send it."""
    fields |= {"csrf": browser.signed_in["csrf"], "project": "retail"}
    return post(browser, f"/forms/{form}", fields, Accept="application/json", Origin=ORIGIN)


def section(page: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="{name}">(.*?)</section>', page, re.DOTALL)
    assert found
    return found[1]


def test_each_finds_what_waits_for_them(
    app: FastAPI, ann: Person, ben: Person, vic: Person
) -> None:
    number = proposed(ann, insert("S1"), title=HOSTILE)["number"]
    by_ben, by_ann, by_vic = (
        read(Browser(app, one), "/reviews").text for one in ("ben", "ann", "vic")
    )
    link = DESK.format(number)
    assert link in section(by_ben, "to_do")
    assert "waits for your review" in section(by_ben, "to_do")
    cells = ann.get(f"{REQUESTS}/{number}/diff")["counts"]["cells"]
    assert f'data-label="Cells" class="n">{cells}</td>' in section(by_ben, "to_do")
    assert link in section(by_ann, "waiting")
    assert link in section(by_vic, "others")
    assert SHOWN in by_ben
    assert "<script>alert" not in by_ben
    decided = read(Browser(app, "ben"), "/reviews?show=decided").text
    assert "No change request that was decided" in decided


def test_a_row_that_comes_or_goes_is_none_on_the_other_side(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    """Which is no cell that is null."""
    new = proposed(ann, insert("S1"))["number"]
    done(ann, ben, insert("S2"))
    old = proposed(ann, delete("S2"))["number"]
    for number, sides in ((new, 2), (old, 1)):  # base and main; what is staged
        diff = read(Browser(app, "ben"), DESK.format(number)).text
        assert diff.count('<span class="muted">no row</span>') == sides


def test_conflicts_come_first_are_settled_and_what_moved_is_told(
    app: FastAPI, ann: Person, ben: Person, cat: Person
) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    mine = proposed(
        ann, set_("S1", "min_qty", 5), set_("S1", "target_pct", 90), set_("S2", "min_qty", 4)
    )
    done(cat, ben, set_("S1", "min_qty", 6))
    place = DESK.format(mine["number"])
    reviewer, author = Browser(app, "ben"), Browser(app, "ann")
    page = read(reviewer, place)
    assert page.text.index("conflict</span>") < page.text.index("applies")
    back = field(page, "back")
    assert "That says nothing of whether" not in page.text
    [choice] = re.findall(r'value="([^"]*take_staged[^"]*)"', page.text)
    assert "you are one of its authors" in read(author, place).text
    shown = {"number": str(mine["number"]), "content_hash": field(page, "content_hash")}
    settled = sent(
        Browser(app, "cat_"), "resolve", **shown, **{"resolutions.1": choice.replace("&#34;", '"')}
    )
    assert settled.status_code == 200, settled.text
    stale = sent(reviewer, "approve", **shown)
    assert (stale.status_code, stale.json()["refused"]["code"]) == (409, "content_changed")
    moved = read(reviewer, back.replace("&amp;", "&")).text
    assert "It moved since you looked:" in moved
    assert "cat_ settled conflicts, revision 2" in moved
    assert "That says nothing of whether the values are right" in moved


def test_a_row_that_both_inserted_is_read_and_settled_as_one(
    app: FastAPI, ann: Person, ben: Person, cat: Person
) -> None:
    mine = proposed(ann, insert("S1", min_qty=7), insert("S2", min_qty=8))
    done(cat, ben, insert("S1", min_qty=6))
    place, number = DESK.format(mine["number"]), str(mine["number"])
    reviewer, author = Browser(app, "ben"), Browser(app, "ann")
    page = read(author, place)
    for value in (6, 7, 8):  # what is decided is seen without a click
        assert re.search(rf"min_qty</span> <bdi>{value}</bdi>", section(page.text, "diff"))
    assert "cell in conflict with what was merged since" in page.text
    [choice] = re.findall(r'value="([^"]*take_staged[^"]*)"', page.text)
    shown = {"number": number, "content_hash": field(page, "content_hash")}
    chosen = {"resolutions.1": choice.replace("&#34;", '"')}
    settled = sent(author, "resolve", **shown, **chosen)
    assert settled.status_code == 200, settled.text
    for name in ("approve", "merge"):
        page = read(reviewer, place)
        shown["content_hash"] = field(page, "content_hash")
        assert sent(reviewer, name, **shown).status_code == 200
    merged = read(reviewer, field(page, "back").replace("&amp;", "&")).text
    assert "It moved since you looked:" not in merged
    assert re.search(
        r'data-label="Before" class="cell"><bdi>6</bdi></td>\s*'
        r'<td data-label="After" class="cell"><ins><bdi>7</bdi>',
        section(merged, "diff"),
    )


def few(ann: Person, ben: Person, severity: str) -> None:
    """Have a rule in force by which `min_qty` is at most 9."""
    definition = ann.get(f"{DATA}/definition")["definition"]
    rule = {"name": "few", "kind": "between", "columns": ["min_qty"], "params": {"maximum": 9}}
    rules = [*definition["rules"], {**rule, "severity": severity}]
    changed = {**definition, "version": 2, "rules": rules}
    request = ben.post(f"{DATA}/definition", {"definition": changed, "title": "at most 9"})
    act(ann, request, "approve")
    act(ann, request, "merge")


@pytest.mark.parametrize(("severity", "words"), [("error", "Errors"), ("warning", "Warnings")])
def test_sums_come_first_and_what_breaks_a_rule_before_the_rest(
    app: FastAPI, ann: Person, ben: Person, severity: str, words: str
) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    request = proposed(ann, set_("S1", "active", False), set_("S2", "min_qty", 12))
    few(ann, ben, severity)
    page = read(Browser(app, "ben"), DESK.format(request["number"])).text
    kinds = re.findall(r'<tr class="group"><th[^>]*>(\w+)', page)
    assert (kinds[0], len(kinds)) == (words, 2)
    assert page.index('aria-label="Sums"') < page.index('aria-label="Decide"') < page.index(words)


def test_who_approves_sees_how_often_each_rule_warns(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    few(ann, ben, "warning")
    edits = (insert(f"S{number}", min_qty=10 + number) for number in range(3))
    number = str(proposed(ann, *edits, insert("S9"))["number"])
    reviewer = Browser(app, "ben")
    page = read(reviewer, DESK.format(number))
    assert re.search(r'name="acknowledged" value="few"> seen: 3 . [^<]*9', page.text)
    shown = {"number": number, "content_hash": field(page, "content_hash")}
    assert sent(reviewer, "approve", **shown).status_code == 409
    assert sent(reviewer, "approve", **shown, acknowledged="few").status_code == 200


def test_cells_are_rejected_the_rest_is_approved_merged_and_taken_back(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert("S1"))
    number = str(proposed(ann, set_("S1", "min_qty", 5), set_("S1", "target_pct", 90))["number"])
    reviewer = Browser(app, "ben")
    shown = {
        "number": number,
        "content_hash": field(read(reviewer, DESK.format(number)), "content_hash"),
    }
    cell = json.dumps({"row_id": "S1", "column": "min_qty"})
    assert sent(reviewer, "reject-cells", **shown, cells=cell, comment=HOSTILE).status_code == 200
    page = read(reviewer, DESK.format(number))
    assert SHOWN in page.text
    assert "min_qty" not in section(page.text, "diff").partition("</form>")[2]
    shown["content_hash"] = field(page, "content_hash")
    for name in ("approve", "merge"):
        assert sent(reviewer, name, **shown).status_code == 200
    assert sent(reviewer, "revert", number=number, title="back").status_code == 200
    assert "waits for your review" in read(Browser(app, "ann"), "/reviews").text
    assert "merged" in read(reviewer, "/reviews?show=decided").text


def test_a_remark_of_a_cell_stands_at_that_cell_and_is_answered(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert("S1"))
    edits = (set_("S1", "min_qty", 5), set_("S1", "target_pct", 90))
    number = str(proposed(ann, *edits)["number"])
    author, reviewer = Browser(app, "ann"), Browser(app, "ben")
    page = read(reviewer, DESK.format(number)).text
    [cell] = re.findall(r'href="([^"]*row=S1&amp;column=min_qty)#say"', page)
    asked = read(reviewer, html.unescape(cell))
    of = {name: field(asked, name) for name in ("row_id", "column")}
    assert of == {"row_id": "S1", "column": "min_qty"}
    assert sent(reviewer, "remark", number=number, body="why 5?", **of).status_code == 200
    page = read(author, DESK.format(number)).text
    rows = re.findall(r"<tr class=.*?</tr>", section(page, "diff"), re.DOTALL)
    at = {
        name: ["why 5?" in row for row in rows if f"column={name}#say" in row]
        for name in ("min_qty", "target_pct")
    }
    assert at == {"min_qty": [True], "target_pct": [False]}
    assert re.search(r'<p class="muted">On <a[^>]*>S1</a>, min_qty</p>', page)
    [thread] = re.findall(r'href="([^"]*reply=[^"]*)#say">Reply', page)
    reply = {"reply_to": field(read(author, html.unescape(thread)), "reply_to")}
    assert sent(author, "remark", number=number, body="since it is", **reply).status_code == 200
    page = read(reviewer, DESK.format(number)).text
    assert re.search(r'<div class="thread">.*why 5\?.*<div class="reply">.*since it is', page, re.S)


def test_of_many_remarks_the_newest_are_shown_and_the_others_are_led_to(
    app: FastAPI, ann: Person, ben: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reviews, "REMARKS", 3)
    done(ann, ben, insert("S1"))
    number = proposed(ann, set_("S1", "min_qty", 5))["number"]
    place = f"{REQUESTS}/{number}/comments"
    said = [ben.post(place, {"body": f"remark {n}."})["id"] for n in range(7)]
    for n in range(5):
        ann.post(place, {"body": f"answer {n}.", "reply_to": said[-1]})
    page = DESK.format(number)

    def shown(query: str) -> list[str]:
        return re.findall(
            r"(?:remark|answer) \d(?=\.)", read(Browser(app, "ann"), page + query).text
        )

    answers = ["answer 2", "answer 3", "answer 4"]
    first = read(Browser(app, "ann"), page).text
    assert shown("") == ["remark 4", "remark 5", "remark 6", *answers]
    assert "3 of 7 remarks, the newest" in first
    assert f'{page}?remarks=3#remarks" rel="prev">earlier 3' in first
    assert "The newest 3 of 5 answers" in first
    assert shown("?remarks=3") == ["remark 1", "remark 2", "remark 3"]
    assert shown("?remarks=6") == ["remark 0"]


def test_remarks_of_a_row_stand_at_it_as_the_text_they_are(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    number = str(proposed(ann, insert("S1"), description=HOSTILE)["number"])
    reviewer = Browser(app, "ben")
    assert sent(reviewer, "remark", number=number, row_id="S1", body=HOSTILE).status_code == 200
    page = read(reviewer, f"{DESK.format(number)}?row=S1").text
    assert SHOWN in section(page, "diff")
    assert f'href="/whatif?cr={number}"' in page
    assert "<script>alert" not in page
    remark = ben.get(f"{REQUESTS}/{number}/comments")["comments"][0]["id"]
    asked = {"number": number, "comment": remark}
    assert sent(reviewer, "settle-remark", **asked, resolved="1").status_code == 200
    assert "settled by ben" in read(reviewer, DESK.format(number)).text


@pytest.mark.parametrize(
    ("who", "form", "status"),
    [
        ("vic", "approve", 403),
        ("vic", "merge", 403),
        ("eve", "reject", 404),
        ("ann", "approve", 403),
    ],
)
def test_who_may_not_reads_why_and_is_refused(
    app: FastAPI, ann: Person, vic: Person, eve: Person, who: str, form: str, status: int
) -> None:
    request = proposed(ann, insert("S1"))
    browser = Browser(app, who)
    page = read(browser, DESK.format(request["number"]))
    if who == "eve":
        assert page.status_code == 404
        assert "S1" not in page.text
    else:
        assert re.search(
            r'<button class="main" disabled [^>]*>Approve</button>\s*<span class="muted" [^>]*>\w',
            page.text,
        )
    shown = {
        "number": str(request["number"]),
        "content_hash": request["content_hash"],
        "comment": "no",
    }
    assert sent(browser, form, **shown).status_code in (status, 409)


@pytest.mark.parametrize("number", ["9", "x", "%3Cscript%3E"])
def test_a_request_that_is_not_there_is_told(app: FastAPI, ann: Person, number: str) -> None:
    page = read(Browser(app, "ann"), DESK.format(number))
    assert "This could not be shown." in page.text
    assert "<script>" not in page.text


def test_what_is_shown_of_a_request_is_chosen_in_its_address(
    app: FastAPI, ann: Person, ben: Person
) -> None:
    done(ann, ben, insert("S1"), insert("S2"))
    edits = (set_("S2", "min_qty", 5), set_("S1", "target_pct", 90), insert("S3"))
    place = DESK.format(proposed(ann, *edits)["number"])
    reviewer = Browser(app, "ben")

    def rows(query: str) -> list[str]:
        diff = section(read(reviewer, f"{place}?{query}").text, "diff").partition("</form>")[2]
        return re.findall(r'<td data-label="Row">.*?>(S\d)<', diff)

    assert rows("op=insert&in_column=&only=&sort=") == ["S3"]
    assert rows("in_column=target_pct") == ["S1"]
    assert rows("op=set&sort=row") == ["S1", "S2"]
    page = read(reviewer, f"{place}?only=conflict").text
    assert "No change of this request is like this." in page
    assert f'<a href="{place}#diff">All of it</a>' in page
    assert '<option value="conflict" selected>' in page
