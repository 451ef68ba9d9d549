"""What `up` tells while a stack starts."""

from __future__ import annotations

from lakeshelf.cli.starting import TOLD, Start
from lakeshelf.stack.parts import BrokerPart, ComponentsPart, StreamsPart
from lakeshelf.stack.supervisor import TABLES, TOPICS

PARTS = {part.name: {} for part in (StreamsPart, ComponentsPart, BrokerPart)}


def test_each_step_of_a_start_is_told_once_when_it_is_done(capfd):
    steps = {"broker": 2.0, "topics": 3.5, "tables": 3.6, "components": 5.0, "streams": 9.1}
    with Start().shown() as show:
        for count in range(len(steps) + 1):
            show({"parts": PARTS, "reached": dict(list(steps.items())[:count])})
            show({"parts": PARTS, "reached": dict(list(steps.items())[:count])})
    told = [line.rsplit(maxsplit=2) for line in capfd.readouterr().err.splitlines()]
    assert told == [[TOLD[step], f"{seconds:.1f}", "s"] for step, seconds in steps.items()]


def test_every_step_that_a_stack_reaches_has_words():
    assert TOLD.keys() == PARTS.keys() | {TOPICS, TABLES}
