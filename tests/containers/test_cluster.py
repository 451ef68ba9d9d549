"""The same product on a cluster of Spark: two workers, several drivers, an S3 server, Kafka with passwords and TLS.

Executors do the work, the lake, its checkpoints and its leases are in the bucket, and a driver that is killed is
replaced by another.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lakeshelf.cli.platform import scaffolding
from tests.containers import engine
from tests.containers.project import Project
from tests.support import eventually

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.spark,
    pytest.mark.timeout(1800),
]
REPLAY = ("python3", "/opt/lakeshelf/kafka-components/replay/replay.py", "--json", "--stores", "1")
ASKED = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).read().decode())"
ASKS_KAFKA = "python3 /opt/lakeshelf/infra/healthcheck.py kafka kafka:9092 2>/dev/null"
PATIENCE_S = 900.0


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the secrets lie that `lakeshelf init compose` writes."""
    return tmp_path_factory.mktemp("cluster") / scaffolding.SECRETS


@pytest.fixture(scope="module")
def project(docker: engine.Engine, secrets: Path) -> Iterator[Project]:
    """The profile `cluster` up, by the variables and secrets that `lakeshelf init compose` writes."""
    engine.load(docker, engine.Builder().s3(), "s3")
    files = scaffolding.compose_files()
    scaffolding.write_secrets(secrets, files)
    one = Project(docker, engine.compose(), **variables(files["cluster.env"], secrets))
    one.down("--volumes")
    one.up("driver")
    yield one
    one.down("--volumes")


def variables(text: str, folder: Path) -> dict[str, str]:
    """Variables of a file, with the secrets where they are here."""
    values = dict(line.split("=", 1) for line in text.splitlines())
    placed = {n: v.replace(f"./{scaffolding.SECRETS}", str(folder)) for n, v in values.items()}
    return placed | {"LAKESHELF_COMMITTER": "spark"}  # small batches too are to be the executors'


def replayed(project: Project, baskets: int) -> None:
    """Send the receipts of the earliest baskets of a store; what was sent before is known again."""
    project.exec("driver", *REPLAY, "--baskets", baskets)


def reconciled(project: Project, baskets: int) -> None:
    """The tables against the receipts; a difference fails here."""
    options = ("--stores", 1, "--baskets", baskets, "--timeout", 900, "--json")
    checks: Mapping[str, Any] = json.loads(
        project.exec("driver", "lakeshelf", "reconcile", *options)
    )
    assert checks["ok"], checks
    assert len(checks["checks"]) > 10


def states(project: Project, driver: str) -> dict[str, str]:
    """Query → its state, as a driver says."""
    status = project.exec(driver, "cat", "/tmp/state/_stack/streams.json")
    return {query["query"]: query["state"] for query in json.loads(status)["queries"]}


def test_executors_fold_a_replay_and_it_reconciles(project: Project) -> None:
    """Each driver has executors on both workers."""
    replayed(project, 40)
    reconciled(project, 40)
    master = json.loads(
        project.exec("driver", "python3", "-c", ASKED, "http://spark-master:8080/json/")
    )
    assert master["aliveworkers"] == 2
    assert [app["cores"] for app in master["activeapps"]] == [2, 2]


def test_queries_are_divided_among_the_drivers(project: Project) -> None:
    """One driver's queries are waited for by the other."""
    stock, rest = states(project, "driver-stock"), states(project, "driver")
    assert set(stock.values()) == {"running"}
    assert {name for name, state in rest.items() if state == "waiting"} == set(stock)
    assert {state for name, state in rest.items() if name not in stock} == {"running"}


def test_a_driver_that_is_killed_is_replaced_and_nothing_is_lost(project: Project) -> None:
    """The other one takes over its queries, by their leases."""
    stock = set(states(project, "driver-stock"))
    project.run("kill", "driver-stock")
    replayed(project, 80)
    eventually(
        lambda: {states(project, "driver")[query] for query in stock} == {"running"},
        "the other driver takes over",
        PATIENCE_S,
    )
    reconciled(project, 80)
    project.up("driver-stock")
    assert set(states(project, "driver-stock").values()) == {"waiting"}


def test_kafka_knows_its_users_alone(project: Project) -> None:
    """Somebody else with the same password is not let in."""

    def answer(user: str) -> str:
        command = f"LAKESHELF_KAFKA_USERNAME={user} {ASKS_KAFKA} && echo let in || echo refused"
        return project.exec("driver", "sh", "-c", command).strip()

    assert answer(scaffolding.KAFKA_USER) == "let in"
    assert answer("somebody-else") == "refused"


def test_new_secrets_take_the_place_of_the_old_ones(project: Project, secrets: Path) -> None:
    """As `init compose --force` writes them: all services go on with theirs, and nobody is let in with an old one."""
    names = ("kafka_password", "aws_credentials")
    old = {name: (secrets / name).read_text() for name in names}
    scaffolding.write_secrets(secrets, scaffolding.compose_files())
    assert all((secrets / name).read_text() != old[name] for name in names)
    project.up("--force-recreate", "--always-recreate-deps", "driver")
    replayed(project, 120)
    reconciled(project, 120)
    command = f"echo {old['kafka_password']} > /tmp/old; LAKESHELF_KAFKA_PASSWORD_FILE=/tmp/old {ASKS_KAFKA}"
    answer = project.exec("driver", "sh", "-c", f"{command} && echo let in || echo refused")
    assert answer.strip() == "refused"
