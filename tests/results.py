"""What a run of the tests comes to: each failure when it happens, and with `--result FILE` all of it as JSON.

A run that is ended from outside never comes to its summary.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]
LINES = 12
GRAVE = ("failed", "skipped", "passed")
"""Outcomes of the parts of a test (set-up, call, tear-down); the gravest one is that of the test."""


class Telling:
    """Tells of a test that fails, and why, at once.

    Args:
        reporter: What writes to the terminal.
    """

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the line that a summary would have at the end, and the last ones of what failed."""
        if report.failed:
            self._reporter.write_line("")
            self._reporter.write_line(f"FAILED {report.nodeid} ({report.when})", red=True)
            for line in report.longreprtext.splitlines()[-LINES:]:
                self._reporter.write_line(f"  {line}")


def pytest_sessionstart(session: pytest.Session) -> None:
    """A failure is told when it happens, by the process that has the terminal."""
    plugins = session.config.pluginmanager
    reporter = plugins.get_plugin("terminalreporter")
    if reporter is not None and not hasattr(session.config, "workerinput"):
        plugins.register(Telling(reporter))


class Recording:
    """Records a run, and writes it at its end.

    Args:
        file: Where to.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began = time.monotonic()
        self._outcomes: dict[str, str] = {}
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take up a part of a test."""
        before = self._outcomes.get(report.nodeid, GRAVE[-1])
        self._outcomes[report.nodeid] = min(before, report.outcome, key=GRAVE.index)
        self._seconds[report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        tests = {
            name: {"outcome": outcome, "seconds": round(self._seconds[name], 1)}
            for name, outcome in sorted(self._outcomes.items())
        }
        told = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "python": platform.python_version(),
            "seconds": round(time.monotonic() - self._began),
            "outcomes": dict(Counter(self._outcomes.values())),
            "tests": tests,
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def commit() -> str:
    """The commit that is checked out; empty outside a repository."""
    if shutil.which("git") is None:
        return ""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=HOME,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()
