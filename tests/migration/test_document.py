"""The commands of docs/migration.md print what it says, in its order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "migration.md"
BLOCKS = re.compile(r"```sh\n(.*?)```(?:\n\n```text\n(.*?)```)?", re.DOTALL)
CHANGING = re.compile(r"[0-9a-f]{64}|[0-9a-f]{8}-[0-9a-f-]{27}|\d{4}-\d\d-\d\dT[\d:.+]+")


def steady(output: str) -> str:
    """Output without ids, fingerprints and times, and without the width of columns that hold them."""
    lines = (re.sub(r" +", " ", CHANGING.sub("…", line)).rstrip() for line in output.splitlines())
    return "\n".join(lines)


def printed(commands: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=folder,
        env=os.environ | {"LAKESHELF_LAKE_ROOT": str(folder / "lake"), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


@pytest.mark.slow
def test_every_command_prints_what_the_document_says(tmp_path: Path) -> None:
    blocks = BLOCKS.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(blocks) >= 8
    for commands, said in blocks:
        assert steady(printed(commands, tmp_path)) == steady(said), commands
