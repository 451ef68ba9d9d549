"""A lake that older code made is read as it is, and goes on without a rebuild: no row is lost, none stands twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.retail.tables_library import JOURNAL_PREFIX
from lakeshelf.lake import Consumer, Lake
from lakeshelf.lake.rows import tables
from lakeshelf.reconcile.books import opened
from lakeshelf.reconcile.invariants import invariants_of
from lakeshelf.reconcile.refold import refold_of
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.run.clock import CLOCK
from tests.support import eventually
from tests.upgrade.make_lake import SHOP

READING = (
    ("tables",),
    ("alerts", "list"),
    ("plans", "list", "--status", "completed"),
    ("stock", "show", "SIM-001-00001"),
    ("quarantine", "list"),
    ("trace", "SIM-001-00001"),
    ("lake", "ls"),
    ("lake", "history", "raw/shelf_events"),
    ("lake", "runs"),
    ("lake", "verify-run", "monday"),
    ("lake", "cursors"),
    ("lake", "doctor"),
    ("plan",),
)
JOURNALS = [name for name in CATALOG.tables if name.startswith(JOURNAL_PREFIX)]
FOLD_S = 400.0
EXAMINED = ("tables", "checkpoints", "raw", "contract")


def shell(lake: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does."""
    command = [sys.executable, "-m", "lakeshelf.cli.main", *arguments]
    environment = os.environ | {"LAKESHELF_LAKE_ROOT": str(lake)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def told(lake: Path, *arguments: str) -> Any:
    return json.loads(shell(lake, *arguments, "--json").stdout)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", READING, ids=" ".join)
def test_what_reads_understands_what_older_code_wrote(
    old_lake: Path, arguments: tuple[str, ...], lakeshelf: Any
) -> None:
    result = lakeshelf("--lake", old_lake, *arguments)
    assert result.code == 0, result.err
    assert result.out.strip()


@dataclass
class Continued:
    """What the lake had before today's code went on with it, and where it is.

    Attributes:
        root: The lake.
        ledger: Rows of its ledger.
        entries: Journal → its entries.
        status: What `status` told while it ran.
    """

    root: Path
    ledger: list[dict[str, Any]]
    entries: dict[str, list[dict[str, Any]]]
    status: dict[str, Any]

    @property
    def reached(self) -> dict[str, int]:
        """Topic → records up to which today's batches have come."""
        account = ledger.Account()
        for row in ledger.entries(self.root):
            account.take(row)
        return {topic: sum(ends.values()) for topic, ends in account.reached.items()}


def journals(root: Path) -> dict[str, list[dict[str, Any]]]:
    kept = [name for name in JOURNALS if tables.exists(root, name)]
    found = {name: tables.rows(root, name, ["seq", "entry_id"]) for name in kept}
    return {name: sorted(t.to_pylist(), key=lambda e: e["seq"]) for name, t in found.items()}


@pytest.fixture(scope="module")
def continued(old_lake: Path) -> Continued:
    """The lake after today's stack has caught up with it, and has come to rest."""
    before = ledger.entries(old_lake), journals(old_lake)
    status: dict[str, Any] = {}
    caught_up = f"every query reads on, every component decides: {old_lake}"
    with up(old_lake, "--speed", "5760", *SHOP):
        eventually(lambda: _caught_up(old_lake, *before), caught_up, FOLD_S)
        eventually(lambda: _is_well(status, old_lake), f"nothing is wrong: {old_lake}", FOLD_S)
    with up(old_lake, "--speed", "1", "--no-simulation"):
        eventually(lambda: _is_at_rest(old_lake), f"nothing is left to fold: {old_lake}", FOLD_S)
    return Continued(old_lake, *before, status)


@contextmanager
def up(root: Path, *options: str) -> Iterator[None]:
    """A stack on the lake."""
    try:
        started = shell(root, "up", "--no-watch", *options)
        assert started.returncode == 0, started.stderr
        yield
    finally:
        stopped = shell(root, "down")
    assert stopped.returncode == 0, stopped.stderr


def _is_well(status: dict[str, Any], root: Path) -> bool:
    """Whether nobody complains; who is asked may answer late while the shop lives four days a minute."""
    status.update(told(root, "status"))
    return not status["problems"]


def _is_at_rest(root: Path) -> bool:
    """Whether the slow clock brings nothing new, so that the books of different topics belong together."""
    status = told(root, "status")
    parts = [*status["queries"], *status["components"]]
    return {part["state"] for part in parts} == {"running"} and not any(
        query["lag"] for query in status["queries"]
    )


def _caught_up(root: Path, rows: list[Any], entries: dict[str, list[Any]]) -> bool:
    queries = {row["query"] for row in rows}
    new = {row["query"] for row in ledger.entries(root)[len(rows) :]}
    now = journals(root)
    return queries == new and all(len(now[name]) > len(entries[name]) for name in entries)


def _gaps(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """Batches of a query that do not begin where the one before ended; the clock alone moves without a row."""
    reached: dict[tuple[str, str], int] = {}
    gaps: list[tuple[Any, ...]] = []
    for row in rows:
        for topic, parts in row["offsets"].items():
            for partition, (begins, ends) in parts.items():
                expected = reached.get((topic, partition), begins)
                if topic != CLOCK and begins != expected:
                    gaps.append((row["batch_id"], topic, partition, expected, begins))
                reached[topic, partition] = ends
    return gaps


@pytest.mark.slow
@pytest.mark.timeout(1800)
class TestGoesOn:
    """Today's stack on a lake that was killed with records in Kafka that no table had."""

    def test_no_query_and_no_component_fails_over_it(self, continued: Continued) -> None:
        assert continued.status["problems"] == []
        parts = [*continued.status["queries"], *continued.status["components"]]
        assert {part["restarts"] for part in parts} == {0}

    def test_batches_go_on_where_the_ledger_ended(self, continued: Continued) -> None:
        entries = ledger.entries(continued.root)
        earlier = [
            {name: row[name] for name in old}
            for row, old in zip(entries, continued.ledger, strict=False)
        ]
        assert earlier == continued.ledger
        assert {row["kind"] for row in entries} == {ledger.BATCH}
        for query in {row["query"] for row in entries}:
            rows = [row for row in entries if row["query"] == query]
            assert len({row["query_id"] for row in rows}) == 1
            assert _gaps(rows) == []

    def test_each_record_became_one_row_and_all_stock_follows_from_them(
        self, continued: Continued
    ) -> None:
        reached = continued.reached
        assert reached["shelf_events"] > sum(
            row["topics"].get("shelf_events", {}).get("rows_in", 0) for row in continued.ledger
        )
        with opened(continued.root) as books:
            checks = (*invariants_of(books, reached), *refold_of(books))
        assert [check for check in checks if not check.ok] == []

    def test_components_go_on_with_their_journals(self, continued: Continued) -> None:
        for name, entries in journals(continued.root).items():
            earlier = continued.entries.get(name, [])  # a component that was not there had none
            assert entries[: len(earlier)] == earlier
            assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
            assert len({entry["entry_id"] for entry in entries}) == len(entries)

    def test_the_lake_is_in_order_afterwards(self, continued: Continued) -> None:
        checks = [c for c in told(continued.root, "doctor")["checks"] if c["name"] in EXAMINED]
        assert {c["name"] for c in checks} == set(EXAMINED)
        assert [c for c in checks if not c["ok"]] == []

    def test_a_consumer_reads_on_behind_its_cursor(self, continued: Continued) -> None:
        lake = Lake(continued.root)
        changes = lake.changes("curated/counts", Consumer("count-copy", output="curated/copy"))
        assert changes.full_refresh is None
        assert changes.rows.read_all()["shelf"].to_pylist() == ["A2"]
