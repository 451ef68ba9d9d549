"""A run says of each test what it came to, also when its set-up or tear-down failed, and of a failure at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.results import HOME

FILE = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError

@pytest.fixture
def left():
    yield
    raise RuntimeError

def test_passes(): pass
def test_fails(): assert False
def test_is_skipped(): pytest.skip("no")
def test_is_not_set_up(broken): pass
def test_is_not_torn_down(left): pass
"""
EXPECTED = {
    "test_passes": "passed",
    "test_fails": "failed",
    "test_is_skipped": "skipped",
    "test_is_not_set_up": "failed",
    "test_is_not_torn_down": "failed",
}


@pytest.mark.slow
def test_each_test_has_its_gravest_outcome(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from tests.results import Recording, pytest_sessionstart\n"
        "def pytest_configure(config):\n"
        f"    config.pluginmanager.register(Recording(Path({str(tmp_path / 'out' / 'r.json')!r})))\n"
    )
    (tmp_path / "test_some.py").write_text(FILE)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(HOME), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout
    at_once = done.stdout.partition("= ERRORS =")[0]
    assert {line for line in at_once.splitlines() if line.startswith("FAILED")} == {
        "FAILED test_some.py::test_fails (call)",
        "FAILED test_some.py::test_is_not_set_up (setup)",
        "FAILED test_some.py::test_is_not_torn_down (teardown)",
    }
    told = json.loads((tmp_path / "out" / "r.json").read_text())
    found = {name.rpartition("::")[2]: test["outcome"] for name, test in told["tests"].items()}
    assert found == EXPECTED
    assert told["outcomes"] == {"passed": 1, "failed": 3, "skipped": 1}
