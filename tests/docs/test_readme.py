"""The commands of the README do what it says, in its order, on a lake of the test's own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]


def commands(document: str) -> list[str]:
    """Commands of a document's shell blocks, without comments."""
    blocks = re.findall(
        r"```sh\n(.*?)```", (HOME / document).read_text(encoding="utf-8"), flags=re.DOTALL
    )
    lines = (line.partition("#")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


def test_the_readme_names_its_commands() -> None:
    assert {"make demo", "make test", "lakeshelf up", "lakeshelf down"} <= set(
        commands("README.md")
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_of_the_readme_but_the_tests_succeeds(tmp_path: Path) -> None:
    script = "\n".join(command for command in commands("README.md") if command != "make test")
    environment = os.environ | {"LAKESHELF_LAKE_ROOT": str(tmp_path / "lake")}
    done = subprocess.run(
        ["bash", "-euxc", f"trap 'lakeshelf down' ERR\n{script}"],
        cwd=HOME,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stdout + done.stderr
