"""F9, F10: duplicates, disorder, late and broken records."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from lakeshelf.status_files import STREAMS
from lakeshelf.streams.commit import ledger
from lakeshelf.streams.recover import quarantine
from tests.faults.rig import Rig, red

pytestmark = [pytest.mark.faults, pytest.mark.slow]


def test_duplicates_disorder_late_and_broken_records_leave_the_same_tables(
    rig: Rig, undisturbed: dict[str, list[tuple[Any, ...]]]
) -> None:
    sent = rig.send(duplicates=0.05, reorder_minutes=30, late=0.01, malformed=0.02, seed=7)
    rig.start(max_batch_rows=2_000)
    rig.await_folded()
    rig.stop()
    assert red(rig.reconcile()) == []
    assert rig.contents() == undisturbed
    refused = quarantine.counted(rig.settings.lake_root)
    assert refused == {reason: number for reason, number in sent.malformed.items() if number}
    counted = sum(
        row["topics"].get(topic, {}).get("duplicate", 0)
        for row in ledger.entries(rig.settings.lake_root)
        for topic in rig.records()
    )
    assert counted == sent.duplicates


def test_a_topic_of_nothing_but_broken_records_stops_nothing(rig: Rig) -> None:
    sent = rig.send(malformed=0.9, seed=3, baskets=20)
    rig.start()
    rig.await_folded()
    assert rig.stop(signal.SIGINT) == 0  # as Ctrl-C does, whose handler Spark takes for itself
    told = STREAMS.read(rig.settings.stack_dir)[STREAMS.members]
    assert {query["state"] for query in told} == {"stopped"}
    assert red(rig.reconcile(20)) == []
    assert (
        sum(quarantine.counted(rig.settings.lake_root).values())
        == sum(sent.malformed.values())
        > 500
    )
