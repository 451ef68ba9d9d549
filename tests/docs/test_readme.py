"""The commands of the README do what it says, in its order, on a lake of the test's own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

HOME = Path(__file__).parents[2]
YEAR = "delta/year"
"""The lake of a year of receipts, in commands that take minutes each."""


def commands(document: str) -> list[str]:
    """Commands of a document's shell blocks, without comments."""
    blocks = re.findall(
        r"```sh\n(.*?)```", (HOME / document).read_text(encoding="utf-8"), flags=re.DOTALL
    )
    lines = (line.partition("#")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


def require_done(script: Iterable[str], lake: Path) -> str:
    """Run commands, each of which has to succeed; what they print."""
    done = subprocess.run(
        ["bash", "-euxc", "\n".join(("trap 'lakeshelf down' ERR", *script))],
        cwd=HOME,
        env=os.environ | {"LAKESHELF_LAKE_ROOT": str(lake)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def test_the_readme_names_its_commands() -> None:
    assert {"make demo", "make test", "lakeshelf up", "lakeshelf down"} <= set(
        commands("README.md")
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_of_the_readme_but_the_tests_and_those_of_a_year_succeeds(
    tmp_path: Path,
) -> None:
    meant = (line for line in commands("README.md") if line != "make test" and YEAR not in line)
    require_done(meant, tmp_path / "lake")


@pytest.mark.nightly
@pytest.mark.ml
@pytest.mark.timeout(3600)
def test_a_model_of_the_year_is_trained_and_asked_as_the_readme_says(tmp_path: Path) -> None:
    year = tmp_path / "year"
    meant = [line.replace(YEAR, str(year)) for line in commands("README.md") if YEAR in line]
    assert len(meant) == 5
    shown = require_done(["source .venv/bin/activate", *meant], tmp_path / "lake")
    assert "reconciled: the tables say exactly what the receipts say" in shown
    assert re.search(r"deviance +passed", shown)
    assert re.search(r"pinball +passed", shown)
    assert "fill (sold of wanted)" in shown
