"""What `docs/deploy.md` has people type to keep the product: a backup, and the way back to it, as they stand there.

A shell runs the commands of the page, with Docker's client and its plugin for Compose, in the folder of the checkout.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lakeshelf.cli.platform import scaffolding
from tests.containers import engine
from tests.containers.project import Project
from tests.containers.test_compose import PAGE, reconciled, replayed

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.timeout(3600),
]
SECRETS = engine.HOME / scaffolding.SECRETS
LAKESHELF = Path(sys.executable).with_name("lakeshelf")
VOLUMES = ("lake", "kafka")
RECEIPTS = "raw/pos_transactions"
"""Table to which the replay alone adds: the clock, which starts with the rest, moves stock."""


def typed(heading: str, number: int = 0) -> str:
    """A block of commands below a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"### {heading}\n", 1)[1].split("\n### ", 1)[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert len(blocks) > number, f"{PAGE.name} has too few commands below {heading!r}"
    return str(blocks[number])


@pytest.fixture(scope="module")
def home(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Home of somebody who has Docker's client with Compose, and the image by the name of the page."""
    folder = tmp_path_factory.mktemp("home")
    plugins = folder / ".docker" / "cli-plugins"
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(engine.compose())
    (name,) = set(re.findall(r"lakeshelf:\d[\d.]+\d", PAGE.read_text(encoding="utf-8")))
    project.engine.docker("tag", engine.IMAGE, name)
    return folder


def shell(project: Project, home: Path, commands: str) -> str:
    """Run commands as they stand on the page, the first that fails ends it; what they printed."""
    variables = project.engine.environment | project.variables | {"HOME": str(home)}
    variables["DOCKER_CONFIG"] = str(home / ".docker")
    return engine.run("bash", "-euc", commands, cwd=engine.HOME, env=variables)


def test_a_restored_backup_is_the_shop_of_its_moment_and_goes_on(
    project: Project, home: Path
) -> None:
    """What was sent after it is gone from tables and topics alike, and counts once when it is sent again."""
    project.variables |= {"LAKESHELF_SIMULATION": "false"}
    project.up()
    project.run("stop", "components")  # its clock would send picks and refills of its own
    replayed(project, 100)
    before = reconciled(project, 100)["tables"][RECEIPTS]
    shell(project, home, typed("Backup"))
    archives = {file.name: file.stat().st_size for file in (home / "backup").iterdir()}
    assert archives.keys() == {f"{volume}.tar" for volume in VOLUMES}
    assert all(archives.values())
    project.run("stop", "components")
    replayed(project, 200)
    assert reconciled(project, 200)["tables"][RECEIPTS] > before
    shell(project, home, typed("Restore"))
    project.run("stop", "components")
    assert reconciled(project, 100)["tables"][RECEIPTS] == before
    replayed(project, 200)
    reconciled(project, 200)


@pytest.fixture
def stored(project: Project, home: Path) -> Iterator[str]:
    """The profile `postgres` up, with secrets in the folder of the checkout; how its commands begin."""
    if SECRETS.exists():
        pytest.skip(f"somebody's secrets are in {SECRETS}")
    engine.load(project.engine, engine.Builder().postgres(), "postgres")
    compose = f"docker compose --env-file {SECRETS.name}/compose.env"
    project.variables |= {"LAKESHELF_SIMULATION": "false"}
    try:
        shell(project, home, f"{LAKESHELF} init compose")
        shell(project, home, f"{compose} up --detach --no-build --wait --wait-timeout 900")
        yield compose
    finally:
        shell(project, home, f"{compose} down --volumes")
        shutil.rmtree(SECRETS)


def test_postgresql_takes_a_new_password_and_keeps_what_it_has(
    project: Project, home: Path, stored: str
) -> None:
    """The commands of the page, with those of the other services around them; the old password is refused then."""
    listed = f"{stored} exec -T api lakeshelf data list --as ann --json"
    before = shell(project, home, listed)
    assert json.loads(before)
    old = (SECRETS / "postgres_password").read_text()
    shell(project, home, f"{LAKESHELF} init compose --renew postgres")
    shell(project, home, typed("New secrets", 1))
    again = "up --detach --no-build --wait --wait-timeout 900 --force-recreate"
    shell(project, home, f"{stored} {again}")
    assert shell(project, home, listed) == before
    asked = "psql --host 127.0.0.1 --username lakeshelf --command 'SELECT 1'"
    for password, answer in (
        (old, "refused"),
        ((SECRETS / "postgres_password").read_text(), "let in"),
    ):
        tried = f"PGPASSWORD={password} {asked} >/dev/null 2>&1 && echo let in || echo refused"
        assert (
            project.run(
                "--env-file", SECRETS / "compose.env", "exec", "-T", "postgres", "sh", "-c", tried
            ).strip()
            == answer
        )
