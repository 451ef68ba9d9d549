"""A lease has one holder; who was stopped and overtaken can do nothing with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from lakeshelf.governance.metadata import Metadata
from lakeshelf.governance.metadata.leases import Leases
from lakeshelf.governance.metadata.tables.work import Lease
from tests.governance.conftest import NOW
from tests.governance.metadata.shop import HOUR, code, open_shop, pending

HOME = Path(__file__).parents[3]


@contextmanager
def holder(place: Path | str) -> Iterator[subprocess.Popen[str]]:
    """A process that has taken the lease."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.governance.metadata.holder", str(place)],
        cwd=HOME,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "taken\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def stopped_overtaken_and_woken(place: Path | str, metadata: Metadata) -> str:
    """What a process comes to that is stopped under its lease, while another takes it."""
    with metadata.transaction() as tx:
        open_shop(tx)
        pending(tx)
    with holder(place) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        with metadata.transaction() as tx:
            assert tx.leases.take("merge", "second", NOW, HOUR) is None, "its time is not over"
            lease = tx.leases.take("merge", "second", NOW + HOUR, HOUR)
            assert lease is not None
            assert lease.number == 2
        os.kill(process.pid, signal.SIGCONT)
        answer, _ = process.communicate("go on\n", timeout=120)
    with metadata.reading() as tx:
        assert tx.leases.find("merge") == lease
    return answer.strip()


@pytest.mark.slow
def test_a_holder_that_was_stopped_and_overtaken_writes_nothing(
    database: Path | str, metadata: Metadata
) -> None:
    assert stopped_overtaken_and_woken(database, metadata) == "state_changed"
    with metadata.reading() as tx:
        assert tx.requests.get("retail", 1).status == "pending_review"


@pytest.mark.slow
def test_a_holder_that_was_stopped_for_too_long_and_not_overtaken_goes_on(
    database: Path | str, metadata: Metadata
) -> None:
    with metadata.transaction() as tx:
        open_shop(tx)
        pending(tx)
    with holder(database) as process:
        os.kill(process.pid, signal.SIGSTOP)
        os.kill(process.pid, signal.SIGCONT)
        answer, _ = process.communicate("go on\n", timeout=120)
    assert answer == "merged\n"


def test_a_lease_is_taken_renewed_and_given_back(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        assert tx.leases.find("merge") is None
        lease = tx.leases.take("merge", "first", NOW, HOUR)
        assert lease == Lease("merge", "first", 1, NOW + HOUR, NOW)
        assert tx.leases.take("merge", "second", NOW, HOUR) is None
        assert tx.leases.take("merge", "first", NOW, HOUR) is None, "a name may be used twice"
        renewed = tx.leases.renew(lease, NOW + HOUR / 2, HOUR)
        assert renewed == Lease("merge", "first", 1, NOW + HOUR * 1.5, NOW + HOUR / 2)
        assert tx.leases.take("merge", "second", NOW + HOUR, HOUR) is None
        tx.leases.give_back(renewed)
        assert code(lambda: tx.leases.require(renewed)) == "state_changed"
        second = tx.leases.take("merge", "second", NOW, HOUR)
        assert second == Lease("merge", "second", 2, NOW + HOUR, NOW)


def test_who_was_overtaken_cannot_renew_use_or_give_back(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        first = tx.leases.take("merge", "first", NOW, HOUR)
        assert first is not None
        second = tx.leases.take("merge", "second", NOW + HOUR, HOUR)
        assert second is not None
        assert code(lambda: tx.leases.renew(first, NOW, HOUR)) == "state_changed"
        assert code(lambda: tx.leases.require(first)) == "state_changed"
        tx.leases.give_back(first)
        assert tx.leases.find("merge") == second
        tx.leases.require(second)


def test_the_number_tells_two_holders_of_one_name_apart(metadata: Metadata) -> None:
    with metadata.transaction() as tx:
        first = tx.leases.take("merge", "same", NOW, HOUR)
        assert first is not None
        assert tx.leases.take("merge", "same", NOW + HOUR, HOUR)
        assert code(lambda: tx.leases.require(first)) == "state_changed"


def test_of_eight_who_take_a_lease_at_once_one_has_it(metadata: Metadata) -> None:
    def take(name: str) -> bool:
        with metadata.transaction() as tx:
            return tx.leases.take("merge", name, NOW, HOUR) is not None

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(take, [f"p{n}" for n in range(8)], timeout=300)) == 1


def test_without_the_number_a_woken_holder_of_the_same_name_would_go_on(
    metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Leases._held
    monkeypatch.setattr(Leases, "_held", staticmethod(lambda lease: held(lease)[:2]))
    with metadata.transaction() as tx:
        first = tx.leases.take("merge", "same", NOW, HOUR)
        assert first is not None
        second = tx.leases.take("merge", "same", NOW + HOUR, HOUR)
        assert second == replace(first, number=2, deadline=NOW + 2 * HOUR, heartbeat_at=NOW + HOUR)
        tx.leases.require(first)
