"""Leases of queries in a bucket: one driver has one, by no clock but its own, and a late commit is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place.errors import Conflict, LeaseLost, StorageError
from lakeshelf.lake.place.leases import LEASES, QueryLease, Tenure
from lakeshelf.lake.rows import reading, tables
from lakeshelf.lake.write import writing
from lakeshelf.settings import load_settings
from lakeshelf.stack.observing import processes
from lakeshelf.streams.commit.committers.driver import DriverCommitter
from lakeshelf.streams.resume import leasing
from lakeshelf.telemetry.serving import served
from tests.streams import harness

from .conftest import SECRET, TOKEN
from .serving import Server
from .test_driver import wh_state

NAME = "cleansed/wh_state"
COUNTS, ROW = "curated/counts", pa.table({"n": [1]})
SECONDS = 20.0


class Clock:
    """A clock of one host, which begins wherever it does."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


Wanted = Callable[..., tuple[QueryLease, Clock]]


@pytest.fixture
def wanted(root: str) -> Wanted:
    """Makes a driver that wants the lease of a query, with a clock of its own."""

    def make(owner: str, now: float = 0.0, at: str = root) -> tuple[QueryLease, Clock]:
        clock = Clock(now)
        return QueryLease(at, "query", owner, SECONDS, clock), clock

    return make


def test_one_driver_has_it_and_another_stands_by(wanted: Wanted) -> None:
    one, _ = wanted("one")
    other, clock = wanted("other")
    assert one.try_to_take()
    assert not other.try_to_take()
    assert str(other.holder).startswith("a driver on ")
    clock.now += SECONDS - 1
    assert not other.try_to_take()


def test_one_that_is_not_renewed_is_taken_by_the_watchers_own_clock(wanted: Wanted) -> None:
    """An hour between the clocks of two hosts is neither a reason to take a lease nor one to keep it."""
    one, _ = wanted("one", now=3600.0)
    other, clock = wanted("other", now=0.0)
    assert one.try_to_take()
    assert not other.try_to_take()
    clock.now += SECONDS
    assert other.try_to_take()
    assert (one.term, other.term) == (1, 2)


def test_each_renewal_begins_the_watch_anew(wanted: Wanted) -> None:
    one, ones = wanted("one")
    other, others = wanted("other")
    one.try_to_take()
    for _ in range(5):
        assert not other.try_to_take()
        ones.now += SECONDS / 2
        others.now += SECONDS / 2
        one.renew_if_due()
    assert one.is_held


def test_a_holder_that_slept_finds_it_lost_and_says_who_has_it(wanted: Wanted) -> None:
    one, ones = wanted("one")
    other, others = wanted("other")
    one.try_to_take()
    other.try_to_take()
    others.now += SECONDS
    assert other.try_to_take()
    ones.now += 10 * SECONDS
    with pytest.raises(LeaseLost, match=r"lost its lease: .* a driver on .* \(term 2\) has it"):
        one.require(1)
    assert not one.is_held
    other.require(2)


def test_what_was_begun_under_a_term_ends_with_it(wanted: Wanted) -> None:
    one, _ = wanted("one")
    one.try_to_take()
    first = Tenure(one, one.term)
    one.release()
    assert one.try_to_take()
    with pytest.raises(LeaseLost, match="term 1 is over"):
        first.require()
    assert one.is_held
    Tenure(one, one.term).require()


def test_it_is_free_at_once_when_it_was_given_back_or_was_ours(wanted: Wanted) -> None:
    one, _ = wanted("one")
    other, _ = wanted("other")
    one.try_to_take()
    one.release()
    assert other.try_to_take()
    again, _ = wanted("other")  # the next process of a driver that was killed
    assert again.try_to_take()
    assert again.term == 3
    with pytest.raises(LeaseLost):
        other.require(1)


def test_of_two_that_want_it_at_once_one_has_it(wanted: Wanted) -> None:
    gone, _ = wanted("gone")
    gone.try_to_take()
    rivals = [wanted(name) for name in ("one", "other")]
    for lease, clock in rivals:
        lease.try_to_take()
        clock.now += SECONDS
    assert [lease.try_to_take() for lease, _ in rivals] == [True, False]


def test_a_lost_answer_to_a_renewal_loses_nothing(wanted: Wanted, server: Server) -> None:
    one, clock = wanted("one", at=f"s3://{server.bucket('deaf')}/lake")
    one.try_to_take()
    clock.now += SECONDS / 2
    one.renew_if_due()
    one.require(1)


def test_a_bucket_that_is_not_there_is_named(wanted: Wanted) -> None:
    one, _ = wanted("one", at="s3://nowhere-to-be-found/lake")
    with pytest.raises(StorageError, match="bucket nowhere-to-be-found"):
        one.try_to_take()


@pytest.mark.parametrize("key", ["DENIEDTESTS", "WRONGTESTS", "EXPIREDTESTS"])
def test_who_may_not_write_there_is_told_in_one_line(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    one, _ = wanted("one")
    with pytest.raises(StorageError) as refused:
        one.try_to_take()
    assert "query.json cannot be read" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert TOKEN not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_store_that_is_gone_keeps_the_lease_until_its_time_is_over(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, clock = wanted("one")
    assert one.try_to_take()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    clock.now += SECONDS / 2
    one.renew_if_due()
    one.require(1)
    clock.now += SECONDS
    with pytest.raises(LeaseLost, match="could not be renewed in time"):
        one.renew_if_due()


def test_what_is_no_lease_is_named(wanted: Wanted, root: str) -> None:
    from lakeshelf.lake.place import folders

    folders.write(folders.at(root) / LEASES / "query.json", b"{]")
    one, _ = wanted("one")
    with pytest.raises(StorageError, match=r"query\.json is no lease"):
        one.try_to_take()


@pytest.mark.slow
@pytest.mark.parametrize("opened_before", [True, False])
def test_a_late_commit_of_an_earlier_term_is_refused(root: str, opened_before: bool) -> None:
    """A holder that stops for any time between its look at the lease and its commit."""
    handle = late(root, opened_before=opened_before)
    with pytest.raises(Conflict):
        writing.append(
            handle, COUNTS, ROW, Write.once(Txn("query:x", 7), fence=Txn("lease:query", 1))
        )
    assert tables.row_count(root, COUNTS) == 1


@pytest.mark.slow
@pytest.mark.parametrize("opened_before", [True, False])
def test_without_the_fence_a_late_commit_would_stand(root: str, opened_before: bool) -> None:
    """The guarantee taken away: what refuses it is the term in the table."""
    handle = late(root, opened_before=opened_before)
    writing.append(handle, COUNTS, ROW, Write.once(Txn("query:x", 7)))
    assert tables.row_count(root, COUNTS) == 2


def late(root: str, *, opened_before: bool) -> DeltaTable:
    """A table that another driver has fenced off, as one sees it that was stopped before or after."""
    Lake(root).append(COUNTS, ROW)
    before = tables.open_table(root, COUNTS)
    lease = QueryLease(root, "query", "another", SECONDS)
    lease.try_to_take()
    lease.release()
    lease.try_to_take()
    term = Txn(lease.app_id, lease.term)
    writing.note(tables.open_table(root, COUNTS), COUNTS, Write(txns=(term,), fence=term))
    return before if opened_before else tables.open_table(root, COUNTS)


@pytest.mark.slow
def test_a_committer_commits_under_its_term_alone(root: str) -> None:
    made = harness.folding()
    harness.make(root, made)
    settings = load_settings(lake_root=root)
    lease = QueryLease(root, made.name, "one", SECONDS)
    lease.try_to_take()
    first = DriverCommitter(root, 0, tenure=leasing.fence(made, settings, lease))
    first.upsert(NAME, wh_state(4711), Txn("batch", 0))
    first.settle()
    lease.release()
    lease.try_to_take()
    first.upsert(NAME, wh_state(4712), Txn("batch", 1))
    with pytest.raises(LeaseLost):
        first.settle()
    second = DriverCommitter(root, 0, tenure=leasing.fence(made, settings, lease))
    second.upsert(NAME, wh_state(4713), Txn("batch", 1))
    second.settle()
    handle = tables.open_table(root, NAME)
    assert reading.rows(handle, NAME)["balance"].to_pylist() == [4713]


def test_who_has_a_query_is_asked_wherever_it_runs(root: str) -> None:
    settings = load_settings(lake_root=root, telemetry_port=None)
    members = [{"query": "query", "state": "running", "batch_id": 7}]
    lease = QueryLease(root, "query", "one", SECONDS)
    gone = QueryLease(root, "another", "two", SECONDS)
    with served(settings, "streams", lambda: [], lambda: members) as telemetry:
        lease.tells_at, gone.tells_at = telemetry.address, "http://127.0.0.1:1"
        lease.try_to_take()
        gone.try_to_take()
        asked = processes.led(settings)
    assert asked["query"] == members[0]
    assert asked["another"]["state"] == "down"
    assert "does not answer at http://127.0.0.1:1" in asked["another"]["error"]
    gone.release()
    assert set(processes.led(settings)) == {"query"}


def test_a_lake_on_a_disk_asks_nobody_elsewhere(tmp_path: Path) -> None:
    assert processes.led(load_settings(lake_root=tmp_path)) == {}
