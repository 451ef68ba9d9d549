"""A message that a component fails on again and again is refused, and the next one is heard."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_BEGINNING

from lakeshelf.components.component import Heard
from lakeshelf.components.hearing import Hearings
from lakeshelf.components.service import going_on
from lakeshelf.errors import BrokerError
from lakeshelf.streams.run.trials import MOST_IN_A_ROW, SAME_FAILURES, UNKNOWN_END


def command(offset: int) -> Heard:
    return Heard("commands", offset, datetime(2026, 3, 1, tzinfo=UTC), {}, b"{}")


def reopened(folder: Path) -> Hearings:
    """What a new process knows."""
    return Hearings(folder, "removal-scheduler")


def test_a_message_that_raises_each_time_is_hopeless_at_last(tmp_path: Path) -> None:
    for _ in range(SAME_FAILURES):
        hearings = reopened(tmp_path)
        assert hearings.hopeless(command(1)) == ""
        hearings.failed(ValueError("cannot be\nat all"))
    assert reopened(tmp_path).hopeless(command(1)) == "ValueError: cannot be"
    assert reopened(tmp_path).hopeless(command(2)) == ""


def test_a_message_that_ends_the_process_each_time_is_hopeless_at_last(tmp_path: Path) -> None:
    for _ in range(SAME_FAILURES):
        assert reopened(tmp_path).hopeless(command(1)) == ""
    assert reopened(tmp_path).hopeless(command(1)) == UNKNOWN_END


def test_a_process_that_ends_when_nothing_is_heard_says_nothing_of_a_message(
    tmp_path: Path,
) -> None:
    for _ in range(2 * SAME_FAILURES):
        hearings = reopened(tmp_path)
        assert hearings.hopeless(command(1)) == ""
        hearings.heard()


def test_a_broker_that_is_down_makes_no_message_hopeless(tmp_path: Path) -> None:
    hearings = reopened(tmp_path)
    for _ in range(2 * SAME_FAILURES):
        assert hearings.hopeless(command(1)) == ""
        hearings.failed(BrokerError("no answer"))


@pytest.mark.parametrize("heard_between", [True, False])
def test_not_all_messages_are_refused_one_after_the_other(
    tmp_path: Path, heard_between: bool
) -> None:
    hearings = reopened(tmp_path)
    refused = 0
    for offset in range(0, 4 * MOST_IN_A_ROW, 2):
        for _ in range(SAME_FAILURES):
            hearings.hopeless(command(offset))
            hearings.failed(ValueError("cannot be"))
        if hearings.hopeless(command(offset)):
            hearings.refused()
            refused += 1
        if heard_between:
            hearings.hopeless(command(offset + 1))
            hearings.heard()
    assert refused == (2 * MOST_IN_A_ROW if heard_between else MOST_IN_A_ROW)


@pytest.mark.parametrize(
    ("at", "end", "begins"),
    [(None, 4, OFFSET_BEGINNING), (0, 0, 0), (3, 4, 3), (4, 4, 4), (5, 4, OFFSET_BEGINNING)],
)
def test_a_topic_that_ends_before_what_was_heard_is_heard_from_its_beginning(
    at: int | None, end: int, begins: int
) -> None:
    """Kafka would go on at its end, and nothing that it holds would be heard."""
    assert going_on(at, end) == begins
