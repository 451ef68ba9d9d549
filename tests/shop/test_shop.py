"""Everything that reads does so on a shop with a past, and a store manager's day is done by commands alone."""

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
from lakeshelf.settings import load_settings
from lakeshelf.shop import counting
from lakeshelf.shop.tracing import kinds
from lakeshelf.shop.tracing.trace import trace
from lakeshelf.stack.demos.loop import REPORT
from lakeshelf.stack.embedded.clients import running_client
from tests.cli.commands import PATHS, commands
from tests.docs.answers import ANSWERS, Shop, compared
from tests.support import eventually
from tests.telemetry.test_alerts import promtool

from . import observed
from .conftest import lakeshelf as shell
from .deciding import DECIDED, is_refill, merged, new, policies_of, project, quiet_shelves, row_id
from .watching import require_shown, watched

__all__ = ["promtool"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
PAGE = Path(__file__).parents[2] / "docs" / "store-manager.md"
SHELF = observed.SHELF

READING: dict[str, tuple[str, ...]] = {
    "alerts list": (),
    "check": (),
    "components list": (),
    "config": (),
    "contracts acls": (),
    "contracts check": (),
    "contracts topics": (),
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
    "profile": ("shelf-aggregator", "--seconds", "2"),
    "policies list": (),
    "policies show": (SHELF,),
    "quarantine list": (),
    "reconcile": (),
    "sql": ("SELECT count(*) AS n FROM raw.pos_transactions",),
    "status": (),
    "stock low": (),
    "stock show": (SHELF,),
    "tables": (),
    "topics": (),
    "trace": (SHELF,),
    "watch": ("--once",),
    "whatif": ("--set", "reorder_point_qty=3"),
    "explain": (SHELF,),
}
"""Command → arguments with which it reads."""
GROUPS = ("users", "data", "cr", "import", "webhooks", "models")
OTHERS = {
    *("init", "destroy", "up", "down", "run", "ui", "demo", "bootstrap", "continue", "rebuild"),
    *("alerts ack", "alerts dismiss", "plans cancel"),
    *("stock adjust", "stock count", "policies set", "policies unset"),
    *("jobs new", "jobs run", "jobs conf", "jobs submit", "jobs accept-gap"),
    *("components new", "components run"),
    *("contracts docs", "features backfill"),
    *("files rebuild", "files retry", "files scan", "files upload", "files watch"),
    *("lake forget", "lake migrate", "lake optimize", "lake repair", "lake restore", "lake vacuum"),
    *("lake export", "lake verify-run", "files show", "lake migrate-postgres"),
    *(path for path in PATHS if path.split()[0] in GROUPS),
    *("migrate parquet", "migrate postgres", "replay-quarantine"),
}
"""Commands that change something, or read what this shop lacks: projects, uploads, runs, models, governed datasets."""


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


def test_the_loop_reconciles_and_what_if_gives_its_own_orders(lived: Path) -> None:
    report = json.loads((load_settings(lake_root=lived).stack_dir / REPORT).read_text())
    assert [check for check in report["checks"] if not check["ok"]] == []
    (foretold,) = [check for check in report["checks"] if check["name"] == "M7 what-if"]
    assert foretold["found"] > 0


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

    assert "CR 3 of shelf_policies (End the policy of SIM-001-00001)" in done.stdout
    assert "Who may approve it: ben, cat." in done.stdout
    assert held("__GLOBAL__") == {}
    for number in ("2", "3"):
        for act in ("approve", "merge"):
            assert shell(running, "cr", act, number, "--as", "ben", "--yes").returncode == 0
    eventually(lambda: held(SHELF).get("active") is False, "the policy of a shelf is ended")
    eventually(lambda: "min_qty" in held("__GLOBAL__"), "the policy of all shelves is in force")
    assert held(SHELF)["actor"] == "ann"
    assert (held("__GLOBAL__")["active"], held("__GLOBAL__")["min_qty"]) == (True, 2)
    where = [("event_type", "in", ("adjustment", "wh_adjustment"))]

    def counted() -> list[int]:
        names = ("raw/shelf_events", "raw/wh_events")
        return [tables.rows(running, name, where=where).num_rows for name in names]

    eventually(lambda: min(counted()) > 0, "raw has what was counted")
    assert counted() == [1, 1]


def test_a_count_is_booked_once_however_often_it_is_sent(running: Path) -> None:
    shelf = quiet_shelves(running)[-1]
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

    def recorded() -> list[int]:
        where = [("event_id", "=", sent[0]["event_id"])]
        return tables.rows(running, "raw/shelf_events", where=where)["quantity"].to_pylist()

    eventually(recorded, "raw has what the books have")
    assert recorded() == [-1]


def test_what_the_effect_of_a_request_says_the_jobs_do_and_the_live_page_shows(
    running: Path,
) -> None:
    ann, ben = (project(running, name) for name in ("ann", "ben"))
    shelves = quiet_shelves(running)[:9]
    dataset = ann.dataset("shelf_policies")
    session = dataset.open_session()
    known = {row["shelf_id"] for row in tables.rows(running, "staging/shelf_policies").to_pylist()}
    policies_of(session, known, shelves)
    request = session.submit("Full shelves")
    [effect] = request.effect()
    assert effect["totals"]["low"]["changed"] <= len(effect["shelves"]), "every shelf is listed"
    newly = [row for row in effect["shelves"] if row["plans_then"] > row["plans_now"]]
    units = {row["shelf_id"]: row["units_then"] for row in newly}
    low = {row["shelf_id"] for row in effect["shelves"] if row["low_then"] > row["low_now"]}
    assert units
    total = effect["totals"]["units"]
    assert total["then"] - total["now"] == sum(units.values())

    def decided() -> tuple[dict[str, int], set[str]]:
        """Units that new plans ask for, and shelves of new alerts."""
        plans = new(running, "ops/shelf_restock_plan", shelves, before)
        alerts = [row for row in new(running, "ops/alerts", shelves, before) if is_refill(row)]
        units_of = {row["shelf_id"]: row["suggested_qty"] for row in plans}
        return units_of, {row["shelf_id"] for row in alerts}

    before = {row_id(row) for name in DECIDED for row in new(running, name, shelves, set())}
    with watched(running) as page:
        merged(request, ben)
        eventually(lambda: decided() == (units, low), "the jobs decide what was foretold")
        require_shown(page, running, units)
    merged(request.revert(), ben)
    rows = tables.rows(running, "staging/shelf_policies", where=[("shelf_id", "in", shelves)])
    assert not any(row["min_qty"] == 60 for row in rows.to_pylist() if row["active"])


def test_a_change_shows_its_effect_and_is_not_sent_without_an_answer(running: Path) -> None:
    change = ("policies", "set", SHELF, "threshold_pct=99.5", "--as", "ann")
    asked = subprocess.run(
        [sys.executable, "-m", "lakeshelf.cli.main", "--lake", str(running), *change],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert asked.returncode == 2
    assert "nothing was submitted; give --yes to agree" in asked.stderr
    assert "shelves that are low" in asked.stdout
    refused = shell(running, "policies", "set", SHELF, "threshold_pct=101", "--as", "ann", "--yes")
    assert refused.returncode == 2
    assert "threshold_pct" in refused.stderr
    nobody = shell(running, "policies", "set", SHELF, "threshold_pct=99.5", "--yes")
    assert nobody.returncode == 2
    assert "give --as with one of ann, ben, cat, vic" in nobody.stderr


@pytest.mark.parametrize("arguments", list(with_json()), ids=" ".join)
def test_every_command_that_reads_does_so(
    lakeshelf: Any, running: Path, arguments: tuple[str, ...]
) -> None:
    if arguments[:2] == ("lake", "diff"):
        latest = tables.open_table(running, arguments[2]).version()
        arguments = (*arguments[:3], str(latest - 1), str(latest), *arguments[5:])
    done = []

    def asked() -> bool:
        """Answered, and not in the midst of goods that an earlier test has set on their way."""
        done.append(lakeshelf("--lake", running, *arguments))
        return "while the lake was compared" not in done[-1].err

    eventually(asked, "the shop is quiet")
    result = done[-1]
    assert result.code == 0, result.err
    assert result.out.strip()
    if "--json" in arguments:
        json.loads(result.out)


@pytest.mark.setup
def test_every_process_tells_health_and_metrics_and_every_panel_shows_them(
    lakeshelf: Any, running: Path, tmp_path: Path, promtool: str
) -> None:
    """What is scraped is declared, bounded, and has come from what the shop does."""
    assert lakeshelf("--lake", running, "lake", "optimize", "raw/foot_traffic").code == 0
    addresses = json.loads(lakeshelf("--lake", running, "status", "--json").out)["telemetry"]
    assert addresses.keys() >= {"streams", "components", "api", "worker"}
    assert lakeshelf("--lake", running, "cr", "list", "--as", "ann").code == 0
    observed.require_declared(addresses)
    observed.require_full_dashboards(addresses, tmp_path)


@pytest.mark.parametrize("text", observed.of_runbooks()[0])
def test_a_command_of_the_runbooks_runs(
    lakeshelf: Any, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("corrected.json").write_text("[]")
    words, _, file = text.partition(" > ")
    done = lakeshelf("--lake", running, *words.split())
    assert done.code == 0, done.err
    if file:
        json.loads(done.out)


@pytest.mark.parametrize("text", observed.of_runbooks()[1])
def test_a_way_out_that_needs_the_stack_to_be_down_says_so(running: Path, text: str) -> None:
    """And leaves everything as it is; what it does where the stack is down is tested with what it mends."""
    done = shell(running, *text.split())
    assert done.returncode != 0
    assert done.stderr.startswith("error: ") or "\nerror: " in done.stderr


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
