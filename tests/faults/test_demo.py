"""The whole demo while its driver and its broker are killed at ten random moments."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import duckdb
import pytest
from deltalake import DeltaTable

from lakeshelf.settings import load_settings
from lakeshelf.stack.supervision.supervisor import running_stack
from tests.faults.rig import COMPARED, OUTSIDE
from tests.support import eventually

pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.nightly]
KILLS = 10
SEED = 20171231
PAUSE_S = (0.5, 6.0)
READY_S = 180


class Demo:
    """A demo of ten stores as a process.

    Args:
        lake: Its lake.
    """

    def __init__(self, lake: Path) -> None:
        self._settings = load_settings(lake_root=lake)
        command = [
            sys.executable,
            "-m",
            "lakeshelf.cli.main",
            "--lake",
            str(lake),
            "demo",
            "--json",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def kill(self, part: str) -> None:
        """Kill a part of the running stack and wait until everything runs again."""
        eventually(self._runs, "the stack runs", READY_S)
        os.kill(self._part(part)["pid"], signal.SIGKILL)
        before = self._part(part)["restarts"]
        eventually(lambda: self._part(part)["restarts"] > before, f"{part} is back", READY_S)

    def report(self) -> Any:
        """The report, once the demo has ended well."""
        out, err = self.process.communicate()
        assert self.process.returncode == 0, err.decode()
        return json.loads(out)

    def _runs(self) -> bool:
        return bool(running_stack(self._settings).get("state") == "running")

    def _part(self, name: str) -> Any:
        return running_stack(self._settings)["parts"][name]


@pytest.mark.timeout(1800)
def test_ten_kills_leave_the_tables_of_a_demo_without(tmp_path: Path) -> None:
    undisturbed = Demo(tmp_path / "undisturbed").report()
    assert undisturbed["restarts"] == {"streams": 0, "broker": 0}

    chance, pause = random.Random(SEED), threading.Event()
    parts = [chance.choice(["streams", "broker"]) for _ in range(KILLS)]
    demo = Demo(tmp_path / "killed")
    for part in parts:
        demo.kill(part)
        pause.wait(chance.uniform(*PAUSE_S))
    restarts = demo.report()["restarts"]
    assert {name: restarts[name] for name in set(parts)} == {n: parts.count(n) for n in set(parts)}
    for name in COMPARED:
        assert differences(*(tmp_path / lake / name for lake in ("undisturbed", "killed"))) == 0


def differences(one: Path, other: Path) -> int:
    """Rows that stand in one table and not in the other."""
    with duckdb.connect() as connection:
        for name, table in (("one", one), ("other", other)):
            connection.register(name, DeltaTable(str(table)).to_pyarrow_dataset())
        kept = f"SELECT * EXCLUDE ({', '.join(outside(connection))}) FROM"
        found = connection.execute(
            f"SELECT count(*) FROM (({kept} one EXCEPT ALL {kept} other) "
            f"UNION ALL ({kept} other EXCEPT ALL {kept} one))"
        ).fetchone()
    assert found is not None
    return int(found[0])


def outside(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Columns that may differ."""
    return [name for name, *_ in connection.execute("DESCRIBE one").fetchall() if name in OUTSIDE]
