"""The whole product in containers: it folds what comes, loses processes, goes down and up, and its books agree."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.containers import engine
from tests.containers.project import Project
from tests.containers.test_compose_file import DEFAULT, ONCE, targets
from tests.support import eventually

pytestmark = [pytest.mark.slow, pytest.mark.faults, pytest.mark.timeout(1500)]
REPLAY = ("python3", "/opt/lakeshelf/kafka-components/replay/replay.py", "--json", "--stores", "1")
PAGE = engine.HOME / "docs" / "deploy.md"
STOPPED_IN_ORDER = 0
MOST_BYTES = 1_700_000_000
TRAINS = "from lakeshelf.forecast.training import training; training.ready()"


@pytest.fixture(scope="module")
def project(project: Project) -> Project:
    """The product up, in a shop without customers: what is sent is what a test sends."""
    project.variables |= {"LAKESHELF_SIMULATION": "false"}
    project.up()
    return project


def replayed(project: Project, baskets: int) -> dict[str, Any]:
    """Send the receipts of the earliest baskets of a store; what was sent before is known again."""
    sent: dict[str, Any] = json.loads(project.exec("jobs", *REPLAY, "--baskets", baskets))
    return sent


def reconciled(project: Project, baskets: int) -> Mapping[str, Any]:
    """The tables against the receipts; a difference fails here."""
    options = ("--stores", 1, "--baskets", baskets, "--json")
    checks: Mapping[str, Any] = json.loads(project.exec("jobs", "lakeshelf", "reconcile", *options))
    assert checks["ok"]
    assert len(checks["checks"]) > 10
    return checks


def test_everything_is_up_and_has_no_more_rights_than_it_needs(project: Project) -> None:
    """The engine itself says so of each container."""
    containers = project.containers()
    assert containers.keys() >= DEFAULT
    for name in DEFAULT:
        state, host = containers[name]["State"], containers[name]["HostConfig"]
        if name in ONCE:
            assert (state["Status"], state["ExitCode"]) == ("exited", 0), name
        else:
            assert state["Health"]["Status"] == "healthy", name
        assert containers[name]["Config"]["User"] == "10001:10001"
        assert host["ReadonlyRootfs"]
        assert host["Memory"] > 0


def test_the_image_is_no_larger_than_it_has_to_be(project: Project) -> None:
    """Java, Spark, engines and models are most of it; the benchmark tells how large it is."""
    size = project.engine.docker("image", "inspect", "--format", "{{.Size}}", engine.IMAGE)
    assert int(size) <= MOST_BYTES


def test_models_can_be_trained_beside_the_shop(project: Project) -> None:
    """LightGBM and its OpenMP are loaded, commands answer, and the service lacks nothing but days of receipts."""
    project.exec("components", "python3", "-c", TRAINS)
    assert json.loads(project.exec("components", "lakeshelf", "models", "list", "--json")) == []
    journal = ("lakeshelf", "sql", "SELECT decision FROM ops.journal_training_service", "--json")
    eventually(
        lambda: "days since the first receipt" in project.exec("components", *journal),
        "the service says what it lacks",
    )


def test_a_replay_reconciles_whatever_is_killed(project: Project) -> None:
    """Jobs and broker end by SIGKILL between and while records come; each comes back by itself, and nothing is lost.

    The clock stands: with every tick the shop would send picks and refills of its own.
    """
    project.run("stop", "components")
    replayed(project, 100)
    reconciled(project, 100)
    for killed, baskets in (("jobs", 200), ("kafka", 300)):
        before = project.restarts(killed)
        project.kill(killed)
        eventually(lambda: project.restarts(killed) > before, f"{killed} starts again")  # noqa: B023
        eventually(lambda: project.health(killed) == "healthy", f"{killed} is well")  # noqa: B023
        replayed(project, baskets)
        reconciled(project, baskets)


def test_status_is_right_from_any_container(project: Project) -> None:
    """A process number of one container says nothing in another."""

    def states() -> set[str]:
        answer = project.run(
            "exec", "--no-tty", "api", "sh", "-c", "lakeshelf status --json || true"
        )
        return {query["state"] for query in json.loads(answer)["queries"]}

    eventually(lambda: states() == {"running"}, "all queries run, seen from another container")


def test_a_console_has_every_command_beside_the_services(project: Project) -> None:
    """It asks the processes, the broker and the tables, and is gone afterwards."""
    console = ("run", "--rm", "--no-TTY", "console")
    answer = project.run(*console, "sh", "-c", "lakeshelf status --json || true")
    queries = json.loads(answer)["queries"]
    assert {query["state"] for query in queries} == {"running"}
    assert all(isinstance(query["lag"], int) for query in queries), "the broker was asked"
    rows = ("lakeshelf", "sql", "SELECT count(*) AS n FROM raw.pos_transactions", "--json")
    assert project.run(*console, *rows) == project.exec("jobs", *rows)
    assert "console" not in project.containers()


def test_governed_datasets_are_served(project: Project) -> None:
    """The API has its sample people and datasets, and answers commands where their tokens lie."""
    listed = json.loads(project.exec("api", "lakeshelf", "data", "list", "--as", "ann", "--json"))
    assert {one["dataset"]["id"] for one in listed} >= {"shelf_policies"}


def test_commands_of_the_page_run_inside_the_services(project: Project) -> None:
    """Those that `docs/deploy.md` names."""
    lines = [line.partition("#")[0].split() for line in PAGE.read_text().splitlines()]
    commands = [words[3:] for words in lines if words[:3] == ["docker", "compose", "exec"]]
    assert len(commands) > 3
    for service, *command in commands:
        assert project.exec(service, *command), command


def test_a_shop_goes_on_where_it_was(project: Project) -> None:
    """Down ends every process in order, and up has the same data."""
    before = reconciled(project, 300)
    project.run("stop", "--timeout", 90)
    ended = project.containers()
    for name in DEFAULT - ONCE:
        assert ended[name]["State"]["ExitCode"] == STOPPED_IN_ORDER, name
    project.down()
    project.up("jobs")
    assert reconciled(project, 300)["tables"] == before["tables"]


def test_without_its_volume_a_shop_begins_anew(project: Project) -> None:
    """That data live in the volumes is what the test before stands on."""
    project.down("--volumes")
    project.up("jobs")
    rows = project.exec(
        "jobs", "lakeshelf", "sql", "SELECT count(*) AS n FROM raw.pos_transactions", "--json"
    )
    assert json.loads(rows)[0]["n"] == 0


@pytest.mark.nightly
def test_prometheus_finds_every_process_and_its_jvm(project: Project) -> None:
    """By the names that Docker tells; what does not run is no target."""
    engine.load(project.engine, engine.Builder().prometheus(), "prometheus")
    project.variables |= {"LAKESHELF_JVM_METRICS_PORT": "9410"}
    project.up()
    project.run("--profile", "observability", "up", "--detach", "--wait", "prometheus")
    expected = {
        f"{service}:{port}"
        for service, port in targets("lakeshelf") | targets("jvm")
        if service in DEFAULT
    }
    assert len(expected) == 7
    ask = ("promtool", "query", "-o", "json", "instant", "http://127.0.0.1:9090", "up == 1")
    eventually(
        lambda: (
            {one["metric"]["instance"] for one in json.loads(project.exec("prometheus", *ask))}
            == expected
        ),
        f"{sorted(expected)} are up",
    )
