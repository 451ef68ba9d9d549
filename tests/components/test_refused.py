"""What a component refuses is kept where people look for it, once, however often its process is killed."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.contracts import CATALOG
from lakeshelf.contracts.messages import encode, event
from lakeshelf.streams.commit.publisher import Publisher
from lakeshelf.streams.recover import quarantine
from lakeshelf.streams.take.refusal import QUARANTINE
from tests.support import eventually

from .rig import SECONDS, Rig
from .test_supplier import at

pytestmark = [pytest.mark.slow, pytest.mark.faults]
REMOVALS = "removal-scheduler"
JOURNAL = "ops/journal_removal_scheduler"
UNKNOWN = "expired_removal:store:S1-I1:L1:1"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "lake", CATALOG.tables)
    yield made
    made.close()


def runs(rig: Rig, process: subprocess.Popen[bytes]) -> bool:
    """Whether a process has taken the component up and told the last entry of its journal again."""
    health = rig.health(REMOVALS)
    return (health.get("pid"), health.get("state")) == (process.pid, "running")


def test_a_command_that_is_refused_is_listed_once(rig: Rig) -> None:
    rig.tick(at("Sun", 9))
    topic = CATALOG.topics["commands"]
    told = {"command": "ack", "target_id": UNKNOWN, "actor": "ada"}
    command = event("command", at("Sun", 9), "S1", ("command", "1"), **told)
    publisher = Publisher(rig.client)
    publisher.records("commands", [topic.key_of(command).encode()], [encode(topic, command)])
    publisher.flush()
    killed = rig.start(REMOVALS, LAKESHELF_CRASH_AT="after_journal:2")
    assert killed.wait(SECONDS) == -signal.SIGKILL, rig.log()
    assert quarantine.listed(rig.settings.lake_root) == []
    for _ in range(2):
        again = rig.start(REMOVALS)
        eventually(lambda again=again: runs(rig, again), "it runs again")
        assert rig.stop(again) == 0
    process = rig.start(REMOVALS)
    rig.tick(at("Sun", 10))
    rig.await_reached(REMOVALS)
    assert rig.stop(process) == 0
    (row,) = quarantine.listed(rig.settings.lake_root)
    assert (row["topic"], row["reason"]) == ("commands", "refused_command")
    assert row["detail"] == "no such alert is open"
    (kept,) = rig.rows(QUARANTINE)
    assert kept["value"] == encode(topic, command)
    told_by_topic = {message["event_id"] for message in rig.sent("quarantine")}
    assert told_by_topic == {"commands:0:0"}
