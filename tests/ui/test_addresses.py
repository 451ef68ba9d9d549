"""Addresses that nobody meant: a page says in one sentence what is wrong with its address, and stays a page."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from lakeshelf.governance.domain.editing.accepting import IncomingEdit
from lakeshelf.governance.services.changes import requests, sessions
from lakeshelf.governance.services.context import Context
from lakeshelf.ui.pages import PAGES
from tests.governance.api.floor import shop_template
from tests.governance.services.conftest import ANN, DATASET, PROJECT
from tests.ui import everybody, steward
from tests.ui.everybody import Everybody

__all__ = ["shop_template"]
NO_NUMBERS = ("abc", "-1", "1e3", "1.5", "9" * 20, "\u0663", "0x10", " ", "2 3")
ODD = ("abc", "-1", "0", "1e3", "9" * 20, "\u0663", " ")
"""Numbers in the path of an address, where nothing is."""
SNAPSHOTS = ("version=999", "snapshot=none", "snapshot=a&snapshot=b", "snapshot=a&version=1")
NUMBERS = {page.path: page.numbers for page in PAGES if page.numbers}
"""Page → parameters of its address that are whole numbers."""


@pytest.fixture
def all_(context: Context, shop_template: Path) -> Iterator[Everybody]:
    with everybody.pages(context, shop_template, []) as app:
        yield everybody.everybody(app, context, [])


def read(all_: Everybody, place: str) -> tuple[int, bool]:
    """Status of a page, and whether it has its head and says something."""
    answer = all_.browsers["owner"].call("GET", place, Accept="text/html")
    is_page = all(part in answer.text for part in ("<nav", "<h1>", 'class="who"'))
    return answer.status_code, is_page


def test_what_is_no_number_of_a_page_is_said_by_the_page(all_: Everybody) -> None:
    assert NUMBERS
    for path, names in NUMBERS.items():
        place = all_.addresses(path)[0]
        start = f"{place}{'&' if '?' in place else '?'}"
        for name, value in product(names, NO_NUMBERS):
            asked = start + urlencode({name: value})
            assert read(all_, asked) == (400, True), asked
        for name in names:
            asked = f"{start}{name}=1&{name}=2"
            assert read(all_, asked) == (400, True), asked


def test_a_page_leads_to_itself_without_what_is_wrong_of_its_address(all_: Everybody) -> None:
    place = f"/data/{PROJECT}/{DATASET}"
    answer = all_.browsers["owner"].call("GET", f"{place}?sort=x&version=1e3", Accept="text/html")
    assert (
        "version is &#39;1e3&#39; in the address, and no whole number: leave it out." in answer.text
    )
    assert f'<a href="{place}?sort=x">The page without it</a>' in answer.text


def test_a_snapshot_that_is_none_is_not_shown_as_the_rows_of_now(all_: Everybody) -> None:
    place = f"/data/{PROJECT}/{DATASET}"
    for query in SNAPSHOTS:
        status, is_page = read(all_, f"{place}?{query}")
        assert (status in {400, 404}, is_page) == (True, True), query
    for query in ("", "?version=0", "?version="):
        assert read(all_, place + query) == (200, True), query


def test_numbers_in_the_path_that_nothing_has_are_not_there(all_: Everybody) -> None:
    for value in map(quote, ODD):
        for place in (f"/reviews/{PROJECT}/{value}", f"/models/{value}"):
            status, is_page = read(all_, place)
            assert (status in {400, 404}, is_page) == (True, True), place


def test_a_page_is_itself_where_what_stands_beside_is_refused(
    all_: Everybody, context: Context
) -> None:
    """As the effect on shelves is of a dataset that none obeys."""
    steward.made(context, 3)
    session = sessions.open_session(context, ANN, PROJECT, steward.DATASET)
    edits = [IncomingEdit("e1", "set", "K000001", "threshold_pct", 20)]
    assert not sessions.edit(context, ANN, session.id, edits).refusals
    number = requests.submit_session(context, ANN, session.id, title="x").number
    for query in ("", "?offset=0", "?remarks=0"):
        assert read(all_, f"/reviews/{PROJECT}/{number}{query}") == (200, True), query
