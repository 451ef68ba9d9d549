"""Terms of leases where something went wrong before: a start failed, a lease was removed, several ran out."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.errors import BrokerError
from lakeshelf.lake.place import leases
from lakeshelf.lake.place.errors import Conflict, LeaseLost
from lakeshelf.lake.place.leases import QueryLease, Tenure
from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings, load_settings
from lakeshelf.streams.commit.committers import spark as committers
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.resume import checkpoint, continuity, leasing, starting
from lakeshelf.streams.resume.leasing import QueryLeases
from lakeshelf.streams.resume.starting import CheckpointStart
from lakeshelf.streams.run.query import RunningQuery
from tests.streams import harness

SECONDS = 20.0


class Session:
    """As much of a session as a committer tells its lease to."""

    def __init__(self) -> None:
        self.conf: Any = self
        self.sparkContext: Any = self
        self.defaultParallelism = 4
        self.told: dict[str, str] = {}

    def set(self, name: str, value: str) -> None:
        self.told[name] = value


def test_sparks_log_store_is_told_which_lease_it_shall_ask_for(root: str) -> None:
    lease = QueryLease(root, "query", "one", SECONDS)
    lease.try_to_take()
    session: Any = Session()
    SparkCommitter(root, Tenure(lease, lease.term)).attend(session)
    assert session.told[committers.LEASE_CONF] == root.replace("s3:", "s3a:") + (
        "/_leases/query.json"
    )
    assert session.told[committers.TERM_CONF] == "1"


def test_without_a_lease_the_log_store_asks_for_none(tmp_path: Path) -> None:
    session: Any = Session()
    SparkCommitter(tmp_path).attend(session)
    assert committers.LEASE_CONF not in session.told


@pytest.mark.slow
def test_a_lease_that_was_removed_begins_above_the_terms_that_tables_hold(root: str) -> None:
    made = harness.folding()
    harness.make(root, made)
    settings = load_settings(lake_root=root)
    before = QueryLease(root, made.name, "one", SECONDS)
    for _ in range(3):
        assert before.try_to_take()
    leasing.fence(made, settings, before)
    before._file.unlink()
    after = QueryLease(root, made.name, "other", SECONDS)
    assert after.try_to_take()
    assert leasing.fence(made, settings, after).term == 4
    after.require(4)
    with pytest.raises(LeaseLost):
        before._renew()
    handle = tables.open_table(root, made.tables[0])
    assert handle.transaction_version(after.app_id) == 4


def test_a_term_rises_for_its_holder_alone(root: str) -> None:
    one, other = (QueryLease(root, "query", name, SECONDS) for name in ("one", "other"))
    one.try_to_take()
    one.release()
    other.try_to_take()
    with pytest.raises(LeaseLost, match="it is not held"):
        one.go_above(7)
    other.go_above(1)
    assert other.term == 2
    other.go_above(7)
    assert other.term == 8
    other.require(8)


def test_leases_that_run_out_are_waited_for_together(root: str, tmp_path: Path) -> None:
    """A driver that was killed leaves as many as it ran, and each lasts as long as it is watched."""
    plans = [harness.folding(), harness.watching()]
    plans.append(harness.deciding())
    settings = load_settings(lake_root=root, state_dir=tmp_path, lease_seconds=2)
    for found in plans:
        QueryLease(root, found.name, "gone", 2.0).try_to_take()
    wanted, began = QueryLeases(plans, settings), time.monotonic()
    try:
        wanted.take_all()
    finally:
        wanted.release()
    assert time.monotonic() - began >= 2


def test_a_driver_with_longer_leases_is_waited_for_as_long_as_they_last(
    root: str, tmp_path: Path
) -> None:
    made = harness.folding()
    settings = load_settings(lake_root=root, state_dir=tmp_path, lease_seconds=1)
    QueryLease(root, made.name, "gone", 3.0).try_to_take()
    wanted = QueryLeases([made], settings)
    try:
        wanted.take_all()
    finally:
        wanted.release()


def test_a_bucket_that_answers_late_makes_no_driver_of_one_that_is_gone(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lease is watched from the first answer on, so nobody is said to have it before it was watched long enough."""
    made = harness.folding()
    settings = load_settings(lake_root=root, state_dir=tmp_path, lease_seconds=1)
    QueryLease(root, made.name, "gone", 1.0).try_to_take()
    look, late = QueryLease.try_to_take, iter([True])

    def looked(lease: QueryLease) -> bool:
        if next(late, False):
            threading.Event().wait(0.9)
        return look(lease)

    monkeypatch.setattr(QueryLease, "try_to_take", looked)
    wanted = QueryLeases([made], settings)
    try:
        wanted.take_all()
    finally:
        wanted.release()


def test_where_no_clock_counts_sleep_by_name_the_monotonic_one_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    assert leases.boottime() > 0


def test_a_start_that_failed_does_not_go_on_in_the_checkpoint_of_another_term(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka does not answer when a driver has just taken over."""
    made = harness.folding()
    settings: Settings = load_settings(lake_root=root, state_dir=tmp_path)
    checkpoint.begin(settings.checkpoint_dir, made.name, {"t": {"0": 7}})
    lease = QueryLease(root, made.name, "one", SECONDS)
    lease.try_to_take()
    query: Any = RunningQuery(made, settings, None, {}, lease=lease)  # type: ignore[arg-type]

    def unanswered(*_: object) -> None:
        raise BrokerError("Kafka does not answer")

    with monkeypatch.context() as silent:
        silent.setattr(continuity, "examine", unanswered)
        with pytest.raises(BrokerError):
            query._place()
    standing = continuity.Standing(continuity.Account(), {}, None, {}, ())
    start = CheckpointStart(made.name, "another term", "app", 3, {"t": {"0": 9}})
    monkeypatch.setattr(continuity, "examine", lambda *_: standing)
    monkeypatch.setattr(starting, "behind_ledger", lambda *_: start)
    assert query._place().starting == {"t": {"0": 9}}
    assert query._place().starting == {"t": {"0": 9}}, "and it goes on there under that term"
    assert checkpoint.current(settings.checkpoint_dir, made.name).base == 3


def test_two_that_begin_a_checkpoint_never_share_one(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one was stopped before Spark had written anything."""
    place = load_settings(lake_root=root, state_dir=tmp_path).checkpoint_dir
    first = checkpoint.begin(place, "query", {})
    second = checkpoint.begin(place, "query", {})
    assert first.path != second.path
    listed = checkpoint.generations

    def overtaken(*place: Any) -> list[int]:
        monkeypatch.setattr(checkpoint, "generations", listed)
        checkpoint.begin(*place, {"t": {"0": 7}})
        return listed(*place)

    monkeypatch.setattr(checkpoint, "generations", overtaken)
    with pytest.raises(Conflict):
        checkpoint.begin(place, "query", {})
    assert checkpoint.current(place, "query").starting == {"t": {"0": 7}}


def test_who_lost_the_lease_while_it_began_leaves_the_checkpoint_in_force(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = harness.folding()
    settings = load_settings(lake_root=root, state_dir=tmp_path)
    begun = checkpoint.begin(settings.checkpoint_dir, made.name, {"t": {"0": 7}})
    lease = QueryLease(root, made.name, "one", SECONDS)
    lease.try_to_take()
    query: Any = RunningQuery(made, settings, None, {}, lease=lease)  # type: ignore[arg-type]
    start = CheckpointStart(made.name, "another term", "app", 3, {"t": {"0": 9}})

    def slow(*_: object) -> continuity.Standing:
        lease.release()
        return continuity.Standing(continuity.Account(), {}, None, {}, ())

    monkeypatch.setattr(continuity, "examine", slow)
    monkeypatch.setattr(starting, "behind_ledger", lambda *_: start)
    with pytest.raises(LeaseLost):
        query._place()
    assert checkpoint.current(settings.checkpoint_dir, made.name) == begun
