"""A record that no try to process survives: it is found, isolated and told of, and everything else goes on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.status_files import STREAMS
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.recover import quarantine
from lakeshelf.streams.recover.recovery import rebuild
from lakeshelf.streams.run import trials
from lakeshelf.streams.run.trials import SAME_FAILURES
from tests.faults.rig import STOCK, STOCK_JOBS, Rig, red
from tests.support import eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow]

POISON_ID, POISONED_SHELF = "poison-1", "S1-poison"
FOUND_S = 600.0
MOST_DEATHS = 7
Contents = dict[str, list[tuple[Any, ...]]]


def send_poison(rig: Rig, event_id: str = POISON_ID) -> None:
    """An adjustment of a shelf that the receipts do not know."""
    event = {
        "event_id": event_id,
        "event_type": "adjustment",
        "event_time": "2017-01-02T12:00:00.000Z",
        "store_id": "S1",
        "schema_version": 1,
        "shelf_id": POISONED_SHELF,
        "item_id": "I1",
        "quantity": 3,
    }
    publisher = Publisher(rig.client)
    publisher.records("shelf_events", [POISONED_SHELF.encode()], [json.dumps(event).encode()])
    publisher.flush()


def isolated(rig: Rig) -> list[dict[str, Any]]:
    return quarantine.listed(rig.settings.lake_root, reason="unprocessable")


def run_until(rig: Rig, done: Callable[[], bool], *, jobs: str = "", **environment: str) -> int:
    """Start the driver whenever it has ended, as the supervisor does; how often it ended."""
    deaths = 0
    rig.start(jobs=jobs, **environment)

    def seen() -> bool:
        nonlocal deaths
        assert rig.driver is not None
        if rig.driver.poll() is None:
            return done()
        deaths += 1
        rig.start(jobs=jobs, **environment)
        return False

    eventually(seen, "the driver gets so far", FOUND_S)
    rig.stop()
    return deaths


def assert_isolated(rig: Rig, undisturbed: Contents, *, in_raw: bool) -> None:
    """The one record is quarantined, and all others count once."""
    (found,) = isolated(rig)
    assert json.loads(found["value"])["event_id"] == POISON_ID
    assert ("rebuild" in found["detail"]) == in_raw
    if in_raw:
        holding = found["detail"].partition("; ")[2].split()[0]
        assert any(POISONED_SHELF in repr(row) for row in rig.contents()[holding]), holding
        rebuild(rig.settings, rig.jobs.values())
    assert red(rig.reconcile()) == []
    left = {
        name: [row for row in rows if repr(POISON_ID) not in row]
        for name, rows in rig.contents().items()
    }
    assert left == undisturbed


@pytest.mark.parametrize(
    "point",
    ["before_raw", "after_raw", "between_tables", "before_publish", "after_publish"],
)
@pytest.mark.nightly
def test_an_event_that_kills_the_process_is_isolated_and_all_others_count_once(
    rig: Rig, undisturbed: Contents, point: str
) -> None:
    rig.send()
    send_poison(rig)
    poisoned = {"LAKESHELF_POISON": f"{point}@{POISON_ID}"}
    assert run_until(rig, lambda: rig.batches() > 0, jobs=STOCK_JOBS, **poisoned) <= MOST_DEATHS
    assert len(isolated(rig)) == 1
    assert run_until(rig, rig.is_folded, **poisoned) == 0
    assert_isolated(rig, undisturbed, in_raw=point != "before_raw")


def test_an_event_that_fails_each_time_is_isolated_while_other_queries_go_on(
    rig: Rig, undisturbed: Contents
) -> None:
    rig.send()
    send_poison(rig)
    poisoned = {"LAKESHELF_POISON": f"before_raw@{POISON_ID}", "LAKESHELF_POISON_RAISES": "1"}
    assert run_until(rig, rig.is_folded, **poisoned) == 0
    assert_isolated(rig, undisturbed, in_raw=False)
    (found,) = isolated(rig)
    assert found["detail"] == f"StreamError: nothing can be done with {POISON_ID}"
    kept = dict(trials.all_kept(rig.settings.stack_dir))
    assert {query: trial.isolated for query, trial in kept.items() if trial.isolated} == {STOCK: 1}


def test_without_isolation_such_an_event_stops_its_query(rig: Rig) -> None:
    rig.send(baskets=5)
    send_poison(rig)
    poisoned = {"LAKESHELF_POISON": f"before_raw@{POISON_ID}", "LAKESHELF_POISON_RAISES": "1"}
    rig.start(program=str(Path(__file__).with_name("stubborn_driver.py")), **poisoned)

    def failed_again_and_again() -> bool:
        queries = STREAMS.read(rig.settings.stack_dir).get(STREAMS.members, [])
        return any(q["query"] == STOCK and q["restarts"] > SAME_FAILURES + 1 for q in queries)

    eventually(failed_again_and_again, "the query fails again and again", FOUND_S)
    assert (rig.batches(), isolated(rig)) == (0, [])
