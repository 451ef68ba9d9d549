"""Drivers that spark-submit starts: with everything that their JVM needs, ending at a batch boundary."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.standalone.driving import JOB, Driving
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.spark]


def test_sigterm_of_a_submitted_driver_ends_it_at_a_batch_boundary(driving: Driving) -> None:
    before = len(driving.balances())
    driving.move(50)
    driving.run("jobs", "submit", JOB, "--master", driving.cluster.master)
    driving.await_folded()
    assert driving.driver is not None
    assert program(driving.driver.pid) == "java", "the JVM is the parent"
    assert driving.stop(signal.SIGTERM) == 0, driving.log()
    assert driving.balances() == [1] * (before + 50)
    assert driving.errors() == {}
    assert driving.state() == "stopped", driving.log()


@pytest.mark.nightly
def test_ctrl_c_of_the_printed_command_ends_it_at_a_batch_boundary(
    driving: Driving, tmp_path: Path
) -> None:
    """A terminal sends the signal to every process of the group."""
    lake = str(driving.settings.lake_root)
    printed = driving.told("--lake", lake, "jobs", "conf", JOB, "--master", driving.cluster.master)
    (tmp_path / "lakeshelf.properties").write_text(printed)
    command = printed.splitlines()[1].removeprefix("# ")
    driving.start_command(["bash", "-c", f"cd {shlex.quote(str(tmp_path))}; exec env {command}"])
    driving.move(50)
    driving.await_folded()
    assert driving.driver is not None
    os.killpg(driving.driver.pid, signal.SIGINT)
    assert driving.driver.wait(120) == 0, driving.log()
    assert driving.state() == "stopped", driving.log()


def test_a_jvm_without_our_jars_is_told_in_one_line(driving: Driving) -> None:
    lake = str(driving.settings.lake_root)
    printed = driving.told("--lake", lake, "jobs", "conf", JOB, "--master", "local[1]")
    submit, _, _, *rest = shlex.split(printed.splitlines()[1].partition(" /")[2])
    bare = [f"/{submit}", "--master", "local[1]", *rest]
    variables = driving.variables() | {"PYSPARK_DRIVER_PYTHON": sys.executable}
    done = subprocess.run(
        bare, capture_output=True, text=True, env=os.environ | variables, check=False
    )
    assert done.returncode == 1
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert "lacks io.delta.sql.DeltaSparkSessionExtension on its class path" in error
    assert "`lakeshelf jobs conf`" in error


def test_a_worker_without_our_jars_is_told_in_one_line(driving: Driving) -> None:
    driving.move(1)
    driving.run(
        *("jobs", "submit", JOB, "--master", driving.cluster.master, "--conf", "spark.jars=")
    )
    said: dict[str, str] = {}
    eventually(lambda: said.update(driving.errors()) or said, "the query says what is wrong")
    (error,) = said.values()
    assert "has other software than the driver (ClassNotFoundException: " in error
    assert "`lakeshelf jobs conf`" in error
    assert driving.stop() == 0, driving.log()


def program(process: int) -> str:
    return Path(f"/proc/{process}/exe").resolve().name
