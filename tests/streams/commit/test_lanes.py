"""Spark commits raw beside the tables: they run side by side, and a crash leaves either of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from lakeshelf.lake.rows import tables
from lakeshelf.settings import Settings
from lakeshelf.streams.commit.committers.spark import SparkCommitter
from lakeshelf.streams.declare.plan import plan
from tests.streams import harness
from tests.streams.pipeline import Pipeline, send

from .test_committers import MOVED, WH, Crash, crash, expected, txn, wire

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.slow
RAW, STATE = "raw/wh_events", "cleansed/wh_state"
PATIENCE_S = 120.0


@pytest.fixture
def running(settings: Settings, spark: SparkSession, client: dict[str, str]) -> Pipeline:
    """A query of raw and one table that somebody waits for; three events were sent, one of them twice."""
    (awaited,) = plan([replace(harness.jobs()["wh-aggregator"], awaited=True)])
    running = Pipeline(settings, spark, client, awaited)
    send(running.client, wire([*MOVED, MOVED[0]]))
    return running


def require_whole(running: Pipeline) -> None:
    """Each event stands once in raw, and once in the state."""
    assert running.state() == expected(running.plan, MOVED)
    assert running.counts(WH) == {"rows_in": 4, "valid": 3, "quarantined": 0, "duplicate": 1}
    assert tables.row_count(running.root, RAW) == 3


def behind(first: Callable[[], object], work: Callable[..., None]) -> Callable[..., None]:
    """The work, behind something else."""

    def both(*what: Any) -> None:
        first()
        work(*what)

    return both


def test_raw_is_appended_while_a_table_is_merged(
    running: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=PATIENCE_S)
    for name in ("_append", "_merge"):
        work = behind(both.wait, getattr(SparkCommitter, name))
        monkeypatch.setattr(SparkCommitter, name, work)
    running.take("spark")
    require_whole(running)


@pytest.mark.parametrize(("fails", "left"), [("_append", STATE), ("_merge", RAW)])
def test_a_repeat_makes_good_what_a_crash_left_of_two_commits_side_by_side(
    running: Pipeline, fails: str, left: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(SparkCommitter, fails, crash)
        with pytest.raises(Crash):
            running.take("spark")
    assert [name for name in (RAW, STATE) if txn(running, name) == 0] == [left]
    running.again("spark")
    require_whole(running)
