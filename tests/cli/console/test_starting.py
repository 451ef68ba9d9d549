"""What `up` tells while a stack starts."""

from __future__ import annotations

import re

from lakeshelf.cli.console import starting
from lakeshelf.cli.console.starting import STEPS, Patience, Start
from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision.parts import BrokerPart, ComponentsPart, StreamsPart
from lakeshelf.stack.supervision.supervisor import TABLES, TOPICS, Supervisor

PARTS = {part.name for part in (StreamsPart, ComponentsPart, BrokerPart)}


def test_each_step_of_a_start_is_told_once_when_it_is_done(capfd):
    steps = {"broker": 2.0, "topics": 3.5, "tables": 3.6, "components": 5.0, "streams": 9.1}
    with Start().shown() as show:
        for count in range(len(steps) + 1):
            for _ in range(2):
                show({"reached": dict(list(steps.items())[:count]), "awaited": list(steps)[count:]})
    told = [line.rsplit(maxsplit=2) for line in capfd.readouterr().err.splitlines()]
    assert told == [[STEPS[step], f"{seconds:.1f}", "s"] for step, seconds in steps.items()]


def test_every_step_that_a_stack_reaches_has_words():
    assert STEPS.keys() == PARTS | {TOPICS, TABLES}


def test_what_is_waited_for_is_named_with_the_seconds_so_far(capfd, monkeypatch):
    monkeypatch.setattr(starting, "SECONDS_BETWEEN_LINES", 0.0)
    with Start().shown() as show:
        show({"reached": {"tables": 1.0}, "awaited": ["broker", "topics", "streams"]})
    line = capfd.readouterr().err.splitlines()[-1]
    assert re.fullmatch(r"waiting for broker, topics, streams +\d+ s", line)


def test_a_stack_awaits_its_own_broker_from_the_beginning(tmp_path):
    settings = load_settings(lake_root=tmp_path / "lake")
    assert Supervisor(settings).awaited == [BrokerPart.name, TOPICS, TABLES, StreamsPart.name]
    others = settings.model_copy(update={"bootstrap_servers": "localhost:1"})
    assert BrokerPart.name not in Supervisor(others).awaited


def test_a_start_is_waited_for_as_long_as_it_comes_further():
    now = [0.0]
    patience = Patience(10.0, lambda: now[0])
    seen = []
    for now[0], reached in ((9.0, []), (9.0, ["broker"]), (18.0, ["broker"]), (20.0, ["broker"])):
        seen.append(patience.is_over(reached))
    assert seen == [False, False, False, True]
