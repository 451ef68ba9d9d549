"""The service that predicts, as a process: killed amid a cutoff day, it says once what it would have said."""

from __future__ import annotations

import shutil
import signal
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from lakeshelf.components import flows
from lakeshelf.components.service import group
from lakeshelf.contracts.layers import Curated, Staging
from lakeshelf.forecast.inference.levels import TOPIC, messages
from lakeshelf.lake.rows import tables
from tests.forecast.inference import ordered
from tests.support import eventually

from .bench import module
from .rig import SECONDS, Rig, Row

NAME, FIRST = "inference-service", "shelf-daily-features"
OWN = (Curated.PREDICTIONS, Staging.ORDER_LEVELS)
BESIDE = ("shelf_id", "version", "updated_at")
"""Key and stamps of a level."""
READ = [name for name in flows.reads(module(NAME).COMPONENT) if "/" in name]


def reached(rig: Rig, name: str) -> None:
    """Have a component that is not there act on the latest tick."""
    consumer = Consumer({**rig.client, "group.id": group(name), "enable.auto.commit": False})
    consumer.commit(offsets=[TopicPartition("clock", 0, 1)], asynchronous=False)
    consumer.close()


def told(level: Row) -> Row:
    """What a level says, as texts: of times the day."""
    return {name: str(value)[:10] for name, value in level.items() if name not in BESIDE and value}


@pytest.mark.ml
@pytest.mark.slow
@pytest.mark.faults
def test_killed_around_its_commit_it_predicts_a_shelf_once_and_tells_the_same_level(
    tmp_path: Path,
) -> None:
    root = tmp_path / "lake"
    ordered.make(root)
    expected = tables.rows(root, Curated.PREDICTIONS).sort_by("shelf_id")
    for name in OWN:
        shutil.rmtree(root / name)
    with closing(Rig(root, (*OWN, *READ))) as rig:
        rig.tick(ordered.BEGIN)
        reached(rig, FIRST)
        for point in ("before_journal", "after_journal"):
            killed = rig.start(NAME, LAKESHELF_CRASH_AT=f"{point}:1")
            assert killed.wait(SECONDS) == -signal.SIGKILL, rig.log()
        assert rig.sent(TOPIC) == []
        levels = [told(level) for level in messages(expected.to_pylist())]
        for starts in (1, 2):
            process = rig.start(NAME)
            number = starts * len(levels)
            eventually(lambda number=number: len(rig.sent(TOPIC)) == number, "its levels are told")
            rig.await_reached(NAME)
            assert rig.stop(process) == 0
        made = tables.rows(root, Curated.PREDICTIONS).sort_by("shelf_id")
        assert made.select(expected.column_names).equals(expected)
        sent = [told(level) for level in rig.sent(TOPIC)]
        assert sorted(map(str, sent)) == sorted(map(str, 2 * levels))
