"""Each benchmark works and tells everything that a reader needs; how fast it was is no test's business."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import ml_peers, peer_venvs, peers, report
from benchmarks.ways import described, noted
from lakeshelf.settings import project_home

NAMES = [one.name for one in report.BENCHMARKS if one.name not in {"peers", "ml", "containers"}]
"""Peers are installed from elsewhere, containers share an engine with their other tests: each has a test of its own."""
LONGEST_S = 1500
"""A busy machine takes five times as long as a quiet one."""


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
    process = subprocess.Popen(
        command,
        cwd=project_home(),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", "."])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        said, _ = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)  # it ends what it has started
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    return dict(json.loads((out / f"{name}.json").read_text()))


@pytest.mark.nightly  # ten minutes: each starts several stacks
@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.timeout(LONGEST_S + 120)
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


@pytest.mark.nightly  # two minutes: installs other libraries, starts a broker and two drivers
@pytest.mark.slow
@pytest.mark.setup
@pytest.mark.spark
def test_peers_are_measured_or_named_with_what_keeps_them_from_it(tmp_path: Path) -> None:
    """Who counts repeats twice is told by the sums; ours has none that is wrong."""
    (run,) = quick("peers", tmp_path)["runs"]
    assert run["ways"].keys() == peers.WAYS.keys()
    for key, way in run["ways"].items():
        assert way["problem"] or run["figures"][f"{key}_rate"] > 0
        assert way["does_not"] or key in peers.OURS
        assert way["version"] or not peers.WAYS[key].package
    assert [run["figures"][f"{key}_wrong"] for key in peers.OURS] == [0, 0]
    others = [run["figures"].get(f"{key}_wrong") for key, way in peers.WAYS.items() if way.package]
    assert all(wrong is None or wrong > 0 for wrong in others)


def test_a_peer_that_cannot_be_installed_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock file names what no registry has, with a hash that nothing has."""
    lock = tmp_path / "gone.lock"
    lock.write_text(f"lakeshelf-no-such-peer==1 --hash=sha256:{64 * '0'}\n")
    monkeypatch.setenv("LAKESHELF_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_OFFLINE", "true")
    with monkeypatch.context() as patched:
        patched.setattr(peer_venvs, "lock", lambda _: lock)
        with pytest.raises(peer_venvs.Unavailable, match="cannot be installed: ") as refused:
            peer_venvs.python("gone")
    assert "\n" not in str(refused.value)
    way = described(peers.WAYS["quix"], "quix", str(refused.value))
    assert noted(way).endswith(f"**Not measured**: {refused.value}.")


def test_lock_files_of_peers_name_no_registry_and_pin_everything_by_hash() -> None:
    """Whoever runs it has the same as we had, from wherever they install."""
    own = [(key, way.package) for key, way in peers.WAYS.items() if way.package]
    together = [(ml_peers.ENVIRONMENT, way.package) for way in ml_peers.PEERS.values()]
    for environment, package in (*own, *together):
        text = peer_venvs.lock(environment).read_text()
        pins = [line for line in text.splitlines() if line and not line.startswith(" ")]
        assert peer_venvs.version(environment, package)
        assert "://" not in text
        assert all("==" in pin and pin.endswith("\\") for pin in pins)
