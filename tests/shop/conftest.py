"""A shop with a past: three business days, a rebuild, maintenance, and a restart with another committer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.shop import lists
from lakeshelf.stack.demos.loop import LoopPlan, run
from lakeshelf.stack.supervision.parts import GOVERNED
from lakeshelf.stack.supervision.supervisor import running_stack
from lakeshelf.streams.declare import registry
from lakeshelf.streams.recover.recovery import rebuild
from tests.streams.conftest import client, own_settings, spark  # noqa: F401 - fixtures
from tests.support import eventually

TIMES = tuple(time(hour) for hour in (0, 8, 12, 21))
BY_SPARK = (
    "raw/shelf_events",
    "cleansed/shelf_state",
    "ops/shelf_alerts",
    "staging/shelf_policies",
)
"""Tables that Spark writes after the restart."""
MAINTAINED = ("raw/shelf_events", "raw/pos_transactions", "raw/wh_events")

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake of a shop after three days, rebuilt and maintained."""
    root = tmp_path_factory.mktemp("shop") / "lake"
    settings = load_settings(
        lake_root=root, simulation_stores=1, simulation_shelves=48, simulation_seed=5
    )
    run(settings, LoopPlan(days=3, times=TIMES), lambda *_: None)
    rebuild(settings, registry.discover(settings.home).values())
    for name in MAINTAINED:
        done = lakeshelf(root, "lake", "optimize", name, "--min-files", "2")
        assert done.returncode == 0, done.stderr
    return root


@pytest.fixture(scope="session")
def running(lived: Path) -> Iterator[Path]:
    """The same shop, up again, with the service of governed datasets."""
    by_spark = json.dumps(dict.fromkeys(BY_SPARK, "spark"))
    up = ("up", "--no-simulation", "--no-watch", "--speed", "1")
    try:
        started = lakeshelf(
            lived,
            *up,
            LAKESHELF_TABLE_COMMITTERS=by_spark,
            LAKESHELF_GOVERNANCE="true",
            # A clock that has a start goes on where it was, not through each day since.
            LAKESHELF_CLOCK_START=datetime.now(UTC).isoformat(),
        )
        assert started.returncode == 0, started.stderr
        eventually(lambda: serves(lived), "governed datasets are served")
        acknowledge(lived)
        yield lived
    finally:
        lakeshelf(lived, "down")


def serves(lake: Path) -> bool:
    """Whether the service of governed datasets runs."""
    parts = running_stack(load_settings(lake_root=lake)).get("parts", {})
    return all(parts.get(part.name, {}).get("state") == "running" for part in GOVERNED)


def acknowledge(lake: Path) -> None:
    """See to an alert, as people of a store do."""
    alert = lists.alerts(lake).rows[0]["alert_id"]
    acknowledged = lakeshelf(lake, "alerts", "ack", alert)
    assert acknowledged.returncode == 0, acknowledged.stderr
    eventually(lambda: tables.row_count(lake, "ops/shelf_commands") > 0, "the jobs hear of it")


def lakeshelf(lake: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command as a shell does."""
    command = [sys.executable, "-m", "lakeshelf.cli.main", *arguments]
    environment = os.environ | {"LAKESHELF_LAKE_ROOT": str(lake)} | more
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
