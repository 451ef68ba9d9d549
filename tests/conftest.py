from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from lakeshelf import extras
from lakeshelf.cli import main
from lakeshelf.contracts import project
from tests import packing
from tests.results import Recording, pytest_sessionstart

settings.register_profile("lakeshelf", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lakeshelf")

__all__ = ["pytest_sessionstart"]

Run = Callable[..., "Result"]

HOME = Path(__file__).parents[1]
NIGHTLY_S = 7200


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--result FILE`, see `tests.results`."""
    parser.addoption("--result", type=Path, help="write what the run came to as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """JVMs that live for seconds spend no time on code that would pay off after minutes.

    A newer Python deprecates what packages still use: there, only warnings of our code are errors.
    """
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    os.environ.setdefault(
        "LAKESHELF_GOVERNANCE", "false"
    )  # two processes that few stacks here need
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        os.environ.pop(
            "MALLOC_MMAP_THRESHOLD_", None
        )  # ours alone: what tests start is as users have it
    result = config.getoption("--result")
    if result is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recording(result))
    oldest = metadata("lakeshelf")["Requires-Python"].removeprefix(">=")
    if sys.version_info[:2] == tuple(int(part) for part in oldest.split(".")):
        return
    apps = [file.stem for room in project.ROOMS for file in (HOME / room).glob("*/*.py")]
    ours = "|".join(["lakeshelf", "tests", "benchmarks", *apps])
    filters = config.getini("filterwarnings")
    assert filters.pop(0) == "error"
    filters[:0] = ["default", rf"error:::({ours})(\.|$)"]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files come first, and a long repetition has the time that it takes on a busy machine."""
    packing.sort(items)
    for item in items:
        if item.get_closest_marker("nightly") is not None:
            limits = (mark.args[0] for mark in item.iter_markers("timeout"))
            longest = pytest.mark.timeout(max([NIGHTLY_S, *limits]))
            item.add_marker(longest, append=False)
        if item.get_closest_marker("ml") is not None and extras.absent(("ml",)):
            item.add_marker(pytest.mark.skip(reason="the extra ml is not installed"))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> packing.LongestFirst:
    """Tests of a file run in one process."""
    return packing.LongestFirst(config, log)


class Result:
    """What a command printed, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def error(self) -> str:
        """The only line `error: …`; progress may stand before it."""
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of the test's own, and no other setting from outside."""
    for name in [n for n in os.environ if n.startswith(("LAKESHELF_", "DELTA_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAKESHELF_LAKE_ROOT", str(tmp_path / "lake"))
    return tmp_path / "lake"


@pytest.fixture
def lakeshelf(lake: Path, capfd: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs the command line as a shell would, in this process."""

    def run(*arguments: object) -> Result:
        capfd.readouterr()
        code = main.run([str(argument) for argument in arguments])
        return Result(code, *capfd.readouterr())

    yield run
    project.include(None)
