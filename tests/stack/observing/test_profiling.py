"""Where batches spend their time is the difference of two looks at what their driver has measured."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from lakeshelf.errors import ConfigurationError, StreamError
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.observing import processes
from lakeshelf.stack.observing.processes import profiled
from lakeshelf.status_files import STREAMS
from lakeshelf.telemetry import metrics, profiling
from lakeshelf.telemetry.metrics import SECONDS
from lakeshelf.telemetry.profiling import MetricsPage, Spent
from lakeshelf.telemetry.serving import Telemetry, Values, served
from tests.conftest import Run

QUERY, TABLE = "shelf-aggregator", "cleansed/shelf_state"
Work = Callable[[int, int], None]


@pytest.fixture
def settings(lake: Path) -> Settings:
    """A lake of the test's own."""
    lake.mkdir(parents=True)
    return load_settings()


@pytest.fixture
def driver(settings: Settings) -> Iterator[Telemetry]:
    """A driver that has done a batch."""
    with served(settings, "streams") as telemetry:
        members = [{"query": QUERY, "state": "running", "error": "", "restarts": 0}]
        STREAMS.write(settings.stack_dir, members, telemetry=telemetry.address)
        metrics.QUERY_UP.take(1, query=QUERY)
        metrics.QUERY_UP.take(0, query="alerts-sink")
        metrics.FRESHNESS.take(0, query=QUERY, table=TABLE)
        batch(0.9)
        yield telemetry


def batch(seconds: float) -> None:
    """All of a batch: half of it computes, a fifth waits for commits."""
    metrics.BATCH_DURATION.take(seconds / 2, query=QUERY, step="tables")
    metrics.BATCH_DURATION.take(seconds, query=QUERY, step="whole")
    metrics.STATEMENT_DURATION.take(seconds / 4, query=QUERY, statement=TABLE)
    metrics.BATCH_WAIT.take(seconds / 5, query=QUERY, wait="commits")
    labels = {"committer": "driver", "operation": "upsert"}
    metrics.COMMIT_DURATION.take(seconds / 2, table=TABLE, **labels)
    metrics.COMMIT_WORK.take(seconds / 10, table=TABLE)
    metrics.COMMIT_DURATION.take(seconds, table="raw/foot_traffic", **labels)


def once(*seconds: float) -> Work:
    """Batches that are done while somebody watches."""
    left = list(seconds)

    def work(*_: int) -> None:
        while left:
            batch(left.pop())

    return work


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time goes while the driver is watched, and at no other moment: a busy machine sleeps longer than it is told."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    own = SimpleNamespace(time=time.time, monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr(processes, "time", own)


def test_what_is_done_meanwhile_is_shown_and_nothing_else(
    settings: Settings, driver: Telemetry
) -> None:
    """Neither the batch before nor the commits of another query."""
    made = profiled(settings, QUERY, 1.0, once(0.1, 0.3))
    assert (made.batches, made.batch_seconds, made.query) == (2, 0.4, QUERY)
    assert made.seconds == 1.0
    shown = {(line.kind, line.name): line for line in made.spent}
    assert shown["step", "tables"] == Spent("step", "tables", 2, 0.2, 100.0, 50.0, 0.5)
    assert shown["statement", TABLE] == Spent("statement", TABLE, 2, 0.1, 50.0, None, 0.25)
    assert shown["commit", TABLE] == Spent("commit", TABLE, 2, 0.04, 20.0, None, 0.1)
    assert shown["wait", "commits"].seconds == 0.08
    assert shown["wait", "turn"].seconds == 0.16
    assert shown["wait", "between"].seconds == pytest.approx(0.6)
    assert ("commit", "raw/foot_traffic") not in shown
    assert "whole" not in {line.name for line in made.spent}


def test_a_query_without_a_batch_waits(settings: Settings, driver: Telemetry) -> None:
    """Its whole time is between two of them."""
    made = profiled(settings, QUERY, 1.0, once())
    assert (made.batches, made.batch_ms) == (0, None)
    (between,) = [line for line in made.spent if line.name == "between"]
    assert between.share == 1.0


def test_the_command_shows_it(
    lakeshelf: Callable[..., Run], settings: Settings, driver: Telemetry
) -> None:
    """For people and for programs."""
    shown = lakeshelf("profile", QUERY, "--seconds", "1")
    assert shown.code == 0
    assert f"{QUERY}: 0 batches in 1.0 s" in shown.out
    told = json.loads(lakeshelf("profile", QUERY, "--seconds", "1", "--json").out)
    assert told["batches"] == 0
    assert told["spent"][0]["name"] == "between"


def test_a_query_that_is_not_there_or_does_not_run_is_named(
    settings: Settings, driver: Telemetry
) -> None:
    """With what helps."""
    with pytest.raises(ConfigurationError, match="did you mean shelf-aggregator"):
        profiled(settings, "shelf-agregator", 1.0, once())
    with pytest.raises(StreamError, match="alerts-sink does not run; `lakeshelf status`"):
        profiled(settings, "alerts-sink", 1.0, once())


def test_a_driver_that_does_not_answer_is_one_line(settings: Settings) -> None:
    """None was started, or it is gone."""
    with pytest.raises(StreamError, match="no streams driver runs; start it with `lakeshelf up`"):
        profiled(settings, QUERY, 1.0, once())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}"
    STREAMS.write(settings.stack_dir, [], telemetry=address)
    with pytest.raises(StreamError, match=f"does not answer at {address}: Connection refused"):
        profiled(settings, QUERY, 1.0, once())


def test_a_driver_that_was_started_meanwhile_is_not_compared(
    settings: Settings, driver: Telemetry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its counters began again: a difference would be nonsense."""
    monkeypatch.setattr(profiling, "STARTED", "process_cpu_seconds_total")
    with pytest.raises(StreamError, match="was started meanwhile; profile again"):
        profiled(settings, QUERY, 1.0, lambda *_: sum(range(10**7)) and None)


@given(st.lists(st.floats(0.001, 14.9), min_size=1))
def test_a_median_lies_in_the_bucket_of_the_median(seconds: list[float]) -> None:
    """However the values are spread."""
    values = Values()
    before = MetricsPage(generate_latest(values.registry).decode())
    for one in seconds:
        values.take(metrics.BATCH_DURATION, one, (QUERY, "whole"))
    after = MetricsPage(generate_latest(values.registry).decode())
    made = profiling.profile(QUERY, before, after, 20.0)
    median = sorted(seconds)[(len(seconds) - 1) // 2]
    high = min(bound for bound in SECONDS if bound >= median)
    low = max((bound for bound in SECONDS if bound < high), default=0.0)
    assert made.batch_ms is not None
    assert 1000 * low <= made.batch_ms <= 1000 * high
    assert made.batches == len(seconds)
