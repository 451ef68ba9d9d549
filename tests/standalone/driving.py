"""A lake with its broker, and a driver on a cluster that keeps one table of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lakeshelf.status_files import STREAMS
from lakeshelf.streams.declare import plan
from tests.faults.rig import Rig
from tests.standalone.cluster import Cluster
from tests.streams.harness import keyed
from tests.streams.pipeline import record, send
from tests.streams.strategies import TIMES, event

JOB, STATE = "wh-aggregator", "cleansed/wh_state"

JOB_BEGUN = '"Event":"SparkListenerJobStart"'
TASK_LOST = '"Reason":"ExecutorLostFailure"'
HEARS_CTRL_C = ("env", "--default-signal=INT")
"""A shell has what it starts in the background ignore it, and so has everything below."""

SHELVES = 100_000


class Driving(Rig):
    """Records, and drivers on a cluster that fold them.

    Args:
        folder: For the lake and what Spark logs.
        cluster: Where Spark runs.
        root: The lake; None: in the folder.
    """

    def __init__(self, folder: Path, cluster: Cluster, root: str | None = None) -> None:
        super().__init__(root or folder / "lake")
        self.plans = plan.plan([self.jobs[JOB]])
        self.cluster = cluster
        self._events, self._conf = folder / "events", folder / "conf"
        self._events.mkdir()
        self._conf.mkdir()
        self.sent_records = 0
        self.killed_at = 0
        """Messages that were there when executors were killed."""

    def move(self, records: int) -> None:
        """Goods for the back room: a unit a record, on as many shelves, up to `SHELVES`."""
        known = [_moved(self.sent_records + number) for number in range(records)]
        self.sent_records += records
        send(self.client, [record("wh_events", values) for values in known])

    def balances(self) -> list[int]:
        """Units of each shelf."""
        return [row["balance"] for row in keyed(Path(self.settings.lake_root), STATE).values()]

    def run(self, *arguments: str, spark: dict[str, str] | None = None, **settings: str) -> None:
        """Start `lakeshelf` with these arguments, as a process.

        Args:
            arguments: Command and its arguments.
            spark: Defaults of Spark's settings.
            settings: Variables of the environment.
        """
        command = [sys.executable, "-m", "lakeshelf.cli.main", *arguments]
        self.start_command(command, spark, **settings)

    def start_command(
        self, command: list[str], spark: dict[str, str] | None = None, **settings: str
    ) -> None:
        """Start a driver by a command, in a group of its own; see `run`."""
        defaults = {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.compress": "false",
            "spark.eventLog.rolling.enabled": "false",
            "spark.eventLog.dir": self._events.as_uri(),
            **(spark or {}),
        }
        lines = "".join(f"{name} {value}\n" for name, value in defaults.items())
        (self._conf / "spark-defaults.conf").write_text(lines)
        with (self.settings.stack_dir / "driver.log").open("wb") as log:
            self.driver = subprocess.Popen(
                [*HEARS_CTRL_C, *command],
                env=os.environ | self.variables() | settings,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def variables(self) -> dict[str, str]:
        """Settings of a driver."""
        return {
            "LAKESHELF_LAKE_ROOT": str(self.settings.lake_root),
            "LAKESHELF_COMMITTER": "spark",
            "LAKESHELF_RESTART_BACKOFF_S": "0.2",
            "SPARK_CONF_DIR": str(self._conf),
            "SPARK_LOCAL_IP": "127.0.0.1",
        }

    def told(self, *arguments: str) -> str:
        """What `lakeshelf` prints."""
        return subprocess.run(
            [sys.executable, "-m", "lakeshelf.cli.main", *arguments],
            env=os.environ | self.variables(),
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    def state(self) -> str:
        """What the driver that ran last has said of its query."""
        (query,) = STREAMS.read(self.settings.stack_dir)[STREAMS.members]
        return str(query["state"])

    def spark_jobs(self) -> int:
        """Jobs that Spark has begun for the driver that ran last."""
        logs = sorted(self._events.iterdir(), key=os.path.getmtime)
        return logs[-1].read_text().count(JOB_BEGUN) if logs else 0

    def lost_tasks(self) -> int:
        """Tasks of the driver that ran last that ended with their executor."""
        log = max(self._events.iterdir(), key=os.path.getmtime)
        return log.read_text().count(TASK_LOST)

    def stages(self) -> Iterator[dict[str, Any]]:
        """Stages that were done by the driver that ran last, as Spark's log of events tells them."""
        log = max(self._events.iterdir(), key=os.path.getmtime)
        for line in log.read_text().splitlines():
            told = json.loads(line)
            if told["Event"] == "SparkListenerStageCompleted":
                yield told["Stage Info"]


def _moved(number: int) -> dict[str, Any]:
    fields = {"event_type": "wh_in", "item_id": "I1", "batch_code": "L1", "quantity": 1}
    shelf, time = f"S1-I{number % SHELVES:06d}", TIMES[number % 5]
    return {**event("wh_events", number, time, shelf_id=shelf, **fields), "event_id": f"e{number}"}
