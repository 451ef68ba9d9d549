"""What `docs/deploy.md` has people type to keep the product: a backup, and the way back to it, as they stand there.

A shell runs the commands of the page, with Docker's client and its plugin for Compose, in the folder of the checkout.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.containers import engine
from tests.containers.project import Project
from tests.containers.test_compose import PAGE, reconciled, replayed

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.slow,
    pytest.mark.faults,
    pytest.mark.timeout(3600),
]
VOLUMES = ("lake", "kafka")
RECEIPTS = "raw/pos_transactions"
"""Table to which the replay alone adds: the clock, which starts with the rest, moves stock."""


def typed(heading: str) -> str:
    """The first block of commands below a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"### {heading}\n", 1)[1].split("\n### ", 1)[0]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block, f"{PAGE.name} has no commands below {heading!r}"
    return block[1]


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


def shell(project: Project, home: Path, commands: str) -> None:
    """Run commands as they stand on the page; the first that fails ends it."""
    variables = project.engine.environment | project.variables | {"HOME": str(home)}
    variables["DOCKER_CONFIG"] = str(home / ".docker")
    engine.run("bash", "-euc", commands, cwd=engine.HOME, env=variables)


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
