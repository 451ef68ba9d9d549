"""What `status` says of a part that dies or stands, and of the batch that a query was last in."""

from __future__ import annotations

import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from lakeshelf.backoff import Backoff
from lakeshelf.errors import BrokerError
from lakeshelf.files import write_atomically
from lakeshelf.kafka.refusals import said
from lakeshelf.settings import Settings, load_settings
from lakeshelf.stack.machine.processes import identify
from lakeshelf.stack.observing.live import Numbers
from lakeshelf.stack.observing.status import collect
from lakeshelf.stack.supervision.parts import StreamsPart
from lakeshelf.stack.supervision.supervisor import Care
from lakeshelf.status_files import STREAMS
from lakeshelf.streams.run.parts import BatchPart
from lakeshelf.streams.run.trials import BatchTrial, Trials
from tests.conftest import Run

QUERY = "shelf-aggregator"


@pytest.fixture
def lake(tmp_path: Path) -> Settings:
    return load_settings(lake_root=tmp_path / "lake")


def stack(settings: Settings, streams: str, **told: Any) -> None:
    """A stack that is this very process, with a streams driver in a state."""
    process = vars(identify(os.getpid()))
    part = {**process, "state": streams, "restarts": 3, "error": "", "ended": "", **told}
    content = {**process, "state": "running", "parts": {"streams": part}}
    write_atomically(settings.stack_dir / "stack.json", json.dumps(content).encode())


def driver(settings: Settings, **query: Any) -> None:
    """A driver that has just written how it is."""
    told = {"query": QUERY, "state": "running", "error": "", **query}
    STREAMS.write(settings.stack_dir, [told])


def in_batch(settings: Settings, **known: Any) -> BatchTrial:
    offsets = {"shelf_events": {"0": (100, 250)}}
    trial = BatchTrial("id", 12, offsets, running=True, **known)
    Trials(settings.stack_dir, QUERY).keep(trial)
    return trial


def test_a_part_that_died_is_told_with_its_signal_restarts_and_batches(lake: Settings) -> None:
    stack(lake, "failed", ended="signal 9 (Killed)", error="streams ended without a word")
    in_batch(lake)
    told = collect(lake)
    assert told["parts"]["streams"]["ended"] == "signal 9 (Killed)"
    (problem,) = told["problems"]
    for fact in ("signal 9 (Killed)", "3 restarts", "batch 12", "shelf_events:0:100 to 249"):
        assert fact in problem
    (batch,) = [q["last_batch"] for q in told["queries"] if q["query"] == QUERY]
    assert (batch["batch_id"], batch["offsets"]) == (12, {"shelf_events": {"0": (100, 250)}})


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("starting", f"{QUERY} before it ended in batch 12"),
        ("failed", f"{QUERY} before it ended in batch 12"),
        ("running", f"{QUERY} in batch 12"),
    ],
)
def test_the_batch_of_a_driver_that_ended_is_not_told_as_if_it_ran(
    lake: Settings, state: str, told: str
) -> None:
    stack(lake, state)
    in_batch(lake)
    (problem,) = collect(lake)["problems"]
    assert told in problem


def test_a_signal_that_ended_a_part_is_told_once(lake: Settings) -> None:
    part = StreamsPart(lake)
    part.start()
    part.kill()
    care = Care(part, Backoff(1.0, 1.0), ended=part.how_it_ended(), error=part.last_words())
    stack(lake, "failed", ended=care.ended, error=care.error)
    (problem,) = collect(lake)["problems"]
    assert problem.count("signal 9") == 1
    assert "code" not in problem.replace(str(part.log), "")


def test_what_the_client_of_kafka_says_is_told_without_its_codes() -> None:
    error = KafkaException(KafkaError(KafkaError._TRANSPORT, "all brokers are down"))
    assert said(error) == "all brokers are down"
    assert said(BrokerError("no broker", hint="see doctor")) == "no broker; see doctor"


def test_a_driver_that_says_nothing_is_not_called_running(lake: Settings) -> None:
    stack(lake, "running")
    told = collect(lake)
    assert (told["state"], told["parts"]["streams"]["state"]) == ("recovering", "silent")
    assert told["problems"] == ["streams is silent (3 restarts)"]


def test_a_driver_that_runs_has_no_problem(lake: Settings) -> None:
    stack(lake, "running")
    driver(lake)
    in_batch(lake)
    told = collect(lake)
    assert (told["ok"], told["state"], told["problems"]) == (True, "running", [])


def test_a_query_that_looks_for_a_record_says_where(lake: Settings) -> None:
    stack(lake, "running")
    driver(lake)
    in_batch(lake, parts=[BatchPart(((0, 150), (10, 15))).spans])
    (problem,) = collect(lake)["problems"]
    assert "looks for the record that fails in shelf_events:0:110 to 114" in problem


def test_what_was_isolated_is_counted(lake: Settings) -> None:
    in_batch(lake, isolated=2, latest="shelf_events:0:7: signal 9 (Killed)")
    told = {q["query"]: q for q in collect(lake)["queries"]}[QUERY]
    assert (told["isolated"], told["last_isolated"]) == (2, "shelf_events:0:7: signal 9 (Killed)")


def test_what_is_shown_again_and_again_is_no_document(lakeshelf: Run, lake: Settings) -> None:
    """Only the first would have come, and nothing said that the rest does not."""
    refused = lakeshelf("status", "--watch", "--json")
    assert (refused.code, refused.error) == (2, "error: --watch and --json; give one of them")


def test_how_far_a_query_is_behind_is_what_its_driver_measured(lake: Settings) -> None:
    """Here, and among live numbers; of a query that no driver runs nothing is known."""
    driver(lake, lag=7, lag_s=12.5)
    with closing(Numbers(lake)) as numbers:
        [told] = numbers.look()["queries"]
    assert (told["query"], told["lag"], told["lag_s"]) == (QUERY, 7, 12.5)
    seconds = {one["query"]: one["lag_s"] for one in collect(lake)["queries"]}
    assert seconds.pop(QUERY) == 12.5
    assert set(seconds.values()) == {None}
