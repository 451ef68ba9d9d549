"""What somebody waits for is made first, and nothing is made before what it reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lakeshelf.contracts import CATALOG
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import registry
from lakeshelf.streams.declare.job import Job, Update, View, relation
from lakeshelf.streams.declare.plan import plan
from lakeshelf.streams.declare.urgency import ordered

TABLES = sorted(CATALOG.tables)[:12]


@st.composite
def jobs(draw: st.DrawFn) -> list[Job]:
    """Jobs whose tables read any others, also later ones."""
    made = []
    for place, table in enumerate(TABLES):
        reads = draw(st.sets(st.sampled_from(TABLES), max_size=3))
        text = " ".join(f"{{{relation(name)}}}" for name in sorted(reads))
        made.append(
            Job(f"job-{place}", "", updates=(View(table, text),), awaited=draw(st.booleans()))
        )
    return made


def reads(one: Update, other: Update) -> bool:
    return isinstance(one, View) and f"{{{relation(other.table)}}}" in one.sql


@given(jobs())
def test_every_table_sees_of_others_what_it_saw_in_the_order_of_declaration(
    made: list[Job],
) -> None:
    order = ordered(made)
    declared = [update for job in made for update in job.updates]
    places = {update.table: n for n, update in enumerate((*order.now, *order.later))}
    assert sorted(places) == sorted(update.table for update in declared)
    for n, later in enumerate(declared):
        for earlier in declared[:n]:
            if reads(later, earlier) or reads(earlier, later):
                assert places[earlier.table] < places[later.table]


@given(jobs())
def test_nothing_stands_before_what_is_awaited_but_what_it_needs(made: list[Job]) -> None:
    awaited = {update.table for job in made if job.awaited for update in job.updates}
    now = ordered(made).now
    assert awaited <= {update.table for update in now}
    for n, update in enumerate(now):
        needed = any(reads(other, update) or reads(update, other) for other in now[n + 1 :])
        assert update.table in awaited or needed


def test_an_alert_of_a_shelf_waits_for_no_table_of_the_back_room_nor_for_raw() -> None:
    query = next(
        q
        for q in plan(registry.discover(load_settings().home).values())
        if "shelf_events" in q.mirrors
    )
    names = [update.table for update in query.ordered.now]
    before = names[: names.index("ops/shelf_alerts")]
    assert "cleansed/shelf_state" in before
    assert not [name for name in before if "wh_" in name]
    assert {update.table for update in query.ordered.later} >= {"curated/product_total_state"}
