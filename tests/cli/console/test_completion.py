"""A shell offers commands, options and the names of what is there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from lakeshelf.lake import Lake
from lakeshelf.lake.place import projects


@pytest.mark.slow
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("lake his", ["history"]),
        ("lake history sales/", ["sales/lines"]),
        ("lake history retail/", ["retail/shelf_policies"]),
        ("lake history raw/shelf", ["raw/shelf_events"]),
        ("jobs run wh-a", ["wh-aggregator", "wh-alert-engine"]),
        ("components run clo", ["clock"]),
        ("contracts show shelf_ev", ["shelf_events"]),
        ("files list --status par", ["partial"]),
        ("tables --la", ["--lake"]),
    ],
)
def test_what_a_shell_offers(lake: Path, typed: str, offered: list[str]) -> None:
    Lake(lake).append("sales/lines", [{"id": 1}])
    name = "retail/shelf_policies"
    Lake(lake).create(name, pa.schema([("id", pa.int64())]), path=projects.main(name))
    words = f"lakeshelf {typed}"
    asked = {
        "_LAKESHELF_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    command = [sys.executable, "-m", "lakeshelf.cli.main"]
    done = subprocess.run(
        command, env=os.environ | asked, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == offered


@pytest.mark.slow
def test_a_lake_that_cannot_be_read_offers_what_the_contract_knows_or_nothing(lake: Path) -> None:
    asked = {
        "_LAKESHELF_COMPLETE": "complete_bash",
        "COMP_WORDS": "lakeshelf --lake /dev/null/x lake history ra",
        "COMP_CWORD": "5",
    }
    command = [sys.executable, "-m", "lakeshelf.cli.main"]
    done = subprocess.run(
        command, env=os.environ | asked, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert not lake.exists()
