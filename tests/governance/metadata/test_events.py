"""Events are seen in the order of their numbers, and none is passed over."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from lakeshelf.governance.metadata import Metadata, Transaction
from lakeshelf.governance.metadata.database import engines
from lakeshelf.governance.metadata.database.records import Records
from lakeshelf.governance.metadata.tables.events import Webhook
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import EVENT, HOUR, code, open_shop
from tests.governance.postgres import Postgres

HOOK = Webhook("h1", "retail", "https://hooks.example/x", "signs", (), "ann", NOW)
WAITING = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
SHARED = settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Undone(Exception):
    """A transaction that comes to nothing."""


def write(metadata: Metadata, transactions: list[tuple[int, bool]]) -> None:
    """Each writes some events, and is undone or not."""
    for count, kept in transactions:
        try:
            with metadata.transaction() as tx:
                for _ in range(count):
                    tx.events.add(EVENT)
                if not kept:
                    raise Undone
        except Undone:
            continue


def tail(metadata: Metadata, from_: int, written: threading.Event) -> list[int]:
    """Numbers as a reader sees them who goes on after the last one it saw, until all is written."""
    seen = [from_]
    ended = False
    while not ended:
        ended = written.is_set()
        with metadata.reading() as tx:
            seen += [event.number for event in tx.events.after(seen[-1])]
    return seen


@SHARED
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=4), max_size=4))
def test_a_reader_who_goes_on_after_the_last_number_passes_over_none(
    metadata: Metadata, writers: list[list[tuple[int, bool]]]
) -> None:
    with metadata.reading() as tx:
        from_ = tx.events.newest()
    written = threading.Event()
    with ThreadPoolExecutor(5) as threads:
        reader = threads.submit(tail, metadata, from_, written)
        try:
            list(threads.map(write, [metadata] * len(writers), writers, timeout=300))
        finally:
            written.set()
        kept = sum(count for writer in writers for count, kept in writer if kept)
        assert reader.result(300) == list(range(from_, from_ + kept + 1))


def two_at_once(server: Postgres, metadata: Metadata) -> list[int]:
    """Two transactions of which the first ends last, unless the second waits for it; what a reader sees."""
    first_wrote, looked = threading.Event(), threading.Event()

    def first() -> None:
        with metadata.transaction() as tx:
            tx.events.add(EVENT)
            first_wrote.set()
            assert looked.wait(60)

    def second() -> None:
        assert first_wrote.wait(60)
        with metadata.transaction() as tx:
            tx.events.add(EVENT)

    def look(after: int) -> list[int]:
        with metadata.reading() as tx:
            return [event.number for event in tx.events.after(after)]

    with ThreadPoolExecutor(2) as threads:
        ends_late, ends_early = threads.submit(first), threads.submit(second)
        while not ends_early.done() and not server.run(WAITING):
            assert not ends_late.done()
        seen = look(0)
        looked.set()
        ends_late.result(60)
        ends_early.result(60)
    return seen + look(max(seen, default=0))


def test_a_transaction_that_ends_late_is_not_passed_over(postgres: Postgres) -> None:
    with Metadata.open(postgres.create()) as metadata:
        assert two_at_once(postgres, metadata) == [1, 2]


def test_numbers_of_a_sequence_without_the_lock_would_be_passed_over(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the lock is there for: numbers are given in one order, and seen in another."""
    with Metadata.open(postgres.create()) as metadata:
        with metadata.transaction() as tx:
            tx._connection.execute(text("CREATE SEQUENCE numbers"))
        monkeypatch.setattr(engines, "lock_writers", lambda connection: None)
        number = text("SELECT nextval('numbers')")
        monkeypatch.setattr(Records, "next", lambda _, c, *rest: c.execute(number).scalar_one())
        assert two_at_once(postgres, metadata) == [2]


def some_events(tx: Transaction, count: int) -> None:
    for number in range(count):
        tx.events.add(replace(EVENT, project=("retail", "")[number % 2]))


def test_events_are_read_by_project(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        some_events(tx, 5)
        assert [e.number for e in tx.events.after(1)] == [2, 3, 4, 5]
        assert [e.number for e in tx.events.after(0, projects=["retail"])] == [1, 3, 5]
        assert [e.number for e in tx.events.after(0, projects=[], limit=3)] == []
        assert [e.number for e in tx.events.after(0, limit=2)] == [1, 2]


def test_a_reader_whose_place_is_gone_is_told_to_begin_anew(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        assert tx.events.follows(0)
        assert not tx.events.follows(1)
        some_events(tx, 4)
        tx.events.add(replace(EVENT, happened_at=NOW + HOUR))
        assert tx.events.forget(NOW) == 4
        assert [n for n in range(-1, 8) if tx.events.follows(n)] == [4, 5]


def test_a_number_is_never_given_twice_although_events_are_forgotten(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        some_events(tx, 3)
        assert tx.events.forget(NOW + HOUR) == 2
        assert tx.events.add(EVENT).number == 4


def test_people_are_told_once_and_read_what_they_were_told(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        for number in (1, 2):
            tx.events.tell(tx.events.add(EVENT), ["ben", "ann", "ben"])
            assert next(event.number for _, event in tx.events.notices("ben")) == number
        assert tx.events.read("ben", 1, NOW) == 1
        assert [event.number for _, event in tx.events.notices("ben", unread=True)] == [2]
        assert [event.number for _, event in tx.events.notices("ben", limit=1)] == [2]
        assert tx.events.forget(NOW) == 1
        assert [event.number for _, event in tx.events.notices("ann")] == [2]


def test_an_act_is_an_event_a_link_of_the_audit_a_message_and_a_notice_or_nothing(
    metadata: Metadata,
) -> None:
    def act(kept: bool) -> None:
        with metadata.transaction() as tx:
            tx.record(
                "cr.approved",
                user="ann",
                at=NOW,
                project="retail",
                dataset="wh_policies",
                request=1,
                request_id="r1",
                details={"revision": 2**70},
                tell=["ben"],
            )
            if not kept:
                raise Undone

    with metadata.transaction() as tx:
        open_shop(tx)
        tx.outbox.add(HOOK)
    for kept in (False, True):
        try:
            act(kept)
        except Undone:
            continue
    with metadata.reading() as tx:
        (event,) = tx.events.after(0)
        (link,) = tx.audit.after("retail", user="ann", request=1)
        assert event.body == link.details == {"revision": 2**70}
        assert (link.action, link.request_id) == ("cr.approved", "r1")
        assert [n.event for n, _ in tx.events.notices("ben")] == [event.number]
        assert [d.event for d in tx.outbox.deliveries("h1")] == [event.number]


def test_a_message_is_claimed_by_one_sent_again_and_given_up(metadata: Metadata) -> None:
    minute = timedelta(minutes=1)
    with metadata.transaction() as tx:
        open_shop(tx)
        tx.outbox.add(HOOK)
        tx.outbox.add(replace(HOOK, id="h2", kinds=("dataset",)))
        event = tx.events.add(EVENT)
        assert [d.webhook for d in tx.outbox.send(event)] == ["h1"]
        (claimed,) = tx.outbox.claim(NOW, NOW + minute, 10)
        assert claimed.attempts == 1
        assert tx.outbox.claim(NOW, NOW + minute, 10) == []
        (again,) = tx.outbox.claim(NOW + minute, NOW + 2 * minute, 10)
        tx.outbox.failed(again, "503", NOW + HOUR)
        (last,) = tx.outbox.claim(NOW + HOUR, NOW + 2 * HOUR, 10)
        assert (last.attempts, last.error) == (3, "503")
        tx.outbox.arrived(last, NOW + HOUR)
        tx.outbox.failed(again, "late news", NOW + HOUR)
        assert tx.outbox.claim(NOW + 3 * HOUR, NOW + 4 * HOUR, 10) == []
        (done,) = tx.outbox.deliveries("h1")
        assert (done.delivered_at, done.error) == (NOW + HOUR, None)


def test_a_webhook_gets_kinds_and_families_and_nothing_about_webhooks(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        open_shop(tx)
        for name, kinds in (("all", ()), ("kind", ("cr.merged",)), ("family", ("cr",))):
            tx.outbox.add(replace(HOOK, id=name, kinds=kinds))
        sent = {
            kind: sorted(
                d.webhook for d in tx.outbox.send(tx.events.add(replace(EVENT, kind=kind)))
            )
            for kind in ("cr.merged", "cr.approved", "dataset.created", "webhook.given_up")
        }
    assert sent == {
        "cr.merged": ["all", "family", "kind"],
        "cr.approved": ["all", "family"],
        "dataset.created": ["all"],
        "webhook.given_up": [],
    }


def test_a_webhook_that_is_switched_off_or_removed_gets_nothing(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        open_shop(tx)
        tx.outbox.add(HOOK)
        tx.outbox.send(tx.events.add(EVENT))
        (claimed,) = tx.outbox.claim(NOW, NOW + HOUR, 10)
        assert tx.outbox.is_due(NOW + HOUR)
        tx.outbox.switch(HOOK, NOW)
        assert not tx.outbox.failed(claimed, "503", NOW + HOUR)
        assert tx.outbox.send(tx.events.add(EVENT)) == []
        assert tx.outbox.claim(NOW, NOW + HOUR, 10) == []
        assert tx.outbox.claim(NOW + HOUR, NOW + 2 * HOUR, 10) == []
        assert tx.outbox.webhook("retail", "h1").disabled_at == NOW
        assert tx.outbox.switch(HOOK, None).disabled_at is None
        tx.outbox.remove(HOOK)
        assert tx.outbox.deliveries("h1") == []
        assert code(lambda: tx.outbox.webhook("retail", "h1")) == "not_found"
