"""Each benchmark works and tells everything that a reader needs; how fast it was is no test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.settings import project_home

NAMES = (
    "catchup",
    "latency",
    "idle",
    "growth",
    "demo",
    "reaction",
    "isolation",
    "loop",
    "soak",
    "library",
    "queries",
    "bronze",
    "decoding",
    "validation",
    "publication",
    "merging",
    "serving",
    "effect",
    "obeying",
    "watching",
)


def quick(name: str, out: Path) -> dict[str, Any]:
    """The result of a tiny run."""
    command = [
        sys.executable,
        "-m",
        f"benchmarks.{name}",
        "--quick",
        "--runs",
        "1",
        "--out",
        str(out),
    ]
    done = subprocess.run(
        command,
        cwd=project_home(),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])},
        capture_output=True,
        text=True,
        check=False,
        timeout=540,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads((out / f"{name}.json").read_text()))


@pytest.mark.nightly  # ten minutes: each starts several stacks
@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_run_measures_every_figure_and_says_on_what(name: str, tmp_path: Path) -> None:
    result = quick(name, tmp_path)
    assert [f["key"] for f in result["figures"] if f["median"] is None] == []
    assert all(f["min"] <= f["median"] <= f["max"] for f in result["figures"])
    assert {"cpu", "cores", "memory_gib", "kernel", "file_system"} <= result["machine"].keys()
    assert {"lakeshelf", "python", "java", "kafka", "pyspark", "deltalake", "duckdb"} <= result[
        "versions"
    ].keys()
    assert result["quick"] is True
    assert len(result["runs"]) == 1
    assert result["runs"][0]["seed"] == result["seed"]
