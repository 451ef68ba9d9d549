"""The API beside a shop: what a change request would do to shelves, and what came of a merged one."""

from __future__ import annotations

from datetime import date
from functools import partial
from pathlib import Path

import pytest

from lakeshelf.governance.api.app import application
from lakeshelf.governance.publication import following
from lakeshelf.governance.services.context import Context
from lakeshelf.governance.services.shop.running import Shop
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare.registry import discover
from tests.cli.shop.told_shop import SHELF, write_all
from tests.governance.api.people import DATA, REQUESTS, Person, issue
from tests.governance.api.test_life import act, insert, proposed
from tests.governance.services.conftest import DATASET, PROJECT

pytestmark = pytest.mark.timeout(300)


def test_effect_and_outcome_of_a_change_are_told(context: Context) -> None:
    assert context.root.folder is not None
    write_all(context.root.folder)
    jobs = discover(load_settings().home)
    app = application(context, Shop(lambda: jobs, lambda: date(2026, 3, 1), lambda _: "id"))
    ann, ben = (Person(app, issue(context, name, name)) for name in ("ann", "ben"))
    session = f"/api/v1/live_sessions/{ann.post(f'{DATA}/live_sessions')['id']}"
    [nothing] = ann.get(f"{session}/effect")
    assert nothing["shelves"] == []
    edits = [insert(SHELF, threshold_pct=100, target_pct=100, min_qty=9)]
    ann.post(f"{session}/edits", {"edits": edits})
    [before] = ann.get(f"{session}/effect")
    assert ben.refused("GET", f"{session}/effect") == "not_found"
    request = ann.post(f"{session}/submit", {"title": "x"})
    path = f"{REQUESTS}/{request['number']}"
    [effect] = ben.get(f"{path}/effect")
    assert effect == before
    assert (effect["location"], effect["known"], effect["as_of"]) == ("store", True, "2026-03-01")
    assert effect["totals"]["low"]["then"] == 1
    assert ben.refused("GET", f"{path}/outcome") == "transition_refused"
    act(ben, request, "approve")
    act(ben, request, "merge")
    came = ben.get(f"{path}/outcome")
    assert (came["counts"]["merged"], came["total"]) == (1, 1)
    assert [one["state"] for one in came["keys"]] == ["merged"]


def test_where_no_shop_runs_no_effect_is_told(ann: Person) -> None:
    request = proposed(ann, insert("S1"))
    session = ann.post(f"{DATA}/live_sessions")["id"]
    for place in (f"{REQUESTS}/{request['number']}", f"/api/v1/live_sessions/{session}"):
        assert ann.refused("GET", f"{place}/effect") == "request_invalid"


def test_an_owner_has_the_publisher_send_everything_again(context: Context, tmp_path: Path) -> None:
    shop = Shop(publish_again=partial(following.ask_for_all, tmp_path))
    app = application(context, shop)
    ann, ben = (Person(app, issue(context, name, name)) for name in ("ann", "ben"))
    assert ben.refused("POST", f"{DATA}/publish_again") == "forbidden"
    assert not following._asked(tmp_path, f"{PROJECT}/{DATASET}").exists()
    assert ann.post(f"{DATA}/publish_again")["id"] == DATASET
    assert following._asked(tmp_path, f"{PROJECT}/{DATASET}").exists()
    with context.metadata.reading() as tx:
        newest = tx.audit.head(PROJECT)
    assert newest is not None
    assert (newest.action, newest.user) == ("dataset.publish_again", "ann")


def test_where_no_publisher_runs_nothing_is_sent_again(ann: Person) -> None:
    assert ann.refused("POST", f"{DATA}/publish_again") == "request_invalid"
