"""Every command of "getting started" does what the page says, in its order, on a lake of the test's own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.lake.rows import tables
from tests.support import eventually

HOME = Path(__file__).parents[2]
PAGE = HOME / "docs" / "getting-started.md"
TOUR, PROJECT = "A tour of a living shop", "A project of your own"
ASKS = ("lakeshelf stock count", "lakeshelf policies set")
"""Commands that ask somebody at a terminal; a script says `--yes`."""
LONG = ("Days on demand: `demo --loop`", "Real receipts: `demo`", "Events of your own")
FAST = {"LAKESHELF_CLOCK_SPEED": "1800", "LAKESHELF_SIMULATION_SHELVES": "60"}
BRISK = FAST | {"LAKESHELF_CLOCK_SPEED": "600"}
"""Where people only have to come: a third of the messages while commands are typed."""

AT_REST = {"LAKESHELF_CLOCK_SPEED": "1"}
"""On the fast clock an alert that was listed is resolved before it can be acknowledged."""
JUST_COME = 20
"""Records that a query may be behind on the clock at rest."""


def sections() -> dict[str, list[str]]:
    """Section → commands of its shell blocks, without comments."""
    found: dict[str, list[str]] = {}
    for part in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        title, _, text = part.partition("\n")
        lines = (
            line.partition("#")[0].strip()
            for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
            for line in block.splitlines()
        )
        if commands := [line for line in lines if line]:
            found[title] = commands
    return found


class Reader:
    """Types the commands of the page.

    Args:
        folder: Where; the lake of the settings lies below.
    """

    def __init__(self, folder: Path) -> None:
        self.lake = folder / "lake"
        self._folder = folder
        self._path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

    def types(self, line: str, **more: str) -> str:
        """Run a line of the page; what it prints."""
        names = re.findall(r"\b(ALERT_ID|PLAN_ID|LOT|FOLDER|HOST:PORT)\b", line)
        for name in names:
            line = line.replace(name, self._found(name))
        if line.startswith(ASKS):
            line += " --yes"
        if line.endswith(" destroy"):
            line += f" --yes {self.lake.name}"
        done = self._run(line, more)
        assert done.returncode == 0, f"{line}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        assert "Traceback" not in done.stdout + done.stderr
        return done.stdout

    def rows(self, statement: str) -> list[dict[str, Any]]:
        """Rows of a statement."""
        return list(json.loads(self.types(f'lakeshelf sql "{statement}" --json')))

    def is_caught_up(self) -> bool:
        """Whether no query has more to fold than what has just come."""
        queries = json.loads(self._run("lakeshelf status --json", {}).stdout)["queries"]
        return all(query["lag"] is not None and query["lag"] < JUST_COME for query in queries)

    def stops(self) -> None:
        """Stop the stack, if there is one."""
        self._run("lakeshelf down", {})

    def _run(self, line: str, more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euc", line],
            cwd=HOME if line.startswith("python") else self._folder,
            env=os.environ | {"PATH": self._path, "LAKESHELF_LAKE_ROOT": str(self.lake)} | more,
            capture_output=True,
            text=True,
            check=False,
        )

    def _found(self, name: str) -> str:
        if name == "FOLDER":
            return str(self.lake)
        if name == "HOST:PORT":
            told = json.loads(self._run("lakeshelf status --json", {}).stdout)
            return str(told["bootstrap_servers"])
        if name == "LOT":
            shown = json.loads(self._run("lakeshelf stock show SIM-001-00001 --json", {}).stdout)
            return str(shown["shelf_batch_state"][0]["batch_code"])
        what, key = ("alerts", "alert_id") if name == "ALERT_ID" else ("plans", "plan_id")
        return self.open(what)[0][key]

    def open(self, what: str) -> list[dict[str, str]]:
        """What `lakeshelf WHAT list` has; of plans those that wait for the next order, since others leave at once."""
        done = self._run(f"lakeshelf {what} list --all --json", {})
        found = json.loads(done.stdout)
        return [row for row in found if what == "alerts" or row["kind"] == "order"]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    made = Reader(tmp_path)
    yield made
    made.stops()


def test_each_section_with_commands_is_executed() -> None:
    assert set(sections()) == {TOUR, PROJECT, *LONG}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_tour_of_a_living_shop(reader: Reader) -> None:
    first, *rest = sections()[TOUR]
    reader.types(first, **FAST)
    eventually(lambda: reader.open("alerts"), "the shop has opened", 300)
    _stops_the_clock(reader)
    while not reader.open("plans"):  # noon has passed, and with it the order
        reader.types("lakeshelf down")
        reader.types(first, **FAST)
        _stops_the_clock(reader)
    for line in rest:
        reader.types(line, **FAST | AT_REST)
    assert not reader.lake.exists(), "it was destroyed at the end"


def _stops_the_clock(reader: Reader) -> None:
    """Let the shop go on at rest from a time at which something was to be ordered."""
    eventually(lambda: reader.open("plans"), "a back room has run low", 300)
    reader.types("lakeshelf down")
    reader.types("lakeshelf up", **FAST | AT_REST)
    eventually(reader.is_caught_up, "what the fast clock has left is folded")


@pytest.mark.nightly
@pytest.mark.timeout(900)
def test_a_project_of_your_own(tmp_path: Path) -> None:
    lines = sections()[PROJECT]
    Reader(tmp_path).types(lines[0])
    shop = Reader(tmp_path / "shop")
    tables.ensure_all(shop.lake)  # it was there before the project
    begins, ends = lines.index("lakeshelf up"), lines.index("lakeshelf down")
    try:
        for line in lines[1 : begins + 1]:
            shop.types(line, **BRISK)
        eventually(lambda: shop.rows("FROM own.visits_by_day"), "people have come", 180)
        for line in lines[begins + 1 : ends + 1]:
            shop.types(line, **BRISK)
        sold = len(shop.rows("SELECT event_id FROM raw.pos_transactions"))
        shop.types(lines[ends + 1], **BRISK)
        eventually(lambda: shop.rows("FROM own.sales_by_day"), "something was sold", 180)
        assert "daily-visits" in shop.types("lakeshelf status")
        shop.types(lines[ends + 2])
    finally:
        shop.stops()
    assert _counted(shop, "visits_by_day") == _counted(shop, "foot_traffic")
    assert sum(_counted(shop, "sales_by_day").values()) == (
        sum(_counted(shop, "pos_transactions").values()) - sold
    ), "a job that joins counts what comes from then on"


def _counted(shop: Reader, what: str) -> dict[tuple[str, ...], int]:
    """Store, type and day → events, by a table of the project, or by the raw events of a topic."""
    of_raw = "SELECT *, 1 AS events FROM raw.{}"
    source = f"own.{what}" if what.endswith("by_day") else f"({of_raw.format(what)})"
    key = "store_id, event_type, event_date"
    counts = shop.rows(f"SELECT {key}, sum(events)::BIGINT AS events FROM {source} GROUP BY ALL")
    return {tuple(row[name] for name in key.split(", ")): row["events"] for row in counts}


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("section", LONG)
def test_what_takes_long(reader: Reader, section: str) -> None:
    for line in sections()[section]:
        reader.types(line)
