"""A whole replay through a Kafka with passwords and permissions: supervisor, jobs, replay, reconciliation."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from lakeshelf.components.host import Host
from lakeshelf.components.permissions import BOOTSTRAP, JOBS, PEOPLE, REPLAY
from lakeshelf.contracts import CATALOG
from lakeshelf.kafka import topics
from lakeshelf.lake.rows import tables
from lakeshelf.settings import project_home
from lakeshelf.stack.demos import demo
from lakeshelf.stack.embedded.clients import client_settings
from tests.kafka.secured import ODD, Place
from tests.support import eventually

pytestmark = pytest.mark.slow


def test_receipts_reconcile_through_a_kafka_of_others_and_no_password_is_written(
    secured: Place, password_file: Path, tmp_path: Path
):
    secured.allow_services("ann", {BOOTSTRAP, JOBS, REPLAY, PEOPLE}, project_home())
    password_file.write_text(ODD + "\n")
    own = {"kafka_username": "ann", "kafka_password_file": password_file, "governance": False}
    settings = secured.settings(lake_root=tmp_path / "lake", driver_memory="1g", **own)
    report = demo.run(settings, {"stores": 1, "baskets": 40}, lambda *_: None)
    assert report.reconciliation.ok
    assert report.events > 0
    assert report.restarts == dict.fromkeys(report.restarts, 0)
    written = [file for file in settings.state_dir.rglob("*") if file.is_file()]
    assert settings.stack_dir / "logs" / "streams.jsonl" in written
    for file in written:
        content = file.read_bytes()
        assert not any(form.encode() in content for form in (ODD, json.dumps(ODD)[1:-1])), file


def test_components_do_their_work_with_what_is_printed_for_them_and_not_without(
    secured: Place, tmp_path: Path
):
    names = ("clock", "producer-foot-traffic")
    lake = {"lake_root": tmp_path / "lake", "clock_speed": 3600.0}
    settings = secured.of_user("gus", **lake)
    for table in CATALOG.tables.values():
        tables.ensure(settings.lake_root, table)
    secured.allow_services("gus", names[1:], project_home())
    host = Host(names, settings, client_settings(settings))
    runs = threading.Thread(target=host.run)
    runs.start()
    try:
        denied = "user gus (setting kafka_username) may not do that with this topic"
        eventually(lambda: denied in host.health["clock"].error, "the clock is denied")
        secured.allow_services("gus", names[:1], project_home())
        before = sent(secured)
        eventually(lambda: sent(secured) > before, "somebody enters a store")
        eventually(lambda: {h.state for h in host.health.values()} == {"running"}, "all run")
    finally:
        host.stop()
        runs.join()


def sent(place: Place) -> int:
    """Records of foot traffic so far."""
    return sum(topics.end_offsets(place.master, ["foot_traffic"])["foot_traffic"].values())
