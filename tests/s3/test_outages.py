"""A bucket that does not answer, or holds what is no lease of ours, and a rebuild that has not ended."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.errors import StreamError
from lakeshelf.lake.place import folders
from lakeshelf.lake.place.errors import LeaseLost, StorageError
from lakeshelf.lake.place.leases import LEASES, Holder, QueryLease
from lakeshelf.lake.place.object_stores import REQUEST_S
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.streams.declare import plan
from lakeshelf.streams.recover import recovery
from lakeshelf.streams.resume import checkpoint, leasing, starting
from lakeshelf.streams.run.query import RunningQuery
from tests.streams import harness
from tests.streams.recover.test_recovery import BOOKS, FIRST, folding_jobs

from .serving import Server
from .test_leases import Clock

SECONDS = 20.0


def lease(root: str, owner: str, clock: Clock) -> QueryLease:
    return QueryLease(root, "query", owner, SECONDS, clock)


def test_an_outage_counts_for_nobody(
    root: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever watches a lease could see no renewal then, and its holder could make none."""
    clock = Clock(0.0)
    one, other = lease(root, "one", clock), lease(root, "other", clock)
    one.try_to_take()
    assert not other.try_to_take()
    with monkeypatch.context() as gone:
        gone.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        clock.now += SECONDS - 1
        with pytest.raises(StorageError):
            other.try_to_take()
        clock.now += 60
    assert not other.try_to_take()
    one.renew_if_due()
    one.require(1)
    clock.now += SECONDS - 1
    assert not other.try_to_take()
    clock.now += SECONDS
    assert other.try_to_take()


def test_a_checkpoint_in_a_bucket_that_does_not_answer_is_not_damaged(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = checkpoint.begin(f"{root}/_checkpoints", "query", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError):
        begun.query_id()
    with pytest.raises(StorageError):
        checkpoint.current(f"{root}/_checkpoints", "query")


@pytest.mark.slow
def test_a_rebuild_that_another_driver_has_taken_over_stops_and_is_known_to_be_unfinished(
    root: str, tmp_path: Path
) -> None:
    settings = load_settings(lake_root=root, state_dir=tmp_path / "state")
    (made,) = plan.plan(folding_jobs())
    harness.make(root, made)
    for name in BOOKS:
        tables.ensure(root, CATALOG.tables[name])
    harness.Runner(root, ledger=True).run(0, FIRST)
    reports = []

    def taken_over(*progress: object) -> None:
        reports.append(progress)
        other = QueryLease(root, made.name, "other", SECONDS)
        (folders.at(root) / LEASES / f"{made.name}.json").put(Holder(1, "other", "far", 20).text())
        assert other.try_to_take()
        leasing.fence(made, settings, other)

    with pytest.raises(LeaseLost):
        recovery.rebuild(settings, folding_jobs(), taken_over)
    assert len(reports) == 1
    assert starting.rebuild_marker(settings).exists()


def test_a_store_that_hangs_is_given_up_before_a_lease_is_over(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(0.0)
    one = QueryLease(root, "query", "one", 4.0, clock)
    one.try_to_take()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        clock.now += 2
        began = time.monotonic()
        one.renew_if_due()
        assert time.monotonic() - began < REQUEST_S, "less than one request may take elsewhere"
    assert one.is_held


def test_a_lease_that_is_removed_is_lost_and_free(root: str) -> None:
    clock = Clock(0.0)
    one = lease(root, "one", clock)
    one.try_to_take()
    (folders.at(root) / LEASES / "query.json").unlink()  # type: ignore[union-attr]
    clock.now += SECONDS / 2
    with pytest.raises(LeaseLost):
        one.renew_if_due()
    assert lease(root, "other", clock).try_to_take()


def test_what_a_later_release_says_besides_is_no_damage(root: str) -> None:
    file = folders.at(root) / LEASES / "query.json"
    held: dict[str, Any] = {"term": 4, "owner": "one", "host": "there", "seconds": 20.0}
    folders.write(file, json.dumps(held | {"colour": "blue"}).encode())
    other = lease(root, "other", Clock(0.0))
    assert not other.try_to_take()
    assert other.holder is not None
    assert other.holder.term == 4


@pytest.mark.parametrize("damage", [{"term": None}, {"seconds": "soon"}, {"term": "first"}])
def test_a_lease_without_sense_is_named(root: str, damage: dict[str, Any]) -> None:
    file = folders.at(root) / LEASES / "query.json"
    held: dict[str, Any] = {"term": 4, "owner": "one", "host": "there", "seconds": 20.0}
    folders.write(file, json.dumps(held | damage).encode())
    with pytest.raises(StorageError, match=r"query\.json is no lease"):
        lease(root, "other", Clock(0.0)).try_to_take()


def test_who_stood_by_does_not_go_on_amid_a_rebuild(root: str, tmp_path: Path) -> None:
    """The rebuild was killed, or its host slept, and its leases have run out."""
    made = harness.folding()
    settings = load_settings(lake_root=root, state_dir=tmp_path)
    own = QueryLease(root, made.name, "one", SECONDS)
    own.try_to_take()
    query: Any = RunningQuery(made, settings, None, {}, lease=own)  # type: ignore[arg-type]
    folders.write(starting.rebuild_marker(settings), b"{}")
    with pytest.raises(StreamError, match="a rebuild of the lake has not ended"):
        query._place()
    assert not own.is_held
    assert QueryLease(root, made.name, "rebuilds", SECONDS).try_to_take()
