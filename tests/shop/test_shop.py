"""Everything that reads does so on a shop with a past, and a store manager's day is done by commands alone."""

from __future__ import annotations

import getpass
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
from lakeshelf.settings import load_settings
from lakeshelf.shop import counting, kinds, lists, shortage
from lakeshelf.shop.trace import trace
from lakeshelf.stack.embedded.clients import running_client
from lakeshelf.streams.declare.registry import discover
from tests.cli.commands import PATHS, commands
from tests.docs.answers import ANSWERS, Shop, compared
from tests.support import eventually

from .conftest import lakeshelf as shell

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PAGE = Path(__file__).parents[2] / "docs" / "store-manager.md"
SHELF = "SIM-001-00001"

READING: dict[str, tuple[str, ...]] = {
    "alerts list": (),
    "check": (),
    "components list": (),
    "config": (),
    "contracts check": (),
    "contracts show": ("cleansed/shelf_state",),
    "doctor": (),
    "files list": (),
    "jobs list": (),
    "lake cursors": (),
    "lake diff": ("cleansed/wh_state", "-1", "-0"),
    "lake doctor": (),
    "lake features": (),
    "lake history": ("raw/shelf_events",),
    "lake ls": (),
    "lake runs": (),
    "logs": (),
    "plan": (),
    "plans list": ("--status", "completed"),
    "policies list": (),
    "policies show": (SHELF,),
    "quarantine list": (),
    "sql": ("SELECT count(*) AS n FROM raw.pos_transactions",),
    "status": (),
    "stock low": (),
    "stock show": (SHELF,),
    "tables": (),
    "topics": (),
    "trace": (SHELF,),
    "watch": ("--once",),
}
"""Command → arguments with which it reads."""
OTHERS = {
    *(
        "init",
        "destroy",
        "up",
        "down",
        "demo",
        "bootstrap",
        "continue",
        "rebuild",
        "replay-quarantine",
    ),
    *("alerts ack", "alerts dismiss", "plans cancel"),
    *("stock adjust", "stock count", "policies set", "policies unset"),
    *("jobs new", "jobs run", "jobs accept-gap", "components new", "components run"),
    "contracts docs",
    *("files rebuild", "files retry", "files scan", "files upload", "files watch"),
    *("lake forget", "lake migrate", "lake optimize", "lake repair", "lake restore", "lake vacuum"),
    *("lake export", "lake verify-run", "files show"),
}
"""Commands that change something, or read what a shop does not have: a project, uploads, runs, other places."""


def with_json() -> Iterator[tuple[str, ...]]:
    """Each reading command, as people and as programs call it."""
    known = dict(commands())
    for words, arguments in READING.items():
        yield (*words.split(), *arguments)
        if "as_json" in {parameter.name for parameter in known[words].params}:
            plain = [argument for argument in arguments if argument != "--once"]
            yield (*words.split(), *plain, "--json")


def test_every_command_is_known_to_read_or_not_to() -> None:
    assert set(PATHS) == READING.keys() | OTHERS
    assert not READING.keys() & OTHERS


def script() -> str:
    """The commands of the store manager's page."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    return "".join(re.sub(r"  +#.*", "", block) for block in blocks)


def test_a_store_managers_day_is_done_by_commands_alone(running: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = os.environ | {"LAKESHELF_LAKE_ROOT": str(running), "PATH": path}
    done = subprocess.run(
        ["bash", "-euxc", script()],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"

    def held(shelf: str) -> dict[str, Any]:
        where = [("shelf_id", "=", shelf)]
        rows = tables.rows(running, "staging/shelf_policies", where=where).to_pylist()
        return rows[0] if rows else {}

    eventually(lambda: held(SHELF).get("version") == 2, "the policy of a shelf is ended")
    assert (held(SHELF)["active"], held(SHELF)["actor"]) == (False, getpass.getuser())
    assert (held("__GLOBAL__")["active"], held("__GLOBAL__")["min_qty"]) == (True, 2)
    where = [("event_type", "in", ("adjustment", "wh_adjustment"))]
    counted = [
        tables.rows(running, name, where=where).num_rows
        for name in ("raw/shelf_events", "raw/wh_events")
    ]
    assert counted == [1, 1]


def quiet_shelf(root: Path) -> str:
    """A shelf of which nothing is on its way."""
    busy = {row["shelf_id"] for row in lists.plans(root).rows}
    busy |= {row["shelf_id"] for row in shortage.low(root, discover(load_settings().home)).rows}
    rows = tables.rows(root, "cleansed/shelf_state").to_pylist()
    return next(r["shelf_id"] for r in rows if r["shelf_id"] not in busy and r["balance"] > 3)


def test_a_count_is_booked_once_however_often_it_is_sent(running: Path) -> None:
    shelf = quiet_shelf(running)
    books = counting.books(running, shelf, "store")
    lot, units = max(books.lots.items(), key=lambda held: held[1])
    counted = counting.StockCount(books, lot, units - 1)
    client = running_client(load_settings(lake_root=running))
    sent = [counting.send(client, counted, "ada", None) for _ in range(2)]
    assert sent[0]["event_id"] == sent[1]["event_id"]

    def booked() -> int:
        return counting.books(running, shelf, "store").lots[lot]

    eventually(lambda: booked() == units - 1, "the count is booked")
    again = shell(running, "stock", "count", shelf, str(units - 1), "--lot", lot, "--json")
    assert json.loads(again.stdout)["event"] is None
    found = tables.rows(running, "raw/shelf_events", where=[("event_id", "=", sent[0]["event_id"])])
    assert found["quantity"].to_pylist() == [-1]


def test_a_change_shows_its_effect_and_is_not_sent_without_an_answer(running: Path) -> None:
    change = ("policies", "set", SHELF, "threshold_pct=99.5")
    asked = subprocess.run(
        [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(running), *change],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert asked.returncode == 2
    assert "nothing was sent; give --yes to agree" in asked.stderr
    assert "shelves that are low" in asked.stdout
    refused = shell(running, "policies", "set", SHELF, "threshold_pct=101", "--yes")
    assert refused.returncode == 2
    assert "threshold_pct" in refused.stderr


@pytest.mark.parametrize("arguments", list(with_json()), ids=" ".join)
def test_every_command_that_reads_does_so(
    lakeshelf: Any, running: Path, arguments: tuple[str, ...]
) -> None:
    if arguments[:2] == ("lake", "diff"):
        latest = tables.open_table(running, arguments[2]).version()
        arguments = (*arguments[:3], str(latest - 1), str(latest), *arguments[5:])
    result = lakeshelf("--lake", running, *arguments)
    assert result.code == 0, result.err
    assert result.out.strip()
    if "--json" in arguments:
        json.loads(result.out)


def test_tables_are_written_by_spark_and_by_the_driver(running: Path) -> None:
    ledger = tables.rows(running, "ops/batch_ledger", ["committer"])
    assert set(ledger["committer"].to_pylist()) >= {"driver"}
    engines = {
        str(entry.get("engineInfo", "")).partition("/")[0]
        for entry in tables.open_table(running, "cleansed/shelf_state").history(20)
    }
    assert any("Spark" in engine for engine in engines), engines


@pytest.mark.parametrize("kind", kinds.homes())
def test_the_story_of_every_kind_of_id_is_told(running: Path, kind: str) -> None:
    told = 0
    for table, columns in kinds.homes()[kind]:
        rows = tables.rows(running, table, list(columns)).to_pylist()
        named = [row for row in rows if None not in row.values()]
        for row in (*named[:1], *named[-1:]):
            wanted = "::".join(str(row[column]) for column in columns)
            stories = {story.kind: story for story in trace(running, wanted, limit=5)}
            assert stories[kind].lines or stories[kind].state
            json.dumps(stories[kind].as_json(), default=str)
            told += 1
    assert told, f"the shop has no {kind}"


@pytest.fixture(scope="module")
def closed(running: Path) -> Shop:
    """The books of the shop once it is down; tests of what runs stand before those that want it."""
    assert shell(running, "down").returncode == 0
    return Shop(running)


@pytest.mark.parametrize("question", ANSWERS)
def test_a_question_of_an_analyst_has_an_answer(closed: Shop, question: str) -> None:
    found, right = compared(closed, question)
    assert found == right
    assert found
