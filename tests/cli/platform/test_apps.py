"""`jobs new` and `components new` write apps that run; what cannot be is refused, and nothing of it stays."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakeshelf import modules
from lakeshelf.components.component import DAY, Context, Tick
from lakeshelf.contracts import CATALOG, PRODUCT
from lakeshelf.contracts import project as own
from lakeshelf.lake.rows import tables
from lakeshelf.settings import load_settings
from lakeshelf.streams.resume import checkpoint
from tests.components.bench import Tables

JOB = ("jobs", "new", "sales-by-day", "--topic", "pos_transactions")
COMPONENT = ("components", "new", "daily-visits")
VISITS = "raw/foot_traffic"
TABLES = {JOB: "own/sales_by_day", COMPONENT: "own/daily_visits"}


def files(folder: Path) -> dict[str, str]:
    """Files of a project → content."""
    written = (file for file in folder.rglob("*") if file.is_file())
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in written
        if "lock" not in file.name and file.suffix != ".pyc"
    }


@pytest.mark.slow
@pytest.mark.parametrize("command", [JOB, COMPONENT], ids=lambda command: command[0])
def test_a_new_app_is_in_order_at_once_and_known_everywhere(lakeshelf, project, command):
    room, _, name, *_ = command
    made = lakeshelf(*command, "--json")
    assert made.code == 0
    written = json.loads(made.out)["written"]
    assert {Path(file).name for file in written} == {
        "README.md",
        "contract.py",
        f"{name.replace('-', '_')}.py",
    }
    assert all(Path(file).is_file() for file in written)
    assert lakeshelf("check").code == 0
    assert name in lakeshelf(room, "list", "--all").out
    planned = json.loads(lakeshelf("plan", "--json").out)
    assert TABLES[command] in {table["table"] for table in planned["tables"]}
    assert name in lakeshelf("contracts", "show", TABLES[command]).out
    assert lakeshelf("contracts", "check").code == 0


def test_a_new_component_counts_a_day_when_a_later_one_has_begun(lakeshelf, project):
    (readme, *_) = json.loads(lakeshelf(*COMPONENT, "--json").out)["written"]
    lake, day = Tables(), datetime(2026, 3, 2, tzinfo=UTC)
    component = modules.load(Path(readme).with_name("daily_visits.py")).COMPONENT
    works = component(Context(load_settings(), {}, lake))
    tick = Tick(day + DAY, (day + DAY).date(), None, 1)
    (due,) = works.dues(day, tick)
    for hours in (-1, 0, 9):
        lake.keep(VISITS, visit(day + timedelta(hours=hours)))
    assert works.decide(due, tick) is None, "others may come"
    lake.keep(VISITS, visit(day + DAY))
    (told,) = works.decide(due, tick).table.to_pylist()
    assert told == {"business_day": day.date(), "store_id": "S1", "events": 2, "created_at": due}


def visit(time: datetime) -> dict[str, object]:
    """An event, of which no other has the time."""
    return {"event_id": str(time), "event_time": time, "store_id": "S1"}


@pytest.mark.slow
def test_a_table_of_a_job_that_joins_a_query_under_way_begins_late(lakeshelf, project):
    lake = project / "lake"
    own.include(None)
    tables.ensure_all(lake)
    assert json.loads(lakeshelf("plan", "--json").out)["late"] == []
    starting = {"foot_traffic": {"0": 3}, "lost_sales": {"0": 0}}
    checkpoint.begin(lake / "_checkpoints", "foot-traffic-raw-sink", starting)
    assert json.loads(lakeshelf("plan", "--json").out)["late"] == ["own/visits_by_day"]
    assert "`lakeshelf rebuild`" in lakeshelf("plan").out
    tables.ensure(lake, CATALOG.tables["own/visits_by_day"])
    assert json.loads(lakeshelf("plan", "--json").out)["late"] == []


@pytest.mark.slow
def test_the_tables_of_a_project_are_not_among_the_pages_of_the_product(
    lakeshelf, project, tmp_path
):
    assert lakeshelf("contracts", "docs", "--folder", tmp_path / "pages").code == 0
    assert "own/visits_by_day" in CATALOG.tables
    pages = "".join(page.read_text() for page in (tmp_path / "pages").rglob("*.md"))
    assert "ops/alerts" in pages
    assert "visits_by_day" not in pages


@pytest.mark.parametrize(
    ("name", "topic", "named"),
    [
        ("Sales_By_Day", "foot_traffic", "did you mean sales-by-day?"),
        ("../sales", "foot_traffic", "did you mean sales?"),
        ("1st", "foot_traffic", "begin with a letter"),
        ("", "foot_traffic", "begin with a letter"),
        ("s" * 61, "foot_traffic", "at most 60"),
        ("alerts-sink", "foot_traffic", "alerts-sink is taken"),
        ("producer-pos", "foot_traffic", "producer-pos is taken"),
        ("visits-by-day", "foot_traffic", "visits-by-day is taken"),
        ("clock", "foot_traffic", "clock is taken"),
        ("calendar", "foot_traffic", "Python module"),
        ("duckdb", "foot_traffic", "Python module"),
        ("lakeshelf", "foot_traffic", "Python module"),
        ("sales", "foot_trafic", "did you mean foot_traffic?"),
        ("streams-driver", "foot_traffic", "taken by the owner of raw/quarantine"),
        ("sales", "fridges", "'fridges' is no topic whose events can be counted: no contract"),
        ("sales", "alerts", "no table raw/alerts tells which of its messages are repeats"),
        ("sales", "shelf_policies", "no table raw/shelf_policies tells"),
    ],
)
def test_names_that_cannot_be_are_refused_and_nothing_is_written(
    lakeshelf, project, name, topic, named
):
    before = files(project)
    room = "components" if name.startswith("producer") else "jobs"
    refused = lakeshelf(room, "new", "--topic", topic, "--", name)
    assert refused.code == 2
    assert named in refused.error
    assert files(project) == before


def test_a_folder_that_is_there_is_left_as_it_is(lakeshelf, project):
    mine = project / "spark-apps" / "sales-by-day" / "notes.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    before = files(project)
    assert "is there already" in lakeshelf(*JOB).error
    assert files(project) == before


def test_an_app_with_which_the_project_does_not_hold_together_leaves_nothing(lakeshelf, project):
    contract = project / "spark-apps" / "visits-by-day" / "contract.py"
    text = contract.read_text()
    other = 'replace(VISITS_BY_DAY, name="own/sales_by_day")'
    contract.write_text(
        f"from dataclasses import replace\n{text}\nTABLES = (VISITS_BY_DAY, {other})\n"
    )
    before = files(project)
    refused = lakeshelf(*JOB)
    assert refused.code == 2
    assert "own/sales_by_day is declared twice" in refused.error
    assert files(project) == before


def test_a_file_where_the_folder_of_apps_should_be_is_refused_and_left(lakeshelf, project):
    (project / "kafka-components").write_text("mine")
    before = files(project)
    assert lakeshelf(*COMPONENT).code == 1
    assert files(project) == before


@pytest.mark.parametrize("command", [JOB, COMPONENT], ids=lambda command: command[0])
def test_without_a_project_in_its_settings_nothing_is_written_into_the_checkout(
    lakeshelf, project, command
):
    (project / "lakeshelf.toml").write_text('lake_root = "lake"\n')
    before = files(project)
    refused = lakeshelf(*command)
    assert refused.code == 2
    assert 'project = "."' in refused.error
    assert files(project) == before


@pytest.mark.slow
def test_only_a_project_that_settings_name_is_loaded(lakeshelf, project):
    (project / "lakeshelf.toml").write_text('lake_root = "lake"\n')
    assert "visits-by-day" not in lakeshelf("jobs", "list", "--all").out
    assert dict(CATALOG.tables) == dict(PRODUCT.tables)


@pytest.mark.slow
def test_a_job_that_cannot_be_loaded_is_named_and_the_others_are_listed(lakeshelf, project):
    job = project / "spark-apps" / "broken-job" / "broken_job.py"
    job.parent.mkdir()
    job.write_text("import nothing_here\n")
    line = f"{job}:1: ModuleNotFoundError: No module named 'nothing_here'"
    listed = lakeshelf("jobs", "list", "--all")
    assert listed.code == 2
    assert line in listed.error
    assert "shelf-aggregator" in listed.out
    assert line in lakeshelf("up", "--no-watch").error


@pytest.mark.slow
def test_a_job_whose_sql_cannot_run_keeps_the_stack_from_starting(lakeshelf, project):
    job = project / "spark-apps" / "visits-by-day" / "visits_by_day.py"
    job.write_text(job.read_text().replace("CAST(event_time", "CAST(event_tim"))
    for words in (["up", "--no-watch"], ["up", "--foreground"], ["jobs", "run", "visits-by-day"]):
        refused = lakeshelf(*words)
        assert refused.code == 2
        line = refused.error
        assert "job visits-by-day: the SQL of its " in line
        assert "event_tim" in line
        assert "`lakeshelf jobs list` checks it" in line
    assert not (project / "lake" / "_stack").exists(), "nothing was started"


@pytest.mark.slow
def test_a_contract_that_cannot_be_loaded_hinders_nobody_who_stops_or_looks(lakeshelf, project):
    contract = project / "spark-apps" / "visits-by-day" / "contract.py"
    contract.write_text("TABLES = 1 / 0\n")
    (project / "lake").mkdir(exist_ok=True)
    line = f"{contract}:1: ZeroDivisionError"
    for words in (["up", "--no-watch"], ["bootstrap"], ["plan"], ["sql", "SELECT 1"], ["status"]):
        refused = lakeshelf(*words)
        assert refused.code == 2
        assert line in refused.error
    for words in (["down"], ["config"], ["logs"]):
        assert lakeshelf(*words).code == 0
    listed = lakeshelf("jobs", "list", "--all")
    assert line in listed.error
    assert "shelf-aggregator" in listed.out
    checked = json.loads(lakeshelf("check", "--json").out)["checks"]
    assert any(line in found["message"] for found in checked if found["name"] == "project")


@pytest.mark.slow
@pytest.mark.parametrize("room", ["spark-apps", "kafka-components"])
def test_an_app_may_not_have_the_name_of_another(lakeshelf, project, room):
    name = {"spark-apps": "alerts-sink", "kafka-components": "removal-scheduler"}[room]
    home = Path(__file__).parents[3] / room / name
    shutil.copytree(home, project / room / name)
    checked = lakeshelf("check")
    assert checked.code == 1
    assert name in next(line for line in checked.out.splitlines() if line.startswith("bad"))


@pytest.mark.slow
def test_an_app_may_be_named_like_a_module_of_python(lakeshelf, project):
    lakeshelf(*JOB)
    folder = project / "spark-apps" / "sales-by-day"
    (folder / "sales_by_day.py").rename(folder / "calendar.py")
    assert "sales-by-day" in lakeshelf("jobs", "list", "--all").out
