"""Whoever asks for maintenance of a job's table in a bucket gets it if no driver runs its query, and a reason else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.lake import Lake
from lakeshelf.lake.form.commits import Txn, Write
from lakeshelf.lake.place import storage
from lakeshelf.lake.place.claims import CLAIM
from lakeshelf.lake.place.errors import Conflict, LeaseLost
from lakeshelf.lake.place.leases import QueryLease
from lakeshelf.lake.rows import tables
from lakeshelf.lake.upkeep import requests
from lakeshelf.lake.write import writing

NAME, QUERY = "cleansed/shelf_state", "shelf-aggregator"
SECONDS = 3.0
"""A lease lasts longer than a busy machine keeps whoever renews it from its work."""


@pytest.fixture
def lease(lake: Lake) -> QueryLease:
    """The lease of a query, taken and written into its table."""
    tables.ensure(lake.root, CATALOG.tables[NAME])
    taken = QueryLease(lake.root, QUERY, "another", SECONDS)
    assert taken.try_to_take()
    term = Txn(taken.app_id, taken.term)
    writing.note(tables.open_table(lake.root, NAME), NAME, Write(txns=(term,), fence=term))
    return taken


@contextmanager
def kept(lease: QueryLease) -> Iterator[None]:
    """A driver that lives renews its lease."""
    stopping = threading.Event()

    def renew() -> None:
        while not stopping.wait(SECONDS / 10):
            lease.renew_if_due()

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()


def asked(lake: Lake, folder: Path) -> str:
    return requests.carry_out(lake, NAME, "optimize", {}, stack=folder / "_stack").by


def test_a_query_that_a_driver_runs_elsewhere_is_named_with_its_host(
    lake: Lake, lease: QueryLease, tmp_path: Path
) -> None:
    with (
        kept(lease),
        pytest.raises(Conflict, match=f"by query {QUERY}, which is run by") as refused,
    ):
        asked(lake, tmp_path)
    assert "on that machine" in str(refused.value.hint)


def test_a_lease_that_was_given_back_or_ran_out_is_in_nobodys_way(
    lake: Lake, lease: QueryLease, tmp_path: Path
) -> None:
    assert asked(lake, tmp_path) == "this process"
    lease.release()
    assert asked(lake, tmp_path) == "this process"


def test_a_table_of_a_query_is_not_claimed_so_that_components_elsewhere_go_on(
    lake: Lake, lease: QueryLease, tmp_path: Path
) -> None:
    lease.release()
    asked(lake, tmp_path)
    assert not storage.has_folder(lake.root, CLAIM)


def test_a_table_of_a_component_is_claimed_as_its_locks_are_elsewhere(
    lake: Lake, tmp_path: Path
) -> None:
    name = next(n for n, t in CATALOG.tables.items() if t.owner == "daily-discount-manager")
    tables.ensure(lake.root, CATALOG.tables[name])
    requests.carry_out(lake, name, "optimize", {}, stack=tmp_path / "_stack")
    assert storage.has_folder(lake.root, CLAIM)


def test_a_write_of_a_term_that_is_over_is_made_once(lake: Lake, lease: QueryLease) -> None:
    """It comes too late for good, and does not wait as for somebody who was quicker."""
    handle = tables.open_table(lake.root, NAME)
    attempts: list[int] = []

    def attempt() -> None:
        attempts.append(1)
        raise LeaseLost("over", hint="")

    with pytest.raises(LeaseLost):
        writing.repeated(handle, attempt)
    assert len(attempts) == 1
